#include "samples/httpd/site.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "samples/httpd/coding.h"
#include "samples/httpd/content_type.h"
#include "samples/httpd/gzip_reply.h"
#include "samples/httpd/listing.h"
#include "samples/httpd/range.h"
#include "samples/httpd/request_path.h"
#include "samples/httpd/transfers.h"
#include "samples/httpd/validators.h"

/* Functions here that return int return 0 once the request is answered, or else a status with which
 * it is still to be answered. */

enum {
  kPartialContent = 206,
  kForbidden = 403,
  kPreconditionFailed = 412,
  kRangeNotSatisfiable = 416,
};

/* A large file leaves in pieces of this size, so that no download holds up the others for long. */
enum { kMaxWrite = 256 * 1024 };

/* Below this, compressing a file saves no packet. */
enum { kMinGzip = 1024 };

static const char *reason_of(int status) {
  switch (status) {
    case HTTP_MOVEPERM:
      return "Moved Permanently";
    case HTTP_BADREQUEST:
      return "Bad Request";
    case kForbidden:
      return "Forbidden";
    case HTTP_NOTFOUND:
      return "Not Found";
    case HTTP_BADMETHOD:
      return "Method Not Allowed";
    case kPreconditionFailed:
      return "Precondition Failed";
    case kRangeNotSatisfiable:
      return "Range Not Satisfiable";
    case HTTP_SERVUNAVAIL:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

static bool wants_body(struct evhttp_request *req) {
  return evhttp_request_get_command(req) != EVHTTP_REQ_HEAD;
}

static int add_header(struct evhttp_request *req, const char *name, const char *value) {
  return evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

/* Sends `body`, which stands for `body_len` bytes even where a HEAD leaves them out. */
static int send_reply(struct site *site, struct evhttp_request *req, int status, const char *reason,
                      struct evbuffer *body, uint64_t body_len) {
  char length[24];
  snprintf(length, sizeof(length), "%" PRIu64, body_len);
  if (status != HTTP_NOTMODIFIED && add_header(req, "Content-Length", length) != 0)
    return HTTP_INTERNAL;
  if (transfers_draining(site->transfers) && add_header(req, "Connection", "close") != 0)
    return HTTP_INTERNAL;
  int64_t sent_len = body != NULL && wants_body(req) ? (int64_t)body_len : 0;
  if (transfers_begin(site->transfers, req, status, sent_len) == NULL) return HTTP_INTERNAL;
  evhttp_send_reply(req, status, reason, wants_body(req) ? body : NULL);
  return 0;
}

/* A line of text that says what is wrong. */
static int send_explanation(struct site *site, struct evhttp_request *req, int status,
                            struct evbuffer *body) {
  const char *reason = reason_of(status);
  if (evbuffer_add_printf(body, "%d %s\n", status, reason) < 0 ||
      add_header(req, "Content-Type", "text/plain; charset=utf-8") != 0 ||
      (status == HTTP_BADMETHOD && add_header(req, "Allow", "GET, HEAD") != 0))
    return HTTP_INTERNAL;
  return send_reply(site, req, status, reason, body, evbuffer_get_length(body));
}

static void send_status(struct site *site, struct evhttp_request *req, int status) {
  struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
  struct evbuffer *body = evbuffer_new();
  /* What failed half-way may have left headers for the reply it meant to send. */
  if (status == HTTP_INTERNAL) evhttp_clear_headers(headers);
  if (body == NULL || send_explanation(site, req, status, body) != 0) {
    evhttp_clear_headers(headers);
    evhttp_send_error(req, HTTP_INTERNAL, NULL);
  }
  if (body != NULL) evbuffer_free(body);
}

/* Adds a range of `document` to `body`, which takes the descriptor over. */
static int add_file(struct evbuffer *body, struct document *document, const struct range *range) {
  /* The buffer ends up on a socket, so it may keep the file as a reference for sendfile(). */
  evbuffer_set_flags(body, EVBUFFER_FLAG_DRAINS_TO_FD);
  if (evbuffer_add_file(body, document->fd, (ev_off_t)range->offset, (ev_off_t)range->length) != 0)
    return HTTP_INTERNAL;
  document->fd = -1;
  return 0;
}

static int send_range(struct site *site, struct evhttp_request *req, int status,
                      struct document *document, const struct range *range) {
  struct evbuffer *body = evbuffer_new();
  if (body == NULL) return HTTP_INTERNAL;
  int result = 0;
  if (wants_body(req) && range->length > 0) {
    struct evhttp_connection *connection = evhttp_request_get_connection(req);
    bufferevent_set_max_single_write(evhttp_connection_get_bufferevent(connection), kMaxWrite);
    result = add_file(body, document, range);
  }
  if (result == 0) result = send_reply(site, req, status, NULL, body, range->length);
  evbuffer_free(body);
  return result;
}

static int add_content_range(struct evhttp_request *req, const struct range *range, uint64_t size) {
  char value[80];
  if (range == NULL) {
    snprintf(value, sizeof(value), "bytes */%" PRIu64, size);
  } else {
    snprintf(value, sizeof(value), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->offset,
             range->offset + range->length - 1, size);
  }
  return add_header(req, "Content-Range", value);
}

/* Range applies to GET only (RFC 9110 section 14.2). */
static enum range_outcome choose_range(struct evhttp_request *req,
                                       const struct validators *validators, uint64_t size,
                                       struct range *out_range) {
  const struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
  bool obey = evhttp_request_get_command(req) == EVHTTP_REQ_GET &&
              validators_allow_range(validators, headers);
  return range_parse(obey ? evhttp_find_header(headers, "Range") : NULL, size, out_range);
}

/* A small file, as a whole. */
static int send_gzip_at_once(struct site *site, struct evhttp_request *req,
                             struct document *document) {
  struct evbuffer *body = evbuffer_new();
  int result = HTTP_INTERNAL;
  if (body != NULL && gzip_file(document->fd, document->size, body) == 0)
    result = send_reply(site, req, HTTP_OK, NULL, body, evbuffer_get_length(body));
  if (body != NULL) evbuffer_free(body);
  return result;
}

static void free_gzip_reply(void *reply) {
  gzip_reply_free(reply);
}

static int send_gzip_in_pieces(struct site *site, struct evhttp_request *req,
                               struct document *document) {
  if (transfers_draining(site->transfers) && add_header(req, "Connection", "close") != 0)
    return HTTP_INTERNAL;
  struct gzip_reply *reply = gzip_reply_new(req, document->fd, document->size);
  if (reply == NULL) return HTTP_INTERNAL;
  document->fd = -1;
  struct transfer *transfer = transfers_begin(site->transfers, req, HTTP_OK, 0);
  if (transfer == NULL) {
    gzip_reply_free(reply);
    return HTTP_INTERNAL;
  }
  transfer_set_end_cb(transfer, free_gzip_reply, reply);
  gzip_reply_send(reply, HTTP_OK, transfer);
  return 0;
}

static int send_gzip(struct site *site, struct evhttp_request *req, struct document *document) {
  if (add_header(req, "Content-Encoding", "gzip") != 0) return HTTP_INTERNAL;
  return document->size <= kGzipAtOnce ? send_gzip_at_once(site, req, document)
                                       : send_gzip_in_pieces(site, req, document);
}

/* Parts are parts of the file as it is: a client that asks for one does not get gzip. Nor does one
 * of HTTP/1.0, to which no body can be sent whose length is not known. */
static enum coding choose_coding(struct evhttp_request *req) {
  const struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
  if (req->major == 1 && req->minor == 0) return CODING_IDENTITY;
  if (evhttp_find_header(headers, "Range") != NULL) return CODING_IDENTITY;
  return coding_choose(headers);
}

static int send_file(struct site *site, struct evhttp_request *req, struct document *document,
                     const char *name) {
  struct validators validators;
  const char *type = content_type_of(name);
  bool compresses =
      gzip_is_available() && document->size >= kMinGzip && content_type_compresses(type);
  enum coding coding = compresses ? choose_coding(req) : CODING_IDENTITY;
  validators_init(&validators, document->size, document->modified);
  if (coding == CODING_GZIP) validators_set_coding(&validators, "gz");
  if (compresses && add_header(req, "Vary", "Accept-Encoding") != 0) return HTTP_INTERNAL;
  enum precondition precondition =
      validators_check(&validators, evhttp_request_get_input_headers(req));
  if (precondition == PRECONDITION_FAILED) return kPreconditionFailed;
  if (add_header(req, "Last-Modified", validators.last_modified) != 0 ||
      add_header(req, "ETag", validators.etag) != 0)
    return HTTP_INTERNAL;
  if (precondition == PRECONDITION_NOT_MODIFIED)
    return send_reply(site, req, HTTP_NOTMODIFIED, NULL, NULL, 0);

  struct range range;
  enum range_outcome outcome = choose_range(req, &validators, document->size, &range);
  if (outcome != RANGE_WHOLE &&
      add_content_range(req, outcome == RANGE_PART ? &range : NULL, document->size) != 0)
    return HTTP_INTERNAL;
  if (outcome == RANGE_UNSATISFIABLE) return kRangeNotSatisfiable;
  if (add_header(req, "Accept-Ranges", "bytes") != 0 || add_header(req, "Content-Type", type) != 0)
    return HTTP_INTERNAL;
  if (coding == CODING_GZIP) return send_gzip(site, req, document);
  return send_range(site, req, outcome == RANGE_PART ? kPartialContent : HTTP_OK, document, &range);
}

/* Sets the Location: relative links in a listing only work below a path that ends in a slash. */
static int redirect(struct evhttp_request *req, const char *name) {
  const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
  char *path = request_path_encode(name);
  struct evbuffer *location = evbuffer_new();
  int result = HTTP_INTERNAL;
  if (path != NULL && location != NULL &&
      evbuffer_add_printf(location, "%s/%s%s", path, query == NULL ? "" : "?",
                          query == NULL ? "" : query) > 0 &&
      evbuffer_add(location, "", 1) == 0 &&
      add_header(req, "Location", (const char *)evbuffer_pullup(location, -1)) == 0)
    result = HTTP_MOVEPERM;
  if (location != NULL) evbuffer_free(location);
  free(path);
  return result;
}

static int send_listing(struct site *site, struct evhttp_request *req, struct document *directory,
                        const char *name) {
  struct evbuffer *page = evbuffer_new();
  if (page == NULL) return HTTP_INTERNAL;
  int fd = directory->fd;
  directory->fd = -1;
  int result = HTTP_INTERNAL;
  if (listing_write(fd, name, site->root.follow_symlinks, page) == 0 &&
      add_header(req, "Content-Type", "text/html; charset=utf-8") == 0)
    result = send_reply(site, req, HTTP_OK, NULL, page, evbuffer_get_length(page));
  evbuffer_free(page);
  return result;
}

/* Sends index.html where there is one to serve, or else the listing. */
static int send_directory(struct site *site, struct evhttp_request *req, struct document *directory,
                          const char *name) {
  static const char kIndex[] = "index.html";
  struct document_root here = {directory->fd, site->root.follow_symlinks};
  struct document index;
  if (document_open(&here, kIndex, &index) != 0) return send_listing(site, req, directory, name);
  int result = index.is_directory ? send_listing(site, req, directory, name)
                                  : send_file(site, req, &index, kIndex);
  if (index.fd >= 0) close(index.fd);
  return result;
}

static int send_document(struct site *site, struct evhttp_request *req,
                         const struct request_path *path) {
  struct document document;
  int result = document_open(&site->root, path->name, &document);
  if (result != 0) return result;
  if (!document.is_directory) {
    result = path->is_directory ? HTTP_NOTFOUND : send_file(site, req, &document, path->name);
  } else if (!path->is_directory) {
    result = redirect(req, path->name);
  } else {
    result = send_directory(site, req, &document, path->name);
  }
  if (document.fd >= 0) close(document.fd);
  return result;
}

static int send_status_page(struct site *site, struct evhttp_request *req) {
  bool json = status_page_wants_json(req);
  struct evbuffer *page = evbuffer_new();
  int result = HTTP_INTERNAL;
  if (page != NULL && status_page_write(&site->status_page, json, page) == 0 &&
      add_header(req, "Content-Type", json ? "application/json" : "text/html; charset=utf-8") ==
          0 &&
      add_header(req, "Cache-Control", "no-store") == 0 && add_header(req, "Vary", "Accept") == 0)
    result = send_reply(site, req, HTTP_OK, NULL, page, evbuffer_get_length(page));
  if (page != NULL) evbuffer_free(page);
  return result;
}

static int answer(struct site *site, struct evhttp_request *req) {
  enum evhttp_cmd_type method = evhttp_request_get_command(req);
  if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) return HTTP_BADMETHOD;
  if (status_page_is_asked_for(&site->status_page, req)) return send_status_page(site, req);
  const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
  if (uri == NULL) return HTTP_INTERNAL; /* out of memory */
  struct request_path path;
  int result = request_path_parse(evhttp_uri_get_path(uri), &path);
  if (result != 0) return result;
  result = send_document(site, req, &path);
  request_path_clear(&path);
  return result;
}

void site_answer(struct evhttp_request *req, void *site) {
  int status = answer(site, req);
  if (status != 0) send_status(site, req, status);
}

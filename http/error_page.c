#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/util.h>

#include "http/escape.h"
#include "http/reply.h"
#include "http/server.h"
#include "http/server_connection.h"
#include "http/status.h"

/* Error pages are written without allocating, since running out of memory is one of the things
 * they report. */
enum { PAGE_LEN = 1024, REASON_LEN = 256 };

static const char page_type[] = "text/html";

/* Escapes as much as fits. */
static void escape_html(const char *text, char *out_text, size_t size) {
  size_t len = 0;
  for (; *text; text++) {
    const char *escape = strata_http_html_reference(*text);
    size_t escape_len = escape ? strlen(escape) : 1;
    if (len + escape_len >= size) break;
    memcpy(out_text + len, escape ? escape : text, escape_len);
    len += escape_len;
  }
  out_text[len] = '\0';
}

static size_t page_format(int code, const char *reason, char *out_page) {
  char text[REASON_LEN];
  escape_html(reason, text, sizeof(text));
  return (size_t)evutil_snprintf(out_page, PAGE_LEN,
                                 "<!DOCTYPE html>\n<html><head><title>%d %s</title></head>\n"
                                 "<body><h1>%d %s</h1></body></html>\n",
                                 code, text, code, text);
}

static void send_page(struct strata_http_request *request, const struct strata_http_reply *error,
                      struct evbuffer *page) {
  struct strata_http_reply reply = *error;
  if (strata_http_reply_whole(request, &reply, page) < 0) strata_http_reply_break(request);
}

/* Sends the page that the user's callback makes. 1 when it did, or freed the connection; 0 when
 * it left the page to us. */
static int send_custom(struct strata_http_request *request, const struct strata_http_reply *error) {
  struct evhttp *http = evhttp_connection_get_server(request->pub.evcon);
  struct evbuffer *page;
  int made;
  if (!http->errorcb || !(page = evbuffer_new())) return 0;
  made = http->errorcb(&request->pub, page, error->code, error->reason, http->errorcb_arg) >= 0;
  if (made && request->pub.evcon) send_page(request, error, page);
  evbuffer_free(page);
  return made || !request->pub.evcon;
}

static void send_default(struct strata_http_request *request, struct strata_http_reply *reply) {
  char page[PAGE_LEN];
  size_t len = page_format(reply->code, reply->reason, page);
  reply->body_len = len;
  if (!strata_http_reply_has_body(request, reply->code)) len = 0;
  evhttp_clear_headers(&request->output_headers);
  if (strata_http_reply_head(request, reply, page, len) < 0) strata_http_reply_break(request);
}

void strata_http_reply_error(struct strata_http_request *request, int code, const char *reason,
                             const char *allow) {
  struct evbuffer *own = request->pub.output_buffer;
  struct strata_http_reply reply = {code, reason, 0, STRATA_HTTP_REPLY_WHOLE, page_type, allow};
  int nested = request->pub.flags & EVHTTP_REQ_DEFER_FREE;
  request->close_after = 1;
  strata_http_request_enter(request);
  /* With part of another reply on its way, all that can be said is that it broke off. */
  if (!request->started) {
    if (!reply.reason) reply.reason = strata_http_status_phrase(code);
    evhttp_clear_headers(&request->output_headers);
    evbuffer_drain(own, evbuffer_get_length(own));
    if (!send_custom(request, &reply)) send_default(request, &reply);
  }
  if (request->pub.evcon) {
    strata_http_server_connection_of(request->pub.evcon)->written_cb = NULL;
    strata_http_reply_complete(request);
  }
  if (!nested) strata_http_request_leave(request, NULL);
}

void evhttp_send_error(struct evhttp_request *req, int error, const char *reason) {
  struct strata_http_request *request = strata_http_request_of(req);
  if (!req->evcon)
    strata_http_reply_drop(request);
  else
    strata_http_reply_error(request, error, reason, NULL);
}

#define _GNU_SOURCE 1        /* open()'s flags under -std=c11 */
#define _FILE_OFFSET_BITS 64 /* files of more than 2 GiB */
#include "samples/fetch/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "samples/fetch/upload.h"

enum { kMaxBufferedLen = 256 * 1024 };

static void say(const struct transfer *transfer, const char *problem) {
  fprintf(stderr, "fetch: %s: %s\n", transfer->url->text, problem);
}

static const char *error_text(enum evhttp_request_error error) {
  switch (error) {
    case EVREQ_HTTP_TIMEOUT:
      return "the server is silent";
    case EVREQ_HTTP_EOF:
      return "the server closed the connection before the end of its answer";
    case EVREQ_HTTP_INVALID_HEADER:
      return "the answer is malformed";
    case EVREQ_HTTP_DATA_TOO_LONG:
      return "the answer is too long";
    case EVREQ_HTTP_BUFFER_ERROR:
    case EVREQ_HTTP_REQUEST_CANCEL:
      break;
  }
  return "the connection broke";
}

static bool is_success(const struct transfer *transfer) {
  return transfer->status / 100 == 2;
}

/* --- The end --- */

/* 0, or -1 with errno: not all of it is in the file. */
static int close_output(struct transfer *transfer) {
  int result = 0;
  if (transfer->has_sink) byte_sink_close(&transfer->sink);
  if (transfer->fd >= 0) result = close(transfer->fd);
  memset(&transfer->sink, 0, sizeof(transfer->sink));
  transfer->has_sink = false;
  transfer->fd = -1;
  return result;
}

static void fail(struct transfer *transfer, const char *problem) {
  say(transfer, problem);
  transfer_stop(transfer);
  transfer->on_done(transfer, TRANSFER_FAILED);
}

static void finish(struct transfer *transfer) {
  if (close_output(transfer) != 0) {
    fail(transfer, strerror(errno));
    return;
  }
  if (transfer->options->is_verbose)
    fprintf(stderr, "fetch: %s: %d, %llu bytes\n", transfer->url->text, transfer->status,
            (unsigned long long)transfer->received_len);
  transfer->on_done(transfer, transfer->status / 100);
}

/* --- The answer --- */

static void on_drained(int result, void *arg) {
  struct transfer *transfer = arg;
  if (result != 0)
    fail(transfer, strerror(errno));
  else if (transfer->req == NULL)
    finish(transfer);
  else
    evhttp_request_resume_body(transfer->req);
}

/* A file gets nothing but what was asked for; so one that is not modified (304) stays. */
static int open_output(struct transfer *transfer) {
  int fd = transfer->output_path == NULL ? STDOUT_FILENO : -1;
  if (transfer->output_path != NULL && is_success(transfer)) {
    transfer->fd = open(transfer->output_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (transfer->fd < 0) return -1;
    fd = transfer->fd;
  }
  transfer->has_sink = true;
  return byte_sink_open(&transfer->sink, transfer->base, fd, on_drained, transfer);
}

static int write_head(struct transfer *transfer) {
  const struct evhttp_request *req = transfer->req;
  const char *reason = evhttp_request_get_response_code_line(req);
  struct evbuffer *text = evbuffer_new();
  if (text == NULL) return -1;
  int result = evbuffer_add_printf(text, "HTTP/%d.%d %d %s\r\n", req->major, req->minor,
                                   transfer->status, reason == NULL ? "" : reason);
  const struct evkeyval *field = evhttp_request_get_input_headers(transfer->req)->tqh_first;
  for (; field != NULL && result >= 0; field = field->next.tqe_next)
    result = evbuffer_add_printf(text, "%s: %s\r\n", field->key, field->value);
  if (result >= 0) result = evbuffer_add(text, "\r\n", 2);
  if (result >= 0) result = byte_sink_take(&transfer->sink, text);
  evbuffer_free(text);
  return result;
}

static void tell_status(const struct transfer *transfer) {
  if (is_success(transfer)) return;
  const char *reason = evhttp_request_get_response_code_line(transfer->req);
  const char *location =
      evhttp_find_header(evhttp_request_get_input_headers(transfer->req), "Location");
  fprintf(stderr, "fetch: %s: %d %s%s%s\n", transfer->url->text, transfer->status,
          reason == NULL ? "" : reason, location == NULL ? "" : ": ",
          location == NULL ? "" : location);
}

static int on_head(struct evhttp_request *req, void *arg) {
  struct transfer *transfer = arg;
  transfer->status = evhttp_request_get_response_code(req);
  tell_status(transfer);
  if (open_output(transfer) != 0 || (transfer->options->shows_head && write_head(transfer) != 0))
    fail(transfer, strerror(errno));
  return 0;
}

static void on_body(struct evhttp_request *req, void *arg) {
  struct transfer *transfer = arg;
  struct evbuffer *input = evhttp_request_get_input_buffer(req);
  transfer->received_len += evbuffer_get_length(input);
  transfer->meter->flows[FLOW_RECEIVED].total_len += evbuffer_get_length(input);
  if (byte_sink_take(&transfer->sink, input) != 0)
    fail(transfer, strerror(errno));
  else if (byte_sink_len(&transfer->sink) >= kMaxBufferedLen)
    evhttp_request_pause_body(req);
}

static void on_error(enum evhttp_request_error error, void *arg) {
  struct transfer *transfer = arg;
  transfer->error = error;
}

static void on_answer(struct evhttp_request *req, void *arg) {
  struct transfer *transfer = arg;
  transfer->req = NULL;
  if (req == NULL)
    fail(transfer, error_text(transfer->error));
  else if (!transfer->has_sink)
    fail(transfer, "cannot connect");
  else if (byte_sink_len(&transfer->sink) == 0)
    finish(transfer);
}

/* --- The request --- */

static int add_fields(struct transfer *transfer) {
  const struct options *options = transfer->options;
  struct evkeyvalq *fields = evhttp_request_get_output_headers(transfer->req);
  for (size_t n = 0; n < options->num_fields; n++) {
    if (evhttp_add_header(fields, options->fields[n].name, options->fields[n].value) != 0) {
      say(transfer, "such a field can't be sent");
      return -1;
    }
  }
  if (evhttp_find_header(fields, "User-Agent") == NULL)
    return evhttp_add_header(fields, "User-Agent", "fetch (strata)");
  return 0;
}

static int prepare(struct transfer *transfer) {
  const char *upload_path = transfer->options->upload_path;
  uint64_t *sent_len = &transfer->meter->flows[FLOW_SENT].total_len;
  evhttp_request_set_header_cb(transfer->req, on_head);
  evhttp_request_set_chunked_cb(transfer->req, on_body);
  evhttp_request_set_error_cb(transfer->req, on_error);
  if (add_fields(transfer) != 0) return -1;
  if (upload_path == NULL) return 0;
  if (upload_attach(transfer->req, transfer->base, upload_path, sent_len) == 0) return 0;
  fprintf(stderr, "fetch: %s: %s\n", upload_path, strerror(errno));
  return -1;
}

int transfer_start(struct transfer *transfer, struct evhttp_connection *con, const struct url *url,
                   const char *output_path) {
  const struct options *options = transfer->options;
  enum evhttp_cmd_type method = options->upload_path != NULL ? EVHTTP_REQ_PUT
                                : options->asks_for_head     ? EVHTTP_REQ_HEAD
                                                             : EVHTTP_REQ_GET;
  transfer->url = url;
  transfer->output_path = output_path;
  transfer->fd = -1;
  transfer->status = 0;
  transfer->received_len = 0;
  transfer->error = EVREQ_HTTP_BUFFER_ERROR;
  transfer->req = evhttp_request_new(on_answer, transfer);
  if (transfer->req == NULL) {
    say(transfer, "out of memory");
    return -1;
  }
  if (prepare(transfer) != 0) {
    evhttp_request_free(transfer->req);
    transfer->req = NULL;
    return -1;
  }
  if (evhttp_make_request(con, transfer->req, method, url->target) == 0) return 0;
  transfer->req = NULL; /* it is gone */
  say(transfer, "cannot be asked for");
  return -1;
}

void transfer_stop(struct transfer *transfer) {
  struct evhttp_request *req = transfer->req;
  transfer->req = NULL;
  if (transfer->url == NULL) return;
  if (req != NULL) evhttp_cancel_request(req);
  (void)close_output(transfer);
}

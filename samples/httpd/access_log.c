#include "samples/httpd/access_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>

#include "samples/httpd/log_date.h"

#ifdef _WIN32
static const char kAppend[] = "a";
#else
static const char kAppend[] = "ae"; /* closed on exec */
#endif

struct access_log {
  FILE *file;
  struct event *flush_timer; /* pending while lines are buffered; NULL: detached */
};

struct access_line {
  struct access_log *log;
  struct evbuffer *start; /* from the client's address to the request line */
  struct evbuffer *end;   /* from the referer on */
};

static void on_flush_timer(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  struct access_log *log = arg;
  fflush(log->file);
}

FILE *access_log_open(const char *path) {
  FILE *file = path == NULL ? stdout : fopen(path, kAppend);
  if (file != NULL) setvbuf(file, NULL, _IOFBF, 64 * 1024);
  return file;
}

void access_log_close(FILE *file) {
  if (file == NULL) return;
  if (file == stdout) {
    fflush(stdout);
  } else {
    fclose(file);
  }
}

struct access_log *access_log_new(struct event_base *base, FILE *file) {
  struct access_log *log = calloc(1, sizeof(*log));
  if (log == NULL) return NULL;
  log->file = file;
  log->flush_timer = evtimer_new(base, on_flush_timer, log);
  if (log->flush_timer == NULL) {
    free(log);
    errno = ENOMEM;
    return NULL;
  }
  return log;
}

void access_log_detach(struct access_log *log) {
  if (log == NULL || log->flush_timer == NULL) return;
  event_free(log->flush_timer);
  log->flush_timer = NULL;
}

void access_log_free(struct access_log *log) {
  access_log_detach(log);
  free(log);
}

static const char *method_name(enum evhttp_cmd_type method) {
  switch (method) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_POST:
      return "POST";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_PUT:
      return "PUT";
    case EVHTTP_REQ_DELETE:
      return "DELETE";
    case EVHTTP_REQ_OPTIONS:
      return "OPTIONS";
    case EVHTTP_REQ_TRACE:
      return "TRACE";
    case EVHTTP_REQ_CONNECT:
      return "CONNECT";
    case EVHTTP_REQ_PATCH:
      return "PATCH";
    default:
      return "-";
  }
}

static void add_escaped(struct evbuffer *output, const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte == '"' || byte == '\\') {
      evbuffer_add_printf(output, "\\%c", byte);
    } else if (byte < 0x20 || byte >= 0x7f) {
      evbuffer_add_printf(output, "\\x%02x", byte);
    } else {
      evbuffer_add(output, text, 1);
    }
  }
}

static void add_start(struct evbuffer *output, struct evhttp_request *req) {
  char *address = NULL;
  ev_uint16_t port;
  struct evhttp_connection *connection = evhttp_request_get_connection(req);
  if (connection != NULL) evhttp_connection_get_peer(connection, &address, &port);

  char date[LOG_DATE_LEN];
  log_date_format(time(NULL), date);
  evbuffer_add_printf(output, "%s - - [%s] \"%s ", address == NULL ? "-" : address, date,
                      method_name(evhttp_request_get_command(req)));
  add_escaped(output, evhttp_request_get_uri(req));
  evbuffer_add_printf(output, " HTTP/%d.%d\" ", req->major, req->minor);
}

static void add_header(struct evbuffer *output, struct evhttp_request *req, const char *name) {
  const char *value = evhttp_find_header(evhttp_request_get_input_headers(req), name);
  evbuffer_add(output, " \"", 2);
  add_escaped(output, value == NULL ? "-" : value);
  evbuffer_add(output, "\"", 1);
}

static void line_free(struct access_line *line) {
  if (line->start != NULL) evbuffer_free(line->start);
  if (line->end != NULL) evbuffer_free(line->end);
  free(line);
}

struct access_line *access_line_new(struct access_log *log, struct evhttp_request *req) {
  struct access_line *line = log == NULL ? NULL : calloc(1, sizeof(*line));
  if (line == NULL) return NULL;
  line->log = log;
  line->start = evbuffer_new();
  line->end = evbuffer_new();
  if (line->start == NULL || line->end == NULL) {
    line_free(line);
    return NULL;
  }
  add_start(line->start, req);
  add_header(line->end, req, "Referer");
  add_header(line->end, req, "User-Agent");
  return line;
}

/* In one call, which the C library does not interleave with those of other threads. */
static void write_out(struct evbuffer *text, FILE *file) {
  size_t text_len = evbuffer_get_length(text);
  const void *bytes = evbuffer_pullup(text, -1);
  if (bytes != NULL) fwrite(bytes, 1, text_len, file);
}

void access_line_write(struct access_line *line, int status, int64_t body_len) {
  static const struct timeval kFlushAfter = {1, 0};
  if (line == NULL) return;
  struct access_log *log = line->log;
  if (body_len < 0) {
    evbuffer_add_printf(line->start, "%d -", status);
  } else {
    evbuffer_add_printf(line->start, "%d %" PRId64, status, body_len);
  }
  evbuffer_add_buffer(line->start, line->end);
  evbuffer_add(line->start, "\n", 1);
  write_out(line->start, log->file);
  if (log->flush_timer != NULL && !evtimer_pending(log->flush_timer, NULL))
    evtimer_add(log->flush_timer, &kFlushAfter);
  line_free(line);
}

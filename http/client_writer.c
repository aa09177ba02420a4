#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "http/chunk_writer.h"
#include "http/client_connection.h"
#include "http/headers.h"
#include "http/method.h"
#include "http/scan.h"
#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/queue.h"

/* Fields that the library writes itself, or not at all, in place of the user's.
 */
static int is_ours(const char *name) {
  size_t len = strlen(name);
  return strata_http_equal_nocase(name, len, "content-length") ||
         strata_http_equal_nocase(name, len, "transfer-encoding") ||
         strata_http_equal_nocase(name, len, "expect") ||
         strata_http_equal_nocase(name, len, "proxy-connection");
}

static const char *own_field(const struct strata_http_request *request, const char *name) {
  return evhttp_find_header(&request->output_headers, name);
}

/* The field may be there several times. */
int strata_http_client_asks_for(const struct strata_http_request *request, const char *option) {
  const struct evkeyval *field;
  EV_TAILQ_FOREACH(field, &request->output_headers, next) {
    if (strata_http_equal_nocase(field->key, strlen(field->key), "connection") &&
        strata_http_value_lists(field->value, option))
      return 1;
  }
  return 0;
}

/* ---- What may be sent ---- */

static int field_is_valid(const struct evkeyval *field) {
  const char *end = field->key + strlen(field->key);
  return end != field->key && strata_http_scan_token(field->key, end) == end &&
         !strpbrk(field->value, "\r\n");
}

static int fields_are_valid(const struct strata_http_request *request) {
  const struct evkeyval *field;
  int num_hosts = 0;
  EV_TAILQ_FOREACH(field, &request->output_headers, next) {
    if (!field_is_valid(field)) return 0;
    if (strata_http_equal_nocase(field->key, strlen(field->key), "host")) num_hosts++;
  }
  return num_hosts <= 1;
}

/* Controls and spaces would end the target, or the line (RFC 9112 3.2). */
static int text_is_valid(const char *target) {
  for (; *target; target++) {
    if ((unsigned char)*target <= ' ' || *target == 0x7f) return 0;
  }
  return 1;
}

/* The length of the authority in a target of absolute form, which starts at
 * *out_start; 0 when the target is of another form. */
static size_t authority_of(const char *target, const char **out_start) {
  const char *start = strstr(target, "://");
  if (!start || strcspn(target, "/?") < (size_t)(start - target)) return 0;
  *out_start = start + 3;
  return strcspn(start + 3, "/?");
}

/* Names and passwords of users are not for the wire (RFC 9110 4.2.4, 9.3.6). */
static int target_is_valid(const struct evhttp_request *req) {
  const char *authority = req->uri;
  size_t len =
      req->type == EVHTTP_REQ_CONNECT ? strlen(req->uri) : authority_of(req->uri, &authority);
  return text_is_valid(req->uri) && !memchr(authority, '@', len);
}

static int has_body(const struct strata_http_request *request) {
  return request->provider.cb || evbuffer_get_length(request->pub.output_buffer) > 0;
}

static int is_chunked(const struct strata_http_request *request) {
  const char *coding = own_field(request, "Transfer-Encoding");
  if (!has_body(request)) return 0;
  return coding != NULL || (request->provider.cb && request->provider.len < 0);
}

static int body_is_valid(const struct strata_http_request *request) {
  const char *coding = own_field(request, "Transfer-Encoding");
  if (coding && !strata_http_equal_nocase(coding, strlen(coding), "chunked")) return 0;
  if (is_chunked(request) && request->pub.minor < 1) return 0;
  /* RFC 9110 9.3.6 and 9.3.8. */
  if (request->pub.type == EVHTTP_REQ_CONNECT || request->pub.type == EVHTTP_REQ_TRACE)
    return !has_body(request);
  return 1;
}

static int method_is_valid(struct strata_http_client_connection *con,
                           const struct strata_http_request *request) {
  const char *name = strata_http_method_name(request->pub.type, con->ext_method_cmp);
  const char *end = name ? name + strlen(name) : NULL;
  return name && end != name && strata_http_scan_token(name, end) == end;
}

int strata_http_client_request_is_valid(struct strata_http_client_connection *con,
                                        struct strata_http_request *request) {
  return request->pub.major == 1 && (!con->address || text_is_valid(con->address)) &&
         method_is_valid(con, request) && target_is_valid(&request->pub) &&
         fields_are_valid(request) && body_is_valid(request);
}

/* ---- The head ---- */

static int add_text(struct evbuffer *output, const char *text) {
  return evbuffer_add(output, text, strlen(text));
}

static int add_field(struct evbuffer *output, const char *name, const char *value) {
  if (add_text(output, name) < 0 || evbuffer_add(output, ": ", 2) < 0) return -1;
  return add_text(output, value) < 0 ? -1 : evbuffer_add(output, "\r\n", 2);
}

static int add_request_line(struct strata_http_client_connection *con,
                            const struct evhttp_request *req, struct evbuffer *output) {
  const char *method = strata_http_method_name(req->type, con->ext_method_cmp);
  if (!method || add_text(output, method) < 0 || evbuffer_add(output, " ", 1) < 0) return -1;
  if (add_text(output, req->uri) < 0) return -1;
  return add_text(output, req->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
}

/* The host that the connection leads to, an IPv6 address in brackets and
 * without its zone. */
static int add_host_of(struct strata_http_client_connection *con, struct evbuffer *output) {
  const char *address = con->address ? con->address : "localhost";
  int is_ipv6 = strchr(address, ':') && address[0] != '[';
  int len = is_ipv6 ? (int)strcspn(address, "%") : (int)strlen(address);
  if (evbuffer_add_printf(output, is_ipv6 ? "Host: [%.*s]" : "Host: %.*s", len, address) < 0)
    return -1;
  if (con->address && con->port != con->default_port &&
      evbuffer_add_printf(output, ":%d", (int)con->port) < 0)
    return -1;
  return evbuffer_add(output, "\r\n", 2);
}

/* RFC 9112 3.2: the target's own host goes before the connection's. */
static int add_host(struct strata_http_client_connection *con,
                    const struct strata_http_request *request, struct evbuffer *output) {
  const struct evhttp_request *req = &request->pub;
  const char *authority = NULL;
  size_t len;
  if (own_field(request, "Host")) return 0;
  if (req->type == EVHTTP_REQ_CONNECT) return add_field(output, "Host", req->uri);
  len = authority_of(req->uri, &authority);
  if (!len) return add_host_of(con, output);
  if (add_text(output, "Host: ") < 0 || evbuffer_add(output, authority, len) < 0) return -1;
  return evbuffer_add(output, "\r\n", 2);
}

static int add_fields(const struct strata_http_request *request, struct evbuffer *output) {
  const struct evkeyval *field;
  EV_TAILQ_FOREACH(field, &request->output_headers, next) {
    if (!is_ours(field->key) && add_field(output, field->key, field->value) < 0) return -1;
  }
  return 0;
}

/* Those of which a server expects one say so when they have no body (RFC
 * 9110 8.6). */
static int announces_no_body(const struct strata_http_request *request) {
  const int expecting = EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH | EVHTTP_REQ_PROPFIND |
                        EVHTTP_REQ_PROPPATCH | EVHTTP_REQ_LOCK;
  return (request->pub.type & expecting) != 0;
}

static uint64_t body_len(const struct strata_http_request *request) {
  if (request->provider.cb) return (uint64_t)request->provider.len;
  return evbuffer_get_length(request->pub.output_buffer);
}

static int add_delimiter(const struct strata_http_request *request, struct evbuffer *output) {
  if (is_chunked(request)) return add_field(output, "Transfer-Encoding", "chunked");
  if (!has_body(request) && !announces_no_body(request)) return 0;
  return evbuffer_add_printf(output, "Content-Length: %llu\r\n",
                             has_body(request) ? (unsigned long long)body_len(request) : 0ULL) < 0
             ? -1
             : 0;
}

/* An expectation without a body is none (RFC 9110 10.1.1). */
static int expects_continue(const struct strata_http_request *request) {
  const char *expect = own_field(request, "Expect");
  return expect && has_body(request) && request->pub.minor >= 1 &&
         strata_http_equal_nocase(expect, strlen(expect), "100-continue");
}

int strata_http_client_write_head(struct strata_http_client_connection *con,
                                  struct strata_http_request *request, struct evbuffer *output) {
  if (add_request_line(con, &request->pub, output) < 0 || add_host(con, request, output) < 0)
    return -1;
  if (add_fields(request, output) < 0 || add_delimiter(request, output) < 0) return -1;
  if (expects_continue(request) && add_field(output, "Expect", "100-continue") < 0) return -1;
  return evbuffer_add(output, "\r\n", 2);
}

/* ---- The body ---- */

static void start_provider(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  if (is_chunked(request))
    strata_http_body_provider_start(request, STRATA_HTTP_BY_CHUNKS, 0);
  else
    strata_http_body_provider_start(request, STRATA_HTTP_BY_LENGTH, body_len(request));
  con->upload = STRATA_HTTP_UPLOAD_PROVIDED;
  bufferevent_setwatermark(con->common.bufev, EV_WRITE, STRATA_HTTP_PROVIDED_LOW, 0);
  con->common.again = 1;
}

static int write_body(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  struct evbuffer *output = strata_http_connection_output(&con->common);
  con->upload = STRATA_HTTP_UPLOAD_DONE;
  if (!has_body(request)) return 0;
  request->has_sent_body = 1;
  if (request->provider.cb) {
    start_provider(con);
    return 0;
  }
  if (!is_chunked(request)) return evbuffer_add_buffer(output, request->pub.output_buffer);
  if (strata_http_chunk_write(output, request->pub.output_buffer) < 0) return -1;
  return strata_http_chunk_write_last(output);
}

int strata_http_client_write(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  struct evbuffer *output = strata_http_connection_output(&con->common);
  con->persists = !strata_http_client_asks_for(request, "close");
  request->wants_upgrade = strata_http_client_asks_for(request, "upgrade") & 1;
  if (strata_http_client_write_head(con, request, output) < 0) return -1;
  if (!expects_continue(request)) return write_body(con);
  con->upload = STRATA_HTTP_UPLOAD_HELD;
  con->continue_ns = strata_ns_add(event_base_loop_time_ns(con->common.base),
                                   (int64_t)STRATA_HTTP_CLIENT_CONTINUE_S * STRATA_NS_PER_SECOND);
  return 0;
}

int strata_http_client_write_held(struct strata_http_client_connection *con) {
  return con->upload == STRATA_HTTP_UPLOAD_HELD ? write_body(con) : 0;
}

static void end_upload(struct strata_http_client_connection *con) {
  con->upload = STRATA_HTTP_UPLOAD_DONE;
  bufferevent_setwatermark(con->common.bufev, EV_WRITE, 0, 0);
}

void strata_http_client_upload(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  enum strata_http_provided result;
  if (con->write_failed || !strata_http_body_provider_is_ready(&request->provider)) return;
  strata_http_request_enter(request);
  result = strata_http_body_provider_fill(request, strata_http_connection_output(&con->common));
  strata_http_request_leave(request, NULL);
  if (result == STRATA_HTTP_PROVIDED_GONE || con->common.dead || con->request != request) return;
  if (result == STRATA_HTTP_PROVIDED_ALL)
    end_upload(con);
  else if (result != STRATA_HTTP_PROVIDED_SOME)
    con->common.broken = 1;
}

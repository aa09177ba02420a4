#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "http/server_connection.h"
#include "loop/base_clock.h"
#include "util/clock.h"

static int64_t earlier(int64_t one_ns, int64_t other_ns) {
  return one_ns < other_ns ? one_ns : other_ns;
}

static int has_output(const struct strata_http_server_connection *con) {
  return evbuffer_get_length(strata_http_connection_output(&con->common)) > 0;
}

/* A peer that has replies to take may well be silent: then the write timeout watches. */
static int64_t silence_deadline(const struct strata_http_server_connection *con, int64_t now) {
  return has_output(con) ? STRATA_HTTP_NEVER : strata_ns_add(now, con->common.timeouts.read_ns);
}

static int64_t head_deadline(struct strata_http_server_connection *con, int64_t now) {
  struct strata_http_request *request = con->request;
  int64_t silence = silence_deadline(con, now);
  if (!request || !evhttp_head_parser_begun(&request->parser)) return silence;
  if (!request->head_deadline_ns)
    request->head_deadline_ns = strata_ns_add(now, con->common.timeouts.head_ns);
  return earlier(request->head_deadline_ns, silence);
}

/* How long `len` bytes may take. */
static int64_t duration_at(uint64_t len, uint32_t bytes_per_second) {
  uint64_t seconds = len / bytes_per_second, rest = len % bytes_per_second;
  if (seconds >= INT64_MAX / STRATA_NS_PER_SECOND) return STRATA_HTTP_NEVER;
  return (int64_t)(seconds * STRATA_NS_PER_SECOND + rest * STRATA_NS_PER_SECOND / bytes_per_second);
}

/* A body that never falls silent has to come at the least rate too, or it would hold the connection
 * for as long as its sender likes. */
static int64_t body_deadline(struct strata_http_server_connection *con, int64_t now) {
  struct strata_http_request *request = con->request;
  int64_t silence = silence_deadline(con, now), allowed;
  if (silence == STRATA_HTTP_NEVER || !con->common.timeouts.min_body_rate) return silence;
  if (!request->body_start_ns) request->body_start_ns = now;
  allowed = duration_at(request->pub.body_size, con->common.timeouts.min_body_rate);
  allowed =
      strata_ns_add(strata_ns_add(request->body_start_ns, con->common.timeouts.read_ns), allowed);
  return earlier(silence, allowed);
}

int64_t strata_http_server_deadline(struct evhttp_connection *evcon, int64_t now) {
  struct strata_http_server_connection *con = strata_http_server_connection_of(evcon);
  switch (con->state) {
    case STRATA_HTTP_HEAD:
      /* Nothing is read from a peer that has sent too much: it waits for us. */
      return con->common.reading ? head_deadline(con, now) : STRATA_HTTP_NEVER;
    case STRATA_HTTP_BODY:
      return body_deadline(con, now);
    case STRATA_HTTP_LINGER:
      return con->common.deadline_ns;
    case STRATA_HTTP_HANDLER:
    case STRATA_HTTP_FLUSH:
      break;
  }
  return STRATA_HTTP_NEVER;
}

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "http/server_connection.h"
#include "loop/base_clock.h"
#include "util/clock.h"

/* What a body may be behind by, besides a second: the bytes of a packet, with room. At a low rate
 * they take long to gather, and arrive all at once. */
enum { MAX_BEHIND_LEN = 2048 };

static int has_output(const struct strata_http_server_connection *con) {
  return strata_http_connection_output_len(&con->common) > 0;
}

/* A peer that has replies to take may well be silent: then the write timeout watches. */
static int64_t silence_deadline(const struct strata_http_server_connection *con, int64_t now) {
  return has_output(con) ? STRATA_HTTP_NEVER : strata_ns_add(now, con->common.timeouts.read_ns);
}

/* How long the first byte of a request may be awaited. */
static int64_t patience(const struct strata_http_server_connection *con) {
  const int64_t usual = (int64_t)STRATA_HTTP_DEFAULT_FIRST_BYTE_S * STRATA_NS_PER_SECOND;
  const struct strata_http_patience *set = &con->server->patience;
  int64_t read_ns = con->common.timeouts.read_ns;
  if (con->num_requests) return set->idle_ns ? set->idle_ns : read_ns;
  return set->first_byte_ns ? set->first_byte_ns : strata_http_earlier(usual, read_ns);
}

static int64_t head_deadline(struct strata_http_server_connection *con, int64_t now) {
  struct strata_http_request *request = con->request;
  int64_t silence = silence_deadline(con, now);
  if (!request || !evhttp_head_parser_begun(&request->parser))
    return has_output(con) ? STRATA_HTTP_NEVER : strata_ns_add(now, patience(con));
  return strata_http_earlier(silence,
                             strata_http_connection_head_deadline(&con->common, request, now));
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
  /* It is us who wait. */
  if (strata_http_request_is_paused(request)) return STRATA_HTTP_NEVER;
  if (silence == STRATA_HTTP_NEVER || !con->common.timeouts.min_body_rate) return silence;
  if (!request->body_start_ns) request->body_start_ns = now;
  allowed = duration_at(request->pub.body_size, con->common.timeouts.min_body_rate);
  allowed =
      strata_ns_add(strata_ns_add(request->body_start_ns, con->common.timeouts.read_ns), allowed);
  return strata_http_earlier(silence, allowed);
}

int64_t strata_http_server_linger_silence(const struct strata_http_server_connection *con) {
  const int64_t usual = (int64_t)STRATA_HTTP_LINGER_SILENCE_S * STRATA_NS_PER_SECOND;
  return strata_http_earlier(usual, con->common.timeouts.read_ns);
}

int strata_http_server_body_is_behind(const struct strata_http_server_connection *con,
                                      int64_t now) {
  const struct strata_http_request *request = con->request;
  uint32_t rate = con->common.timeouts.min_body_rate;
  int64_t allowed;
  if (!rate || !request || !request->body_start_ns || strata_http_request_is_paused(request))
    return 0;
  allowed = duration_at((uint64_t)request->pub.body_size + MAX_BEHIND_LEN, rate);
  return now - request->body_start_ns > strata_ns_add(STRATA_NS_PER_SECOND, allowed);
}

static int64_t reading_deadline(struct strata_http_server_connection *con, int64_t now) {
  switch (con->state) {
    case STRATA_HTTP_HEAD:
      /* Nothing is read from a peer that has sent too much: it waits for us. */
      return con->common.reading ? head_deadline(con, now) : STRATA_HTTP_NEVER;
    case STRATA_HTTP_BODY:
      return body_deadline(con, now);
    case STRATA_HTTP_LINGER:
      return strata_http_earlier(con->linger_end_ns, now + strata_http_server_linger_silence(con));
    case STRATA_HTTP_HANDLER:
    case STRATA_HTTP_FLUSH:
      break;
  }
  return STRATA_HTTP_NEVER;
}

int64_t strata_http_server_deadline(struct evhttp_connection *evcon, int64_t now) {
  struct strata_http_server_connection *con = strata_http_server_connection_of(evcon);
  return strata_http_earlier(reading_deadline(con, now),
                             strata_http_reply_progress_deadline(con, now));
}

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "http/connection.h"
#include "loop/base_clock.h"
#include "util/clock.h"

/* Loops may fire a timer a little early by our clock. */
enum { SLACK_NS = 5 * 1000 * 1000 };

void strata_http_deadline_init(struct evhttp_connection *evcon, event_callback_fn timer,
                               event_callback_fn resume) {
  event_assign(&evcon->timer, evcon->base, -1, 0, timer, evcon);
  event_assign(&evcon->resume, evcon->base, -1, 0, resume, evcon);
  evcon->timer_ns = STRATA_HTTP_NEVER;
  evcon->deadline_ns = STRATA_HTTP_NEVER;
}

void strata_http_deadline_stop(struct evhttp_connection *evcon) {
  event_del(&evcon->timer);
  event_del(&evcon->resume);
  event_debug_unassign(&evcon->timer);
  event_debug_unassign(&evcon->resume);
}

static int64_t earlier(int64_t one_ns, int64_t other_ns) {
  return one_ns < other_ns ? one_ns : other_ns;
}

static int has_output(const struct evhttp_connection *evcon) {
  return evbuffer_get_length(bufferevent_get_output(evcon->bufev)) > 0;
}

/* A peer that has replies to take may well be silent: then the write timeout watches. */
static int64_t silence_deadline(const struct evhttp_connection *evcon, int64_t now) {
  return has_output(evcon) ? STRATA_HTTP_NEVER : strata_ns_add(now, evcon->timeouts.read_ns);
}

static int64_t head_deadline(struct evhttp_connection *evcon, int64_t now) {
  struct strata_http_request *request = evcon->request;
  int64_t silence = silence_deadline(evcon, now);
  if (!request || !evhttp_head_parser_begun(&request->parser)) return silence;
  if (!request->head_deadline_ns)
    request->head_deadline_ns = strata_ns_add(now, evcon->timeouts.head_ns);
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
static int64_t body_deadline(struct evhttp_connection *evcon, int64_t now) {
  struct strata_http_request *request = evcon->request;
  int64_t silence = silence_deadline(evcon, now), allowed;
  if (silence == STRATA_HTTP_NEVER || !evcon->timeouts.min_body_rate) return silence;
  if (!request->body_start_ns) request->body_start_ns = now;
  allowed = duration_at(request->pub.body_size, evcon->timeouts.min_body_rate);
  allowed = strata_ns_add(strata_ns_add(request->body_start_ns, evcon->timeouts.read_ns), allowed);
  return earlier(silence, allowed);
}

static int64_t state_deadline(struct evhttp_connection *evcon, int64_t now) {
  switch (evcon->state) {
    case STRATA_HTTP_HEAD:
      /* Nothing is read from a peer that has sent too much: it waits for us. */
      return evcon->reading ? head_deadline(evcon, now) : STRATA_HTTP_NEVER;
    case STRATA_HTTP_BODY:
      return body_deadline(evcon, now);
    case STRATA_HTTP_LINGER:
      return evcon->deadline_ns;
    case STRATA_HTTP_HANDLER:
    case STRATA_HTTP_FLUSH:
      break;
  }
  return STRATA_HTTP_NEVER;
}

static int timer_arm(struct evhttp_connection *evcon, int64_t now) {
  int64_t delay = evcon->deadline_ns > now ? evcon->deadline_ns - now : 0;
  struct timeval tv = strata_ns_to_timeval(delay);
  if (event_add(&evcon->timer, &tv) < 0) return -1;
  evcon->timer_ns = evcon->deadline_ns;
  return 0;
}

int strata_http_deadline_update(struct evhttp_connection *evcon) {
  int64_t now = event_base_loop_time_ns(evcon->base);
  evcon->deadline_ns = state_deadline(evcon, now);
  /* A deadline that moves away costs nothing: the timer finds out when it fires. */
  if (evcon->timer_ns <= evcon->deadline_ns) return 0;
  return timer_arm(evcon, now);
}

int strata_http_deadline_passed(struct evhttp_connection *evcon) {
  int64_t now = event_base_loop_time_ns(evcon->base);
  evcon->timer_ns = STRATA_HTTP_NEVER;
  if (evcon->deadline_ns == STRATA_HTTP_NEVER) return 0;
  return evcon->deadline_ns <= strata_ns_add(now, SLACK_NS);
}

int strata_http_deadline_rearm(struct evhttp_connection *evcon) {
  if (evcon->deadline_ns == STRATA_HTTP_NEVER) return 0;
  return timer_arm(evcon, event_base_loop_time_ns(evcon->base));
}

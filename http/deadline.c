#include <event2/buffer.h>
#include <event2/event.h>

#include "http/connection.h"
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

static int64_t head_deadline(struct evhttp_connection *evcon, int64_t now) {
  struct strata_http_request *request = evcon->request;
  int64_t silence = strata_ns_add(now, evcon->timeouts.read_ns);
  if (!request || !evhttp_head_parser_begun(&request->parser)) return silence;
  if (!request->head_deadline_ns)
    request->head_deadline_ns = strata_ns_add(now, evcon->timeouts.head_ns);
  return request->head_deadline_ns < silence ? request->head_deadline_ns : silence;
}

static int64_t state_deadline(struct evhttp_connection *evcon, int64_t now) {
  switch (evcon->state) {
    case STRATA_HTTP_HEAD:
      /* While nothing is read, the write timeout watches. */
      return evcon->reading ? head_deadline(evcon, now) : STRATA_HTTP_NEVER;
    case STRATA_HTTP_BODY:
      return strata_ns_add(now, evcon->timeouts.read_ns);
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
  int64_t now = strata_monotonic_ns();
  evcon->deadline_ns = state_deadline(evcon, now);
  /* A deadline that moves away costs nothing: the timer finds out when it fires. */
  if (evcon->timer_ns <= evcon->deadline_ns) return 0;
  return timer_arm(evcon, now);
}

int strata_http_deadline_passed(struct evhttp_connection *evcon) {
  int64_t now = strata_monotonic_ns();
  evcon->timer_ns = STRATA_HTTP_NEVER;
  if (evcon->deadline_ns == STRATA_HTTP_NEVER) return 0;
  return evcon->deadline_ns <= strata_ns_add(now, SLACK_NS);
}

int strata_http_deadline_rearm(struct evhttp_connection *evcon) {
  if (evcon->deadline_ns == STRATA_HTTP_NEVER) return 0;
  return timer_arm(evcon, strata_monotonic_ns());
}

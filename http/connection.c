#include "http/connection.h"

#include <event2/event.h>

#include "loop/base_clock.h"
#include "loop/current_base.h"
#include "util/clock.h"
#include "util/memory.h"

/* Loops may fire a timer a little early by our clock. */
enum { SLACK_NS = 5 * 1000 * 1000 };

/* ---- Driving ---- */

void strata_http_connection_run(struct evhttp_connection *evcon) {
  evcon->again = 1;
  while (evcon->again && !evcon->dead) {
    evcon->again = 0;
    evcon->kind->run(evcon);
  }
}

void strata_http_connection_drive(struct evhttp_connection *evcon) {
  if (evcon->dead) return;
  evcon->again = 1;
  /* A user callback runs the loop within the loop: its return comes back to run(). */
  if (evcon->depth > 0) return;
  strata_http_connection_enter(evcon);
  strata_http_connection_run(evcon);
  strata_http_connection_leave(evcon);
}

void strata_http_connection_defer(struct evhttp_connection *evcon) {
  if (evcon->resuming || !evcon->base) return;
  evcon->resuming = 1;
  event_active(&evcon->resume, EV_TIMEOUT, 0);
}

void strata_http_connection_resume(struct evhttp_connection *evcon) {
  evcon->again = 1;
  if (evcon->depth == 0) strata_http_connection_defer(evcon);
}

int strata_http_connection_set_reading(struct evhttp_connection *evcon, unsigned want) {
  if (want == evcon->reading) return 0;
  evcon->reading = want ? 1 : 0;
  return want ? bufferevent_enable(evcon->bufev, EV_READ)
              : bufferevent_disable(evcon->bufev, EV_READ);
}

/* ---- The deadline ---- */

static int timer_arm(struct evhttp_connection *evcon, int64_t now) {
  int64_t delay = evcon->deadline_ns > now ? evcon->deadline_ns - now : 0;
  struct timeval tv = strata_ns_to_timeval(delay);
  if (event_add(&evcon->timer, &tv) < 0) return -1;
  evcon->timer_ns = evcon->deadline_ns;
  return 0;
}

int strata_http_connection_update_deadline(struct evhttp_connection *evcon) {
  int64_t now = event_base_loop_time_ns(evcon->base);
  evcon->deadline_ns = evcon->kind->deadline(evcon, now);
  /* A deadline that moves away costs nothing: the timer finds out when it fires. */
  if (evcon->timer_ns <= evcon->deadline_ns) return 0;
  return timer_arm(evcon, now);
}

int64_t strata_http_connection_head_deadline(const struct evhttp_connection *evcon,
                                             struct strata_http_request *request, int64_t now_ns) {
  if (!request->head_deadline_ns)
    request->head_deadline_ns = strata_ns_add(now_ns, evcon->timeouts.head_ns);
  return request->head_deadline_ns;
}

static void timer_fired(struct evhttp_connection *evcon) {
  int64_t now = event_base_loop_time_ns(evcon->base);
  evcon->timer_ns = STRATA_HTTP_NEVER;
  if (evcon->deadline_ns == STRATA_HTTP_NEVER) return;
  if (evcon->deadline_ns > strata_ns_add(now, SLACK_NS)) {
    if (timer_arm(evcon, now) < 0) evcon->kind->on_no_memory(evcon);
    return;
  }
  /* Below a user's callback, which runs the loop within the loop. */
  if (evcon->depth > 0) return;
  strata_http_connection_enter(evcon);
  evcon->kind->on_deadline(evcon);
  strata_http_connection_run(evcon);
  strata_http_connection_leave(evcon);
}

/* ---- What happens to it ---- */

static void on_progress(struct bufferevent *bufev, void *arg) {
  struct evhttp_connection *evcon = arg;
  (void)bufev;
  evcon->progressed = 1;
  strata_http_connection_drive(evcon);
}

static void on_event(struct bufferevent *bufev, short what, void *arg) {
  struct evhttp_connection *evcon = arg;
  (void)bufev;
  evcon->kind->on_event(evcon, what);
}

static void on_resume(evutil_socket_t fd, short what, void *arg) {
  struct evhttp_connection *evcon = arg;
  (void)fd;
  (void)what;
  evcon->resuming = 0;
  strata_http_connection_drive(evcon);
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)what;
  timer_fired(arg);
}

/* ---- The beginning and the end ---- */

void strata_http_connection_init(struct evhttp_connection *evcon,
                                 const struct strata_http_connection_kind *kind,
                                 struct event_base *base, struct bufferevent *bufev) {
  evcon->kind = kind;
  evcon->bufev = bufev;
  evcon->open = 1;
  evcon->timer_ns = evcon->deadline_ns = STRATA_HTTP_NEVER;
  if (base) strata_http_connection_set_base(evcon, base);
}

static void forget_events(struct evhttp_connection *evcon) {
  if (!evcon->base) return;
  event_del(&evcon->timer);
  event_del(&evcon->resume);
  event_debug_unassign(&evcon->timer);
  event_debug_unassign(&evcon->resume);
}

void strata_http_connection_set_base(struct evhttp_connection *evcon, struct event_base *base) {
  forget_events(evcon);
  evcon->base = base;
  evcon->resuming = 0;
  evcon->timer_ns = STRATA_HTTP_NEVER;
  event_assign(&evcon->timer, base, -1, 0, on_timer, evcon);
  event_assign(&evcon->resume, base, -1, 0, on_resume, evcon);
}

struct event_base *strata_http_connection_default_base(void) {
  return event_current_base;
}

void strata_http_connection_listen(struct evhttp_connection *evcon) {
  bufferevent_setcb(evcon->bufev, on_progress, on_progress, on_event, evcon);
}

int strata_http_connection_attach(struct evhttp_connection *evcon) {
  struct timeval write_tv = strata_ns_to_timeval(evcon->timeouts.write_ns);
  strata_http_connection_listen(evcon);
  return bufferevent_set_timeouts(evcon->bufev, NULL, &write_tv);
}

void strata_http_connection_leave(struct evhttp_connection *evcon) {
  if (--evcon->depth == 0 && evcon->dead) strata_free(evcon);
}

void strata_http_connection_clear(struct evhttp_connection *evcon) {
  forget_events(evcon);
  evcon->kind->clear(evcon);
  if (evcon->bufev) bufferevent_free(evcon->bufev);
  evcon->bufev = NULL;
  strata_free(evcon->addr);
  evcon->addr = NULL;
}

void evhttp_connection_free(struct evhttp_connection *evcon) {
  if (evcon->dead) return;
  evcon->dead = 1;
  strata_http_connection_enter(evcon);
  if (evcon->open && evcon->closecb) evcon->closecb(evcon, evcon->closecb_arg);
  strata_http_connection_clear(evcon);
  strata_http_connection_leave(evcon);
}

struct bufferevent *strata_http_connection_take_bufferevent(struct evhttp_connection *evcon) {
  struct bufferevent *bufev = evcon->bufev;
  bufferevent_setcb(bufev, NULL, NULL, NULL, NULL);
  bufferevent_set_timeouts(bufev, NULL, NULL);
  evcon->bufev = NULL;
  evhttp_connection_free(evcon);
  return bufev;
}

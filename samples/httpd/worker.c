#include "samples/httpd/worker.h"

#include <stddef.h>

#include <event2/bufferevent.h>
#include <event2/http.h>

#include "samples/httpd/access_log.h"
#include "samples/httpd/counters.h"
#include "samples/httpd/transfers.h"

/* What a client may make the server hold or wait for. */
enum {
  kMaxHeadersLen = 16 * 1024,
  kMaxBodyLen = 64 * 1024, /* no request needs one */
  kTimeoutSeconds = 30,
};

/* libevent does not tell. */
static uint64_t num_open(struct worker *worker) {
#ifdef STRATA_ORACLE
  (void)worker;
  return 0;
#else
  return (uint64_t)evhttp_get_connection_count(worker->http);
#endif
}

static struct bufferevent *on_connection(struct event_base *base, void *arg) {
  struct worker *worker = arg;
  counter_add(&worker->counters->accepted, 1);
  counter_set(&worker->counters->open, num_open(worker) + 1);
  return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static void on_tick(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  struct worker *worker = arg;
  counter_set(&worker->counters->open, num_open(worker));
}

static int start_counting(struct worker *worker) {
  static const struct timeval kPeriod = {1, 0};
  evhttp_set_bevcb(worker->http, on_connection, worker);
  worker->tick = event_new(worker->base, -1, EV_PERSIST, on_tick, worker);
  return worker->tick != NULL && event_add(worker->tick, &kPeriod) == 0 ? 0 : -1;
}

static void configure(struct worker *worker) {
  struct evhttp *http = worker->http;
  evhttp_set_max_headers_size(http, kMaxHeadersLen);
  evhttp_set_max_body_size(http, kMaxBodyLen);
  evhttp_set_timeout(http, kTimeoutSeconds);
  /* All of them, so that it is this program that refuses, and says what it allows. */
  evhttp_set_allowed_methods(http, 0xffff);
  evhttp_set_gencb(http, site_answer, &worker->site);
}

int worker_init(struct worker *worker, FILE *log, struct counters *counters) {
  worker->counters = counters;
  if (log != NULL && (worker->log = access_log_new(worker->base, log)) == NULL) return -1;
  worker->site.transfers = transfers_new(worker->log, counters);
  if (worker->site.transfers == NULL) return -1;
  configure(worker);
  return counters == NULL ? 0 : start_counting(worker);
}

/* Transfers may become none several times, when an open connection goes on asking. */
static void on_no_transfers(void *arg) {
  struct worker *worker = arg;
  void (*on_drained)(void *) = worker->on_drained;
  worker->on_drained = NULL;
  if (on_drained != NULL) on_drained(worker->on_drained_arg);
}

static void begin_to_drain(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  struct worker *worker = arg;
  transfers_drain(worker->site.transfers, on_no_transfers, worker);
}

void worker_drain(struct worker *worker, void (*on_drained)(void *), void *arg) {
  worker->on_drained = on_drained;
  worker->on_drained_arg = arg;
  event_base_once(worker->base, -1, EV_TIMEOUT, begin_to_drain, worker, NULL);
}

void worker_detach(struct worker *worker) {
  worker->on_drained = NULL;
  access_log_detach(worker->log);
  if (worker->tick != NULL) event_free(worker->tick);
  worker->tick = NULL;
}

void worker_clear(struct worker *worker) {
  transfers_free(worker->site.transfers);
  access_log_free(worker->log);
}

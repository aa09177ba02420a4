#include "samples/httpd/transfers.h"

#include <stddef.h>
#include <stdlib.h>

#include <event2/http.h>
#include <event2/util.h>

#include "samples/httpd/access_log.h"
#include "samples/httpd/counters.h"

struct transfer {
  struct transfers *owner;
  struct transfer *next;
  struct transfer **link; /* what points here */
  struct evhttp_connection *connection;
  struct access_line *line;
  int status;
  int64_t body_len;
  struct timeval begun; /* by the monotonic clock; only with counters */
  void (*on_end)(void *);
  void *on_end_arg;
};

struct transfers {
  struct transfer *first;
  struct access_log *log;
  struct counters *counters;
  struct evutil_monotonic_timer *clock; /* with counters */
  void (*on_empty)(void *);             /* set once draining */
  void *on_empty_arg;
};

struct transfers *transfers_new(struct access_log *log, struct counters *counters) {
  struct transfers *transfers = calloc(1, sizeof(*transfers));
  if (transfers == NULL) return NULL;
  transfers->log = log;
  transfers->counters = counters;
  if (counters == NULL) return transfers;
  transfers->clock = evutil_monotonic_timer_new();
  if (transfers->clock != NULL && evutil_configure_monotonic_time(transfers->clock, 0) == 0)
    return transfers;
  transfers_free(transfers);
  return NULL;
}

static void count(const struct transfer *transfer, bool sent) {
  struct transfers *owner = transfer->owner;
  struct timeval now = transfer->begun, spent;
  evutil_gettime_monotonic(owner->clock, &now);
  evutil_timersub(&now, &transfer->begun, &spent);
  counters_add_reply(owner->counters, transfer->status, sent ? transfer->body_len : -1,
                     (int64_t)spent.tv_sec * 1000000 + spent.tv_usec);
}

static void finish(struct transfer *transfer, bool sent) {
  struct transfers *owner = transfer->owner;
  *transfer->link = transfer->next;
  if (transfer->next != NULL) transfer->next->link = transfer->link;
  access_line_write(transfer->line, transfer->status, sent ? transfer->body_len : -1);
  if (owner->counters != NULL) count(transfer, sent);
  if (transfer->on_end != NULL) transfer->on_end(transfer->on_end_arg);
  free(transfer);
  if (owner->first == NULL && owner->on_empty != NULL) owner->on_empty(owner->on_empty_arg);
}

void transfers_free(struct transfers *transfers) {
  if (transfers == NULL) return;
  transfers->on_empty = NULL;
  while (transfers->first != NULL) finish(transfers->first, false);
  if (transfers->clock != NULL) evutil_monotonic_timer_free(transfers->clock);
  free(transfers);
}

static void on_complete(struct evhttp_request *req, void *arg) {
  (void)req;
  finish(arg, true);
}

/* The list is as long as the replies under way, idle connections are not in it: a walk will do. */
static void on_connection_closed(struct evhttp_connection *connection, void *arg) {
  struct transfers *transfers = arg;
  struct transfer *next;
  for (struct transfer *transfer = transfers->first; transfer != NULL; transfer = next) {
    next = transfer->next;
    if (transfer->connection == connection) finish(transfer, false);
  }
}

struct transfer *transfers_begin(struct transfers *transfers, struct evhttp_request *req,
                                 int status, int64_t body_len) {
  struct transfer *transfer = calloc(1, sizeof(*transfer));
  if (transfer == NULL) return NULL;
  transfer->owner = transfers;
  transfer->connection = evhttp_request_get_connection(req);
  transfer->line = access_line_new(transfers->log, req);
  transfer->status = status;
  transfer->body_len = body_len;
  if (transfers->clock != NULL) evutil_gettime_monotonic(transfers->clock, &transfer->begun);
  transfer->next = transfers->first;
  transfer->link = &transfers->first;
  if (transfer->next != NULL) transfer->next->link = &transfer->next;
  transfers->first = transfer;
  evhttp_request_set_on_complete_cb(req, on_complete, transfer);
  evhttp_connection_set_closecb(transfer->connection, on_connection_closed, transfers);
  return transfer;
}

void transfer_set_end_cb(struct transfer *transfer, void (*on_end)(void *), void *arg) {
  transfer->on_end = on_end;
  transfer->on_end_arg = arg;
}

void transfer_add(struct transfer *transfer, int64_t body_len) {
  transfer->body_len += body_len;
}

void transfers_drain(struct transfers *transfers, void (*on_empty)(void *), void *arg) {
  transfers->on_empty = on_empty;
  transfers->on_empty_arg = arg;
  if (transfers->first == NULL) on_empty(arg);
}

bool transfers_draining(const struct transfers *transfers) {
  return transfers->on_empty != NULL;
}

#include "samples/httpd/transfers.h"

#include <stddef.h>
#include <stdlib.h>

#include <event2/http.h>

#include "samples/httpd/access_log.h"

struct transfer {
  struct transfers *owner;
  struct transfer *next;
  struct transfer **link; /* what points here */
  struct evhttp_connection *connection;
  struct access_line *line;
  int status;
  int64_t body_len;
};

struct transfers {
  struct transfer *first;
  struct access_log *log;
  void (*on_empty)(void *); /* set once draining */
  void *on_empty_arg;
};

struct transfers *transfers_new(struct access_log *log) {
  struct transfers *transfers = calloc(1, sizeof(*transfers));
  if (transfers != NULL) transfers->log = log;
  return transfers;
}

static void finish(struct transfer *transfer, bool sent) {
  struct transfers *owner = transfer->owner;
  *transfer->link = transfer->next;
  if (transfer->next != NULL) transfer->next->link = transfer->link;
  access_line_write(transfer->line, transfer->status, sent ? transfer->body_len : -1);
  free(transfer);
  if (owner->first == NULL && owner->on_empty != NULL) owner->on_empty(owner->on_empty_arg);
}

void transfers_free(struct transfers *transfers) {
  if (transfers == NULL) return;
  transfers->on_empty = NULL;
  while (transfers->first != NULL) finish(transfers->first, false);
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

int transfers_begin(struct transfers *transfers, struct evhttp_request *req, int status,
                    int64_t body_len) {
  struct transfer *transfer = calloc(1, sizeof(*transfer));
  if (transfer == NULL) return -1;
  transfer->owner = transfers;
  transfer->connection = evhttp_request_get_connection(req);
  transfer->line = access_line_new(transfers->log, req);
  transfer->status = status;
  transfer->body_len = body_len;
  transfer->next = transfers->first;
  transfer->link = &transfers->first;
  if (transfer->next != NULL) transfer->next->link = &transfer->next;
  transfers->first = transfer;
  evhttp_request_set_on_complete_cb(req, on_complete, transfer);
  evhttp_connection_set_closecb(transfer->connection, on_connection_closed, transfers);
  return 0;
}

void transfers_drain(struct transfers *transfers, void (*on_empty)(void *), void *arg) {
  transfers->on_empty = on_empty;
  transfers->on_empty_arg = arg;
  if (transfers->first == NULL) on_empty(arg);
}

bool transfers_draining(const struct transfers *transfers) {
  return transfers->on_empty != NULL;
}

#ifndef SAMPLES_HTTPD_TRANSFERS_H_
#define SAMPLES_HTTPD_TRANSFERS_H_

#include <stdbool.h>
#include <stdint.h>

struct access_log;
struct counters;
struct evhttp_request;

/*
 * The replies that are under way. Each is entered in the access log when it ends: sent in full, or
 * cut short because its connection closed. A server that wants to stop waits here for the last one.
 */
struct transfers;

/* One reply under way. */
struct transfer;

/* `log` and `counters` may be NULL and must outlive the transfers. Returns NULL when memory ran
 * out. */
struct transfers *transfers_new(struct access_log *log, struct counters *counters);

/* To be called when no connection is left, after evhttp_free(). NULL is allowed. */
void transfers_free(struct transfers *transfers);

/*
 * Says that the reply to `req` is about to be sent; takes the request's on_complete callback and
 * its connection's close callback for itself. The transfer ends by itself. Returns NULL when memory
 * ran out.
 */
struct transfer *transfers_begin(struct transfers *transfers, struct evhttp_request *req,
                                 int status, int64_t body_len);

/* Calls `on_end` when the transfer ends, however it does. */
void transfer_set_end_cb(struct transfer *transfer, void (*on_end)(void *), void *arg);

/* Says that the body is longer by that much than was said before. */
void transfer_add(struct transfer *transfer, int64_t body_len);

/*
 * Calls `on_empty` as soon as nothing is under way, possibly at once. From now on every reply asks
 * for its connection to be closed.
 */
void transfers_drain(struct transfers *transfers, void (*on_empty)(void *), void *arg);

/* Whether transfers_drain() was called. */
bool transfers_draining(const struct transfers *transfers);

#endif

#ifndef SAMPLES_HTTPD_TRANSFERS_H_
#define SAMPLES_HTTPD_TRANSFERS_H_

#include <stdbool.h>
#include <stdint.h>

struct access_log;
struct evhttp_request;

/*
 * The replies that are under way. Each is entered in the access log when it ends: sent in full, or
 * cut short because its connection closed. A server that wants to stop waits here for the last one.
 */
struct transfers;

/* `log` may be NULL and must outlive the transfers. Returns NULL when memory ran out. */
struct transfers *transfers_new(struct access_log *log);

/* To be called when no connection is left, after evhttp_free(). NULL is allowed. */
void transfers_free(struct transfers *transfers);

/*
 * Says that the reply to `req` is about to be sent; takes the request's on_complete callback and
 * its connection's close callback for itself. Returns 0, or -1 when memory ran out.
 */
int transfers_begin(struct transfers *transfers, struct evhttp_request *req, int status,
                    int64_t body_len);

/*
 * Calls `on_empty` as soon as nothing is under way, possibly at once. From now on every reply asks
 * for its connection to be closed.
 */
void transfers_drain(struct transfers *transfers, void (*on_empty)(void *), void *arg);

/* Whether transfers_drain() was called. */
bool transfers_draining(const struct transfers *transfers);

#endif

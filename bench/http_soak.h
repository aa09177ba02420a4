#ifndef STRATA_BENCH_HTTP_SOAK_H_
#define STRATA_BENCH_HTTP_SOAK_H_

/* The bodies that bench/http_soak_server and bench/http_soak_client exchange: a pattern of any
 * length, from one who gives it as there is room to one who takes it no faster than told. */

#include <event2/event.h>
#include <event2/http.h>

/* Takes one body at a time. */
struct soak_taker {
  struct evhttp_request *req;
  struct event *timer;
  ev_uint64_t right, taken; /* bytes; `right` are as they should be */
  ev_uint64_t rate;         /* bytes a second that it takes on the average, at most; 0: any */
  struct timeval started;
};

/* Returns -1 when out of memory. */
int soak_taker_init(struct soak_taker *taker, struct event_base *base, ev_uint64_t rate);
/* A new body begins. */
void soak_taker_start(struct soak_taker *taker);
/* To be called from the request's chunked callback. Pauses the body now and then: for a millisecond
 * at least, and as long as it has come too fast. */
void soak_take(struct soak_taker *taker, struct evhttp_request *req);
/* The request is about to go, complete or not. */
void soak_taker_end(struct soak_taker *taker);
void soak_taker_clear(struct soak_taker *taker);

struct soak_giver {
  ev_uint64_t given, len;
};

/* An evhttp_body_cb; `giver` is a struct soak_giver, still the caller's when it is told of the end.
 */
int soak_give(struct evhttp_request *req, struct evbuffer *out, size_t room, void *giver);

#endif

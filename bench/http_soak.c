#include "bench/http_soak.h"

#include <string.h>

#include <event2/buffer.h>
#include <event2/util.h>

enum { PERIOD = 1000003, PAUSE_EVERY = 1 << 20 };

/* Twice the pattern's period, so that a period from any offset is in one piece. */
static const unsigned char *pattern(void) {
  static unsigned char bytes[PERIOD * 2];
  static int is_made;
  unsigned i;
  for (i = 0; !is_made && i < sizeof(bytes); i++) {
    unsigned at = i % PERIOD;
    bytes[i] = (unsigned char)(at * 31 + (at >> 8) * 7 + (at >> 16));
  }
  is_made = 1;
  return bytes;
}

/* ---- Taking ---- */

static void resume(evutil_socket_t fd, short what, void *arg) {
  struct soak_taker *taker = arg;
  (void)fd;
  (void)what;
  evhttp_request_resume_body(taker->req);
}

int soak_taker_init(struct soak_taker *taker, struct event_base *base, ev_uint64_t rate) {
  memset(taker, 0, sizeof(*taker));
  taker->rate = rate;
  taker->timer = evtimer_new(base, resume, taker);
  return taker->timer ? 0 : -1;
}

void soak_taker_start(struct soak_taker *taker) {
  taker->right = taker->taken = 0;
  evutil_gettimeofday(&taker->started, NULL);
}

/* How long what has come should still have taken. */
static ev_int64_t ahead_us(const struct soak_taker *taker) {
  struct timeval now, passed;
  if (!taker->rate) return 0;
  evutil_gettimeofday(&now, NULL);
  evutil_timersub(&now, &taker->started, &passed);
  return (ev_int64_t)((double)taker->taken * 1e6 / (double)taker->rate) -
         (ev_int64_t)passed.tv_sec * 1000000 - passed.tv_usec;
}

static void pause_body(struct soak_taker *taker, struct evhttp_request *req) {
  struct timeval wait;
  ev_int64_t us = ahead_us(taker);
  if (us < 1000) us = 1000;
  wait.tv_sec = us / 1000000;
  wait.tv_usec = us % 1000000;
  taker->req = req;
  evhttp_request_pause_body(req);
  evtimer_add(taker->timer, &wait);
}

void soak_take(struct soak_taker *taker, struct evhttp_request *req) {
  struct evbuffer *body = evhttp_request_get_input_buffer(req);
  struct evbuffer_iovec bytes;
  ev_uint64_t before = taker->taken / PAUSE_EVERY;
  while (evbuffer_peek(body, -1, NULL, &bytes, 1) > 0) {
    size_t len = bytes.iov_len < PERIOD ? bytes.iov_len : PERIOD;
    if (memcmp(bytes.iov_base, pattern() + taker->taken % PERIOD, len) == 0) taker->right += len;
    taker->taken += len;
    evbuffer_drain(body, len);
  }
  if (taker->taken / PAUSE_EVERY != before) pause_body(taker, req);
}

void soak_taker_end(struct soak_taker *taker) {
  evtimer_del(taker->timer);
}

void soak_taker_clear(struct soak_taker *taker) {
  event_free(taker->timer);
}

/* ---- Giving ---- */

int soak_give(struct evhttp_request *req, struct evbuffer *out, size_t room, void *arg) {
  struct soak_giver *giver = arg;
  ev_uint64_t left = giver->len - giver->given;
  (void)req;
  if (!out) return EVHTTP_BODY_LAST;
  if (room > left) room = (size_t)left;
  if (room > PERIOD) room = PERIOD;
  if (evbuffer_add(out, pattern() + giver->given % PERIOD, room) < 0) return EVHTTP_BODY_ABORT;
  giver->given += room;
  return giver->given < giver->len ? EVHTTP_BODY_MORE : EVHTTP_BODY_LAST;
}

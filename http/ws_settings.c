#include <event2/ws.h>

#include "http/ws_session.h"
#include "loop/base_clock.h"
#include "util/clock.h"

/* Sizes stay far from where sums of them overflow. */
static uint64_t limit(size_t max_len) {
  return max_len && max_len < SIZE_MAX / 4 ? max_len : SIZE_MAX / 4;
}

void evws_connection_set_max_message_size(struct evws_connection *evws, size_t max_len) {
  evws->reader.max_message_len = limit(max_len);
}

void evws_connection_set_max_frame_size(struct evws_connection *evws, size_t max_len) {
  evws->reader.max_frame_len = limit(max_len);
}

void evws_connection_set_output_mark(struct evws_connection *evws, size_t mark_len) {
  evws->output_mark = mark_len;
  if (evws->held) strata_ws_defer(evws);
}

int evws_connection_set_ping_interval(struct evws_connection *evws, const struct timeval *tv) {
  evws->ping_ns =
      tv ? strata_timeval_to_ns(tv) : (int64_t)STRATA_WS_DEFAULT_PING_S * STRATA_NS_PER_SECOND;
  if (evws->ping_ns < 0) evws->ping_ns = 0;
  if (evws->state != STRATA_WS_OPEN || !evws->bufev || evws->dead) return 0;
  if (evws->broken) return -1; /* it ends anyway */
  evws->pinged = 0;
  evws->received = 1;
  strata_ws_set_timer(evws, evws->ping_ns);
  if (!evws->broken) return 0;
  /* Without its timer it goes on without pings. */
  evws->broken = 0;
  evws->ping_ns = 0;
  return -1;
}

void evws_connection_set_close_timeout(struct evws_connection *evws, const struct timeval *tv) {
  evws->close_ns =
      tv ? strata_timeval_to_ns(tv) : (int64_t)STRATA_WS_DEFAULT_CLOSE_S * STRATA_NS_PER_SECOND;
  /* Zero would mean never. */
  if (evws->close_ns <= 0) evws->close_ns = 1;
}

int evws_connection_set_write_timeout(struct evws_connection *evws, const struct timeval *tv) {
  const struct timeval standard = {STRATA_WS_DEFAULT_WRITE_S, 0};
  struct timeval write_tv = tv ? *tv : standard;
  int is_never = !write_tv.tv_sec && !write_tv.tv_usec;
  if (evws->bufev && bufferevent_set_timeouts(evws->bufev, NULL, is_never ? NULL : &write_tv) < 0)
    return -1;
  evws->write_tv = write_tv;
  return 0;
}

void evws_connection_pause_reading(struct evws_connection *evws) {
  evws->paused = 1;
}

void evws_connection_resume_reading(struct evws_connection *evws) {
  evws->paused = 0;
  strata_ws_defer(evws);
}

void evws_connection_set_closecb(struct evws_connection *evws, ws_on_close_cb cb, void *arg) {
  evws->closecb = cb;
  evws->closecb_arg = arg;
}

void evws_connection_set_pongcb(struct evws_connection *evws, evws_pong_cb cb, void *arg) {
  evws->pongcb = cb;
  evws->pongcb_arg = arg;
}

void evws_connection_set_drainedcb(struct evws_connection *evws, evws_event_cb cb, void *arg) {
  evws->drainedcb = cb;
  evws->drainedcb_arg = arg;
}

ev_uint16_t evws_connection_get_close_code(const struct evws_connection *evws) {
  return evws->close_code;
}

const char *evws_connection_get_close_reason(const struct evws_connection *evws) {
  return evws->close_reason;
}

ev_uint16_t evws_connection_get_sent_close_code(const struct evws_connection *evws) {
  return evws->sent_close_code;
}

const char *evws_connection_get_subprotocol(const struct evws_connection *evws) {
  return evws->subprotocol;
}

struct bufferevent *evws_connection_get_bufferevent(struct evws_connection *evws) {
  return evws->bufev;
}

int evws_client_get_response_code(const struct evws_connection *evws) {
  return evws->response_code;
}

#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "http/transport.h"
#include "http/ws_session.h"
#include "util/clock.h"
#include "util/memory.h"

static struct evbuffer *input_of(const struct evws_connection *evws) {
  return bufferevent_get_input(evws->bufev);
}

/* ---- The end ---- */

void strata_ws_hold(struct evws_connection *evws) {
  evws->depth++;
}

void strata_ws_release(struct evws_connection *evws) {
  if (--evws->depth || !evws->dead) return;
  strata_free(evws->message);
  strata_free(evws);
}

static void clear(struct evws_connection *evws) {
  event_del(&evws->timer);
  event_del(&evws->resume);
  event_debug_unassign(&evws->timer);
  event_debug_unassign(&evws->resume);
  if (evws->endcb) evws->endcb(evws->endcb_arg);
  if (evws->bufev) bufferevent_free(evws->bufev);
  evws->bufev = NULL;
  if (evws->client) strata_ws_client_free(evws->client);
  evws->client = NULL;
  strata_free(evws->subprotocol);
  if (evws->remote_frames) evbuffer_free(evws->remote_frames);
  if (evws->taken_frames) evbuffer_free(evws->taken_frames);
  strata_lock_destroy(&evws->lock, 0);
}

void strata_ws_discard(struct evws_connection *evws) {
  evws->endcb = NULL;
  evws->dead = 1;
  strata_ws_hold(evws);
  clear(evws);
  strata_ws_release(evws);
}

void evws_connection_free(struct evws_connection *evws) {
  if (evws->dead) return;
  evws->dead = 1;
  strata_ws_hold(evws);
  if (evws->closecb) evws->closecb(evws, evws->closecb_arg);
  clear(evws);
  strata_ws_release(evws);
}

/* ---- States and deadlines ---- */

void strata_ws_set_timer(struct evws_connection *evws, int64_t duration_ns) {
  struct timeval tv = strata_ns_to_timeval(duration_ns);
  if (!duration_ns)
    event_del(&evws->timer);
  else if (event_add(&evws->timer, &tv) < 0)
    evws->broken = 1;
}

void strata_ws_enter(struct evws_connection *evws, enum strata_ws_state state) {
  evws->state = state;
  evws->pinged = 0;
  evws->received = 1;
  strata_ws_set_timer(evws, state == STRATA_WS_OPEN ? evws->ping_ns : evws->close_ns);
}

/* Whether the peer has shown life since the last tick. One that only takes output is alive too: it
 * may be held up by a large message. */
static int is_alive(struct evws_connection *evws) {
  uint64_t written_len = evws->queued_len - strata_ws_output_len(evws);
  int alive = evws->received || written_len > evws->written_len;
  if (written_len > evws->written_len) evws->written_len = written_len;
  evws->received = 0;
  return alive;
}

static void ping(struct evws_connection *evws) {
  int was_empty = strata_ws_output_len(evws) == 0;
  evws->pinged = 1;
  if (strata_ws_write(evws, STRATA_WS_PING, NULL, 0) < 0) evws->broken = 1;
  /* That the kernel takes the ping itself is no sign of life. */
  if (was_empty) evws->written_len = evws->queued_len;
}

/* Then it is we who do not listen. */
static int is_full_and_paused(const struct evws_connection *evws) {
  return evws->paused &&
         evbuffer_get_length(bufferevent_get_input(evws->bufev)) >= STRATA_WS_INPUT_HIGH;
}

static void tick(struct evws_connection *evws) {
  if (is_alive(evws) || is_full_and_paused(evws)) {
    evws->pinged = 0;
  } else if (evws->pinged) {
    evws->broken = 1;
  } else {
    ping(evws);
  }
  strata_ws_set_timer(evws, evws->ping_ns);
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
  struct evws_connection *evws = arg;
  (void)fd;
  (void)what;
  if (evws->state == STRATA_WS_OPEN)
    tick(evws);
  else
    evws->broken = 1;
  strata_ws_drive(evws);
}

/* ---- Driving ---- */

void strata_ws_defer(struct evws_connection *evws) {
  if (evws->deferred || evws->dead) return;
  evws->deferred = 1;
  event_active(&evws->resume, EV_TIMEOUT, 0);
}

/* A server's messages wait while their answers do not leave. */
static void update_held(struct evws_connection *evws) {
  size_t len = strata_ws_output_len(evws);
  if (len == 0 || evws->failed || !evws->output_mark || evws->reader.role == STRATA_WS_CLIENT)
    evws->held = 0;
  else if (len > evws->output_mark)
    evws->held = 1;
}

static int may_process(struct evws_connection *evws) {
  update_held(evws);
  if (evws->dead || evws->broken || evws->state >= STRATA_WS_FLUSH) return 0;
  return !evws->held && !(evws->paused && evws->state == STRATA_WS_OPEN);
}

static void process(struct evws_connection *evws) {
  int budget = STRATA_WS_BUDGET, more = 1;
  while (more && may_process(evws)) {
    if (budget-- == 0) {
      strata_ws_defer(evws);
      return;
    }
    more = evws->state == STRATA_WS_CONNECTING ? strata_ws_client_step(evws)
                                               : strata_ws_input_step(evws);
  }
}

static void report_drained(struct evws_connection *evws) {
  if (!evws->undrained || strata_ws_output_len(evws)) return;
  evws->undrained = 0;
  if (evws->drainedcb && evws->state == STRATA_WS_OPEN) evws->drainedcb(evws, evws->drainedcb_arg);
}

/* Closing a socket with input unread makes the kernel send a reset, which can destroy the close
 * frame before the peer has read it: so our side is closed first and the peer's end awaited. A
 * client leaves closing to the server (RFC 6455 7.1.1). */
static void flushed(struct evws_connection *evws) {
  int waits = evws->reader.role == STRATA_WS_CLIENT && evws->peer_closed;
  evutil_socket_t fd = bufferevent_getfd(evws->bufev);
  if (fd < 0) bufferevent_flush(evws->bufev, EV_WRITE, BEV_FINISHED);
  if (!evws->eof && (waits || (fd >= 0 && strata_http_transport_shutdown_write(fd) == 0)))
    strata_ws_enter(evws, STRATA_WS_LINGER);
  else
    evws->broken = 1;
}

/* The peer sends no more: when all that it sent has been looked at, and what it asked for has left,
 * that is the end. */
static int is_over(const struct evws_connection *evws) {
  if (evws->broken || (evws->failed && evws->paused)) return 1;
  if (!evws->eof || evws->deferred || evws->held) return 0;
  if (evws->state == STRATA_WS_FLUSH) return evws->failed || !strata_ws_output_len(evws);
  return !(evws->paused && evws->state == STRATA_WS_OPEN);
}

/* What follows from the state that process() has left. */
static void settle(struct evws_connection *evws) {
  if (evws->state >= STRATA_WS_FLUSH)
    evbuffer_drain(input_of(evws), evbuffer_get_length(input_of(evws)));
  if (evws->state == STRATA_WS_FLUSH && !evws->failed && !strata_ws_output_len(evws)) flushed(evws);
  if (is_over(evws)) evws_connection_free(evws);
}

void strata_ws_drive(struct evws_connection *evws) {
  if (evws->dead || !evws->bufev) return;
  evws->again = 1;
  /* Asked for by a user callback (bufferevent_trigger()): its return comes back here. */
  if (evws->depth) return;
  strata_ws_hold(evws);
  while (evws->again && !evws->dead) {
    evws->again = 0;
    if (evws->lock) strata_ws_take_remote(evws);
    strata_ws_flush_pong(evws);
    report_drained(evws);
    process(evws);
    if (!evws->dead) settle(evws);
  }
  strata_ws_release(evws);
}

/* ---- What happens to it ---- */

static void on_read(struct bufferevent *bufev, void *arg) {
  struct evws_connection *evws = arg;
  (void)bufev;
  evws->received = 1;
  strata_ws_drive(evws);
}

static void on_write(struct bufferevent *bufev, void *arg) {
  (void)bufev;
  strata_ws_drive(arg);
}

static void on_event(struct bufferevent *bufev, short what, void *arg) {
  struct evws_connection *evws = arg;
  (void)bufev;
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) evws->eof = 1;
  if (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) evws->failed = 1;
  strata_ws_drive(evws);
}

static void on_resume(evutil_socket_t fd, short what, void *arg) {
  struct evws_connection *evws = arg;
  (void)fd;
  (void)what;
  evws->deferred = 0;
  strata_ws_drive(evws);
}

/* ---- The beginning ---- */

static int prepare_threads(struct evws_connection *evws, int options) {
  if (!(options & BEV_OPT_THREADSAFE) || !strata_threading_enabled()) return 0;
  if (strata_lock_init(&evws->lock, 0) < 0) return -1;
  evws->loop_thread = strata_thread_id();
  evws->remote_frames = evbuffer_new();
  evws->taken_frames = evbuffer_new();
  return evws->remote_frames && evws->taken_frames ? 0 : -1;
}

struct evws_connection *strata_ws_new(struct event_base *base, enum strata_ws_role role,
                                      ws_on_msg_cb cb, void *arg, int options) {
  struct evws_connection *evws = strata_calloc(1, sizeof(*evws));
  if (!evws) return NULL;
  evws->base = base;
  evws->msgcb = cb;
  evws->msgcb_arg = arg;
  evws->output_mark = STRATA_WS_DEFAULT_OUTPUT_MARK;
  evws->write_tv.tv_sec = STRATA_WS_DEFAULT_WRITE_S;
  evws->close_ns = (int64_t)STRATA_WS_DEFAULT_CLOSE_S * STRATA_NS_PER_SECOND;
  evws->ping_ns = (int64_t)STRATA_WS_DEFAULT_PING_S * STRATA_NS_PER_SECOND;
  evws->close_code = STRATA_WS_CODE_ABNORMAL;
  strata_ws_reader_init(&evws->reader, role, STRATA_WS_DEFAULT_MESSAGE_LEN,
                        STRATA_WS_DEFAULT_MESSAGE_LEN);
  evtimer_assign(&evws->timer, base, on_timer, evws);
  evtimer_assign(&evws->resume, base, on_resume, evws);
  if (prepare_threads(evws, options) < 0) {
    strata_ws_discard(evws);
    return NULL;
  }
  return evws;
}

void strata_ws_start(struct evws_connection *evws, struct bufferevent *bufev,
                     enum strata_ws_state state) {
  size_t input_high = 0;
  evws->bufev = bufev;
  evws->queued_len = strata_ws_output_len(evws); /* what HTTP has left to write */
  bufferevent_setcb(bufev, on_read, on_write, on_event, evws);
  bufferevent_setwatermark(bufev, EV_READ, 0, STRATA_WS_INPUT_HIGH);
  bufferevent_setwatermark(bufev, EV_WRITE, 0, 0);
  if (evws_connection_set_write_timeout(evws, &evws->write_tv) < 0) evws->broken = 1;
  /* Without memory the watermark is not set, and nothing would bound the input. */
  if (bufferevent_getwatermark(bufev, EV_READ, NULL, &input_high) < 0 ||
      input_high != STRATA_WS_INPUT_HIGH || bufferevent_enable(bufev, EV_READ | EV_WRITE) < 0)
    evws->broken = 1;
  if (state == STRATA_WS_OPEN)
    strata_ws_enter(evws, state); /* for its pings */
  else
    evws->state = state;
  strata_ws_defer(evws);
}

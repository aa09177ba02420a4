#include <errno.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "net/bufferevent_async.h"
#include "net/socket_kinds.h"
#include "util/memory.h"
#include "util/socket.h"

/* A bufferevent over a socket whose transfers a completion port makes (loop/completion.h): one
 * receive and one send at a time. update() launches what is wanted and not in flight. A receive
 * goes on for as long as what it brings is wanted, unless a high watermark or a limit tells how
 * much may come: then each is launched for so much.
 *
 * What arrives while nobody wants it is kept back (bytes, or the end), and is served from the loop
 * when reading is wanted again; until then nothing more is received. A receive that goes on is
 * cancelled when it brings what is kept back, and what comes before it has ended joins that:
 * switching reading off and on again costs nothing while the peer is silent.
 *
 * Output that is being sent is pinned, and stays at the front of the buffer until the port has told
 * how much of it went. A port that sends at once gets it from the loop alone, so that output can be
 * disabled as long as the loop has not come to it; what such a port was given is sent, whatever is
 * disabled later.
 *
 * Each operation in flight holds a reference. One whose socket was given up meanwhile is stale: it
 * was cancelled, what it brings is dropped, and the next one waits for its end.
 *
 * The loop is kept going while a direction is wanted, whatever is in flight. */

/* --- Operations --- */

int bufferevent_async_launch(struct bufferevent_async *async, struct transfer *transfer) {
  struct event_operation *operation = &transfer->operation;
  operation->fd = bufferevent_fd(&async->priv);
  transfer->is_stale = transfer->is_cancelled = false;
  transfer->is_in_flight = true;
  async->priv.num_refs++;
  if (event_operation_launch(operation, async->priv.bev.ev_base) == 0) return 0;
  int error = errno;
  transfer->is_in_flight = false;
  async->priv.num_refs--;
  errno = error;
  return -1;
}

void bufferevent_async_cancel(struct transfer *transfer) {
  if (!transfer->is_in_flight || transfer->is_cancelled) return;
  transfer->is_cancelled = true;
  event_operation_cancel(&transfer->operation);
}

static void give_up(struct transfer *transfer) {
  bufferevent_async_cancel(transfer);
  transfer->is_stale = transfer->is_in_flight;
}

/* The other transfer may use the same one. */
static bool is_in_use(const struct bufferevent_async *async, evutil_socket_t fd) {
  return (async->receive.is_in_flight && async->receive.operation.fd == fd) ||
         (async->send.is_in_flight && async->send.operation.fd == fd);
}

static void close_discarded(struct bufferevent_async *async, struct transfer *transfer) {
  evutil_socket_t fd = transfer->operation.fd;
  if (transfer->is_on_discarded && !is_in_use(async, fd)) evutil_closesocket(fd);
  transfer->is_on_discarded = false;
}

/* What an operation's function does first. Returns whether its socket was given up. */
bool bufferevent_async_begin(struct bufferevent_async *async, struct transfer *transfer) {
  strata_lock_acquire(async->priv.lock);
  bool is_stale = transfer->is_stale;
  if (!transfer->operation.is_last) {
    async->priv.num_refs++; /* its own stays */
    return is_stale;
  }
  transfer->is_in_flight = transfer->is_stale = false;
  close_discarded(async, transfer);
  return is_stale;
}

static bool base_is_closing(const struct bufferevent_async *async) {
  return !event_base_port_features(async->priv.bev.ev_base);
}

/* Nobody is to be told anything any more. */
bool bufferevent_async_is_over(const struct bufferevent_async *async) {
  return async->priv.is_freed || base_is_closing(async);
}

/* And last. */
void bufferevent_async_end(struct bufferevent_async *async) {
  async->priv.is_serving = false;
  async->is_in_loop = true;
  if (!base_is_closing(async)) bufferevent_update(&async->priv);
  bufferevent_release(&async->priv);
}

/* --- Sending --- */

static void unpin(struct bufferevent_async *async) {
  evbuffer_unpin_front(&async->priv.output, async->pinned, async->num_pinned);
  async->num_pinned = 0;
}

static void finish_sending(struct bufferevent_async *async, ev_ssize_t result, int error,
                           bool is_stale) {
  struct bufferevent_private *bev = &async->priv;
  if (result > 0) {
    evbuffer_drain_sent(&bev->output, (size_t)result);
    bufferevent_charge(bev, EV_WRITE, (size_t)result);
    bufferevent_note_progress(bev, EV_WRITE);
  }
  bufferevent_settle(bev, EV_WRITE);
  if (result > 0 && bev->output.total_len <= bev->bev.wm_write.low) {
    bufferevent_run_writecb(bev, 0);
  } else if (result < 0 && !is_stale && error != STRATA_OPERATION_CANCELLED &&
             !strata_error_rw_retriable(error) && bufferevent_is_active(bev, EV_WRITE)) {
    EVUTIL_SET_SOCKET_ERROR(error);
    bufferevent_report_write_error(bev, 0);
  }
}

static void on_sent(struct event_operation *operation) {
  struct bufferevent_async *async =
      STRATA_CONTAINER_OF(operation, struct bufferevent_async, send.operation);
  bool is_stale = bufferevent_async_begin(async, &async->send);
  unpin(async);
  /* What was sent to a socket that was given up is sent all the same. */
  if (!bufferevent_async_is_over(async)) {
    async->priv.is_serving = true;
    finish_sending(async, operation->result, operation->error, is_stale);
  }
  bufferevent_async_end(async);
}

/* Pins up to `len` bytes and describes them to the operation. 0, or -1 with errno. */
static int pin(struct bufferevent_async *async, size_t len) {
  struct evbuffer_iovec vecs[STRATA_MAX_SPANS];
  int num = evbuffer_pin_front(&async->priv.output, len, vecs, async->pinned, STRATA_MAX_SPANS);
  if (num < 0) return -1;
  for (int i = 0; i < num; i++) {
    async->spans[i].data = vecs[i].iov_base;
    async->spans[i].len = vecs[i].iov_len;
  }
  async->num_pinned = num;
  async->send.operation.spans = async->spans;
  async->send.operation.num_spans = num;
  return 0;
}

static bool sends_at_once(const struct bufferevent_async *async) {
  return event_base_port_features(async->priv.bev.ev_base) & STRATA_PORT_SENDS_AT_ONCE;
}

static bool leaves_it_to_loop(struct bufferevent_async *async) {
  if (async->is_in_loop || !sends_at_once(async)) return false;
  bufferevent_schedule_work(&async->priv);
  return true;
}

static int launch_send(struct bufferevent_async *async) {
  struct bufferevent_private *bev = &async->priv;
  size_t len = bev->output.total_len;
  if (async->send.is_in_flight || bev->is_connecting || bev->is_serving || !len ||
      !(async->want & EV_WRITE) || leaves_it_to_loop(async))
    return 0;
  if (len > bev->max_single_write) len = bev->max_single_write;
  len = bufferevent_claim(bev, EV_WRITE, len);
  if (!len) {
    bufferevent_settle(bev, EV_WRITE);
    /* Only limits give nothing. */
    if (!(bufferevent_rate_limit_refresh(bev) & EV_WRITE)) return 0;
    errno = ENOMEM;
    return -1;
  }
  if (pin(async, len) == 0 && bufferevent_async_launch(async, &async->send) == 0) return 0;
  int error = errno;
  unpin(async);
  bufferevent_settle(bev, EV_WRITE);
  errno = error;
  return -1;
}

static void report_writable(struct bufferevent_async *async) {
  struct bufferevent_private *bev = &async->priv;
  if (!bufferevent_must_report_writable(bev) || bev->is_connecting) return;
  bev->wants_write_report = false;
  if (!bev->output.total_len) bufferevent_run_if_due(bev, EV_WRITE, 0);
}

/* --- Connecting --- */

/* As the other kind does it, with the same calls and errors; of a connection that the program has
 * begun itself only readiness tells what becomes of it. */
static void serve_source(struct event_callback *task, void *arg) {
  struct bufferevent_private *bev = arg;
  (void)task;
  if (!bufferevent_hold(bev)) return;
  bev->is_serving = true;
  if (bev->is_connecting) bufferevent_finish_connecting(bev);
  if (!bev->is_connecting) event_io_source_detach(&bev->source);
  bev->is_serving = false;
  bufferevent_async_of(bev)->is_in_loop = true;
  bufferevent_update(bev);
  bufferevent_release(bev);
}

static int watch_connecting(struct bufferevent_private *bev) {
  if (!event_io_source_is_attached(&bev->source) &&
      event_io_source_attach(&bev->source, bev->bev.ev_base, bufferevent_fd(bev)) < 0)
    return -1;
  return event_io_source_set_want(&bev->source, EV_WRITE);
}

/* --- What is wanted --- */

static void set_want(struct bufferevent_async *async, short want) {
  int by = (want != 0) - (async->want != 0);
  async->want = want;
  if (by) event_base_keep_going(async->priv.bev.ev_base, by);
}

static void schedule_what_waits(struct bufferevent_async *async) {
  struct bufferevent_private *bev = &async->priv;
  if (bev->is_connecting) return;
  if (bufferevent_must_report_writable(bev) ||
      (bufferevent_async_has_kept(async) && bufferevent_async_may_read(async)))
    bufferevent_schedule_work(bev);
}

/* The end of the base is no failure: its operations come back cancelled, and nobody asks again. */
static bool has_failed(int result) {
  return result < 0 && errno != ECANCELED;
}

/* Returns the directions in which that fails. */
static short launch_wanted(struct bufferevent_async *async) {
  short failed = 0;
  if (async->priv.is_connecting) return watch_connecting(&async->priv) < 0 ? async->want : 0;
  if (!(async->want & EV_WRITE) && !sends_at_once(async)) bufferevent_async_cancel(&async->send);
  if (async->want & EV_READ && has_failed(bufferevent_async_receive(async))) failed |= EV_READ;
  if (has_failed(launch_send(async))) failed |= EV_WRITE;
  return failed;
}

static short serve_wanted(struct bufferevent_async *async, short waiting) {
  short failed = launch_wanted(async);
  int error = errno;
  if (async->want) schedule_what_waits(async);
  short untimed = bufferevent_follow_waiting(&async->priv, waiting & ~failed);
  if (!untimed) errno = error;
  return failed | untimed;
}

static short async_update(struct bufferevent_private *bev) {
  struct bufferevent_async *async = bufferevent_async_of(bev);
  short without_tokens = bufferevent_refresh_limits(bev);
  short waiting = bufferevent_waiting(bev);
  set_want(async, bufferevent_fd(bev) < 0 ? 0 : bufferevent_socket_wanted(bev, waiting));
  short unserved = bev->is_freed ? 0 : serve_wanted(async, waiting);
  if (!bev->is_serving) async->is_in_loop = false;
  return bufferevent_failed_update(unserved, without_tokens);
}

static void async_work(struct bufferevent_private *bev) {
  struct bufferevent_async *async = bufferevent_async_of(bev);
  async->is_in_loop = true;
  bufferevent_async_serve_reading(async);
  report_writable(async);
}

/* --- Making, connecting, giving away --- */

static void async_forget_socket(struct bufferevent_private *bev) {
  struct bufferevent_async *async = bufferevent_async_of(bev);
  give_up(&async->receive);
  give_up(&async->send);
  event_operation_forget_socket(&async->receive.operation);
  event_operation_forget_socket(&async->send.operation);
  bufferevent_async_drop_kept(async);
  set_want(async, 0);
}

static int async_discard_fd(struct bufferevent_private *bev, evutil_socket_t fd) {
  struct bufferevent_async *async = bufferevent_async_of(bev);
  struct transfer *transfers[] = {&async->receive, &async->send};
  if (!is_in_use(async, fd)) return evutil_closesocket(fd);
  for (int i = 0; i < 2; i++)
    if (transfers[i]->is_in_flight && transfers[i]->operation.fd == fd)
      transfers[i]->is_on_discarded = true;
  return 0;
}

static void async_set_priority(struct bufferevent_private *bev, int priority) {
  struct bufferevent_async *async = bufferevent_async_of(bev);
  struct transfer *transfers[] = {&async->receive, &async->send};
  for (int i = 0; i < 2; i++)
    event_base_set_callback_priority(bev->bev.ev_base, &transfers[i]->operation.task, priority);
}

static bool async_is_busy(struct bufferevent_private *bev) {
  struct bufferevent_async *async = bufferevent_async_of(bev);
  return async->want || async->receive.is_in_flight || async->send.is_in_flight ||
         bev->pending.work;
}

/* Cancelled operations know their socket no more by its number, but they hold the object, whose
 * end would close it, until the loop turns again: the peer is not to wait for that. */
static void close_before_the_end(struct bufferevent_async *async) {
  struct bufferevent_private *bev = &async->priv;
  int num_in_flight = async->receive.is_in_flight + async->send.is_in_flight;
  if (!bev->is_freed || !num_in_flight || bev->num_refs > 1 + num_in_flight) return;
  bufferevent_close_socket(bev);
  bufferevent_store_fd(bev, -1);
}

static void async_detach(struct bufferevent_private *bev) {
  bufferevent_cancel_lookup(bev);
  event_io_source_detach(&bev->source);
  async_forget_socket(bev);
  close_before_the_end(bufferevent_async_of(bev));
}

static const struct bufferevent_ops async_ops = {
    .type = "socket_async",
    .is_socket = true,
    .receives_ahead = true,
    .update = async_update,
    .detach = async_detach,
    .destroy = bufferevent_close_socket,
    .set_fd = bufferevent_set_socket,
    .get_fd = bufferevent_get_socket,
    .forget_socket = async_forget_socket,
    .discard_fd = async_discard_fd,
    .set_priority = async_set_priority,
    .is_busy = async_is_busy,
    .work = async_work,
};

struct bufferevent_private *bufferevent_async_new(struct event_base *base, int options) {
  struct bufferevent_async *async = strata_calloc(1, sizeof(*async));
  if (!async) return NULL;
  struct bufferevent_private *bev = &async->priv;
  /* Its operations may end in another thread than the one that launched them. */
  if (bufferevent_init(bev, base, &async_ops, options | BEV_OPT_THREADSAFE) < 0) {
    strata_free(async);
    return NULL;
  }
  event_callback_init(&bev->source.task, bev->priority, serve_source, bev);
  event_operation_init(&async->receive.operation, bev->priority, bufferevent_async_on_received);
  async->receive.operation.kind = EVENT_OPERATION_RECV;
  event_operation_init(&async->send.operation, bev->priority, on_sent);
  async->send.operation.kind = EVENT_OPERATION_SEND;
  return bev;
}

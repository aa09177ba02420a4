#include <errno.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "loop/completion.h"
#include "net/bufferevent_internal.h"
#include "net/socket_kinds.h"
#include "util/memory.h"
#include "util/queue.h"
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

/* As much is copied, so that the port has its memory back at once. */
#define MAX_COPY_LEN 4096

/* A lower limit for one read asks for receives of so much. */
#define MIN_REPEATED_LEN 16384

/* What a receive brought that the user was not told yet. */
enum kept_end { NO_END, END_OF_DATA, END_BY_ERROR };

struct transfer {
  struct event_operation operation;
  bool is_in_flight; /* until its function runs */
  bool is_stale;
  bool is_cancelled;
  bool is_on_discarded; /* its descriptor is closed at its end */
};

struct bufferevent_async {
  struct bufferevent_private priv; /* first */
  struct transfer receive, send;
  short want;                              /* keeps the loop going */
  bool is_in_loop;                         /* the update() to come is the loop's */
  struct event_received *kept, *last_kept; /* a list, and its last */
  size_t kept_start;                       /* of the first one's bytes, so many were given out */
  enum kept_end kept_end;
  int num_pinned;
  struct evbuffer_chain *pinned[STRATA_MAX_SPANS];
  struct event_span spans[STRATA_MAX_SPANS];
};

static struct bufferevent_async *async_of(struct bufferevent_private *bev) {
  return STRATA_CONTAINER_OF(bev, struct bufferevent_async, priv);
}

static void drop_kept(struct bufferevent_async *async) {
  async->kept_end = NO_END;
  async->kept_start = 0;
  while (async->kept) {
    struct event_received *kept = async->kept;
    async->kept = kept->next;
    kept->release(kept);
  }
}

/* --- Operations --- */

static int launch(struct bufferevent_async *async, struct transfer *transfer) {
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

static void cancel(struct transfer *transfer) {
  if (!transfer->is_in_flight || transfer->is_cancelled) return;
  transfer->is_cancelled = true;
  event_operation_cancel(&transfer->operation);
}

static void give_up(struct transfer *transfer) {
  cancel(transfer);
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
static bool begin_function(struct bufferevent_async *async, struct transfer *transfer) {
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
static bool is_over(const struct bufferevent_async *async) {
  return async->priv.is_freed || base_is_closing(async);
}

/* And last. */
static void end_function(struct bufferevent_async *async) {
  async->priv.is_serving = false;
  async->is_in_loop = true;
  if (!base_is_closing(async)) bufferevent_update(&async->priv);
  bufferevent_release(&async->priv);
}

/* --- Receiving --- */

static void release_received(const void *data, size_t len, void *arg) {
  struct event_received *received = arg;
  (void)data;
  (void)len;
  received->release(received);
}

/* Moves the next `len` bytes of the first that was kept back to the input, whose callbacks may do
 * anything. */
static int give_out(struct bufferevent_async *async, size_t len) {
  struct evbuffer *input = &async->priv.input;
  struct event_received *received = async->kept;
  size_t start = async->kept_start;
  const char *bytes = (const char *)received->data;
  bool is_all = len == received->len - start;
  bool is_copied = !is_all || len <= MAX_COPY_LEN || received->is_scarce;
  async->kept_start = is_all ? 0 : start + len;
  if (is_all) async->kept = received->next;
  int result = is_copied ? evbuffer_add_received(input, bytes + start, len)
                         : evbuffer_add_received_reference(input, bytes, start, len,
                                                           release_received, received);
  if (result < 0) {
    /* No callback was called. */
    async->kept = received; /* and its `next` is what it was */
    async->kept_start = start;
  } else if (is_all && is_copied) {
    received->release(received);
  }
  return result;
}

static size_t len_to_give_out(struct bufferevent_private *bev, const struct event_received *kept,
                              size_t start) {
  size_t len = kept->len - start, room = bufferevent_read_room(bev);
  if (len > bev->max_single_read) len = bev->max_single_read;
  return len < room ? len : room;
}

static void serve_bytes(struct bufferevent_async *async) {
  struct bufferevent_private *bev = &async->priv;
  size_t len = len_to_give_out(bev, async->kept, async->kept_start);
  if (!len) return;
  len = bufferevent_claim(bev, EV_READ, len);
  int result = len ? give_out(async, len) : 0;
  if (result == 0 && len) bufferevent_charge(bev, EV_READ, len);
  bufferevent_settle(bev, EV_READ);
  if (result < 0) {
    EVUTIL_SET_SOCKET_ERROR(strata_error_from_errno(ENOMEM));
    bufferevent_report_end_of_reading(bev, BEV_EVENT_ERROR);
  } else if (len) {
    bufferevent_note_progress(bev, EV_READ);
    if (bev->input.total_len >= bev->bev.wm_read.low) bufferevent_run_readcb(bev, 0);
  }
}

static void serve_end(struct bufferevent_async *async) {
  bool is_error = async->kept_end == END_BY_ERROR;
  async->kept_end = NO_END;
  EVUTIL_SET_SOCKET_ERROR(is_error ? async->priv.read_error : 0);
  bufferevent_report_end_of_reading(&async->priv, is_error ? BEV_EVENT_ERROR : BEV_EVENT_EOF);
}

static bool has_kept(const struct bufferevent_async *async) {
  return async->kept || async->kept_end != NO_END;
}

static bool may_read(const struct bufferevent_async *async) {
  return !async->priv.is_connecting && bufferevent_is_active(&async->priv, EV_READ);
}

static void serve_reading(struct bufferevent_async *async) {
  if (!may_read(async)) return;
  if (async->kept)
    serve_bytes(async);
  else if (async->kept_end != NO_END)
    serve_end(async);
}

static void keep_bytes(struct bufferevent_async *async, struct event_received *received) {
  received->next = NULL;
  if (async->kept)
    async->last_kept->next = received;
  else
    async->kept = received;
  async->last_kept = received;
}

static void keep(struct bufferevent_async *async, struct event_operation *operation) {
  if (operation->received) keep_bytes(async, operation->received);
  if (operation->result == 0) {
    async->kept_end = END_OF_DATA;
  } else if (operation->result < 0 && operation->error != STRATA_OPERATION_CANCELLED &&
             !strata_error_rw_retriable(operation->error)) {
    async->kept_end = END_BY_ERROR;
    async->priv.read_error = operation->error;
  }
}

static void on_received(struct event_operation *operation) {
  struct bufferevent_async *async =
      STRATA_CONTAINER_OF(operation, struct bufferevent_async, receive.operation);
  bool is_stale = begin_function(async, &async->receive);
  if (!is_stale && !is_over(async)) {
    keep(async, operation);
    async->priv.is_serving = true;
    serve_reading(async);
    if (has_kept(async)) cancel(&async->receive);
  } else if (operation->received) {
    operation->received->release(operation->received);
  }
  end_function(async);
}

/* Nothing says how much may come. */
static bool may_repeat(const struct bufferevent_async *async) {
  const struct bufferevent_private *bev = &async->priv;
  return !bev->bev.wm_read.high && !bev->rate_limit && bev->max_single_read >= MIN_REPEATED_LEN &&
         event_base_port_features(bev->bev.ev_base) & STRATA_PORT_REPEATS;
}

static int launch_receive(struct bufferevent_async *async) {
  struct event_operation *operation = &async->receive.operation;
  if (async->receive.is_in_flight) {
    if (operation->repeats && !may_repeat(async)) cancel(&async->receive);
    return 0;
  }
  if (has_kept(async) || !may_read(async)) return 0;
  size_t room = bufferevent_read_room(&async->priv);
  if (!room) return 0;
  size_t max_len = async->priv.max_single_read;
  operation->repeats = may_repeat(async);
  operation->max_len = operation->repeats ? 0 : room < max_len ? room : max_len;
  return launch(async, &async->receive);
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
  bool is_stale = begin_function(async, &async->send);
  unpin(async);
  /* What was sent to a socket that was given up is sent all the same. */
  if (!is_over(async)) {
    async->priv.is_serving = true;
    finish_sending(async, operation->result, operation->error, is_stale);
  }
  end_function(async);
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
    return bufferevent_rate_limit_refresh(bev) & EV_WRITE ? -1 : 0; /* only limits give nothing */
  }
  if (pin(async, len) == 0 && launch(async, &async->send) == 0) return 0;
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
  async_of(bev)->is_in_loop = true;
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
  if (bufferevent_must_report_writable(bev) || (has_kept(async) && may_read(async)))
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
  if (!(async->want & EV_WRITE) && !sends_at_once(async)) cancel(&async->send);
  if (async->want & EV_READ && has_failed(launch_receive(async))) failed |= EV_READ;
  if (has_failed(launch_send(async))) failed |= EV_WRITE;
  return failed;
}

static short serve_wanted(struct bufferevent_async *async, short begun) {
  short failed = launch_wanted(async);
  int error = errno;
  if (async->want) schedule_what_waits(async);
  short untimed = bufferevent_expect_progress(&async->priv, begun & ~failed);
  if (!untimed) errno = error;
  return failed | untimed;
}

static short async_update(struct bufferevent_private *bev) {
  struct bufferevent_async *async = async_of(bev);
  short without_tokens = bufferevent_refresh_limits(bev);
  short want = bufferevent_fd(bev) < 0 ? 0 : bufferevent_socket_wanted(bev);
  short begun = want & ~async->want;
  set_want(async, want);
  short unserved = bev->is_freed ? 0 : serve_wanted(async, begun);
  if (!bev->is_serving) async->is_in_loop = false;
  return bufferevent_failed_update(unserved, without_tokens);
}

static void async_work(struct bufferevent_private *bev) {
  struct bufferevent_async *async = async_of(bev);
  async->is_in_loop = true;
  serve_reading(async);
  report_writable(async);
}

/* --- Making, connecting, giving away --- */

static void async_forget_socket(struct bufferevent_private *bev) {
  struct bufferevent_async *async = async_of(bev);
  give_up(&async->receive);
  give_up(&async->send);
  event_operation_forget_socket(&async->receive.operation);
  event_operation_forget_socket(&async->send.operation);
  drop_kept(async);
  set_want(async, 0); /* its timeouts begin anew */
}

static int async_discard_fd(struct bufferevent_private *bev, evutil_socket_t fd) {
  struct bufferevent_async *async = async_of(bev);
  struct transfer *transfers[] = {&async->receive, &async->send};
  if (!is_in_use(async, fd)) return evutil_closesocket(fd);
  for (int i = 0; i < 2; i++)
    if (transfers[i]->is_in_flight && transfers[i]->operation.fd == fd)
      transfers[i]->is_on_discarded = true;
  return 0;
}

static void async_set_priority(struct bufferevent_private *bev, int priority) {
  struct bufferevent_async *async = async_of(bev);
  struct transfer *transfers[] = {&async->receive, &async->send};
  for (int i = 0; i < 2; i++)
    event_base_set_callback_priority(bev->bev.ev_base, &transfers[i]->operation.task, priority);
}

static bool async_is_busy(struct bufferevent_private *bev) {
  struct bufferevent_async *async = async_of(bev);
  return async->want || async->receive.is_in_flight || async->send.is_in_flight ||
         bev->pending.work;
}

static void async_detach(struct bufferevent_private *bev) {
  bufferevent_cancel_lookup(bev);
  event_io_source_detach(&bev->source);
  async_forget_socket(bev);
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
  event_operation_init(&async->receive.operation, bev->priority, on_received);
  async->receive.operation.kind = EVENT_OPERATION_RECV;
  event_operation_init(&async->send.operation, bev->priority, on_sent);
  async->send.operation.kind = EVENT_OPERATION_SEND;
  return bev;
}

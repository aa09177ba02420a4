#include <errno.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "net/bufferevent_async.h"
#include "net/socket_kinds.h"
#include "util/socket.h"

/* What a bufferevent over a completion port receives, and what it keeps back of that until it is
 * wanted: see bufferevent_async.c. */

/* As much is copied, so that the port has its memory back at once. */
#define MAX_COPY_LEN 4096

/* A lower limit for one read asks for receives of so much. */
#define MIN_REPEATED_LEN 16384

void bufferevent_async_drop_kept(struct bufferevent_async *async) {
  async->kept_end = NO_END;
  async->kept_start = 0;
  while (async->kept) {
    struct event_received *kept = async->kept;
    async->kept = kept->next;
    kept->release(kept);
  }
}

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

bool bufferevent_async_has_kept(const struct bufferevent_async *async) {
  return async->kept || async->kept_end != NO_END;
}

bool bufferevent_async_may_read(const struct bufferevent_async *async) {
  return !async->priv.is_connecting && bufferevent_is_active(&async->priv, EV_READ);
}

void bufferevent_async_serve_reading(struct bufferevent_async *async) {
  if (!bufferevent_async_may_read(async)) return;
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

void bufferevent_async_on_received(struct event_operation *operation) {
  struct bufferevent_async *async =
      STRATA_CONTAINER_OF(operation, struct bufferevent_async, receive.operation);
  bool is_stale = bufferevent_async_begin(async, &async->receive);
  if (!is_stale && !bufferevent_async_is_over(async)) {
    keep(async, operation);
    async->priv.is_serving = true;
    bufferevent_async_serve_reading(async);
    if (bufferevent_async_has_kept(async)) bufferevent_async_cancel(&async->receive);
  } else if (operation->received) {
    operation->received->release(operation->received);
  }
  bufferevent_async_end(async);
}

/* Nothing says how much may come. */
static bool may_repeat(const struct bufferevent_async *async) {
  const struct bufferevent_private *bev = &async->priv;
  return !bev->bev.wm_read.high && !bev->rate_limit && bev->max_single_read >= MIN_REPEATED_LEN &&
         event_base_port_features(bev->bev.ev_base) & STRATA_PORT_REPEATS;
}

int bufferevent_async_receive(struct bufferevent_async *async) {
  struct event_operation *operation = &async->receive.operation;
  if (async->receive.is_in_flight) {
    if (operation->repeats && !may_repeat(async)) bufferevent_async_cancel(&async->receive);
    return 0;
  }
  if (bufferevent_async_has_kept(async) || !bufferevent_async_may_read(async)) return 0;
  size_t room = bufferevent_read_room(&async->priv);
  if (!room) return 0;
  size_t max_len = async->priv.max_single_read;
  operation->repeats = may_repeat(async);
  operation->max_len = operation->repeats ? 0 : room < max_len ? room : max_len;
  return bufferevent_async_launch(async, &async->receive);
}

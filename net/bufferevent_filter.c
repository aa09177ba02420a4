#include <stdint.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "net/bufferevent_internal.h"
#include "util/memory.h"

/* A bufferevent over another one, whose callbacks it takes and whose bytes go through two functions
 * of the user's.
 *
 * Output is filtered inside the call that adds it, so that it is on its way when the filter is
 * freed; what does not fit under the high watermark below goes on when the output there has
 * emptied. Input is filtered from the loop only: when the underlying has read, or when the filter,
 * having stalled, is enabled or drained again. While it is stalled the underlying does not read,
 * and an end or error of reading that came in already waits behind the bytes.
 *
 * The filter holds a reference to the underlying until its memory goes, and not the other way
 * round: it takes its callbacks off when it is freed. The lock is theirs together. */

/* How often a function may say BEV_OK without having moved a byte. */
#define MAX_IDLE_ROUNDS 16

struct bufferevent_filter {
  struct bufferevent_private bev; /* first */
  struct bufferevent_private *underlying;
  bufferevent_filter_cb input_filter, output_filter;
  void (*free_context)(void *);
  void *context;
  size_t refused_len; /* so much output was shown to the function, which wants more; 0: none */
  size_t refused_room_below; /* with so much room for what it makes of it */
  short held_events;         /* of the underlying, until the filter is not stalled any more */
  int held_error;
  bool is_detached; /* it was freed: the underlying is not its business any more */
  bool is_filtering_input, is_filtering_output;
  bool has_input_news, has_output_news; /* asked to filter while the function was at work */
  bool is_stalled;     /* it has not looked at all the input: disabled, or no room for more */
  bool wants_room;     /* the function may have stopped for want of room */
  size_t refused_room; /* how much there was then */
  bool has_failed;     /* the input filter said BEV_ERROR, to be told after the bytes */
};

static struct bufferevent_filter *filter_of(struct bufferevent_private *bev) {
  return (struct bufferevent_filter *)bev;
}

static bool is_linked(const struct bufferevent_filter *filter) {
  return !filter->is_detached && !filter->underlying->is_freed;
}

static enum bufferevent_filter_result pass_through(struct evbuffer *source,
                                                   struct evbuffer *destination, ev_ssize_t limit,
                                                   enum bufferevent_flush_mode mode, void *ctx) {
  (void)mode;
  (void)ctx;
  int result = limit < 0 ? evbuffer_add_buffer(destination, source)
                         : evbuffer_remove_buffer(source, destination, (size_t)limit);
  return result < 0 ? BEV_ERROR : BEV_OK;
}

/* One call of a function; *inout_idle counts the calls that moved nothing. */
static enum bufferevent_filter_result call_filter(bufferevent_filter_cb function,
                                                  struct evbuffer *source, struct evbuffer *target,
                                                  ev_ssize_t limit,
                                                  enum bufferevent_flush_mode mode, void *context,
                                                  int *inout_idle) {
  size_t source_len = source->total_len, target_len = target->total_len;
  enum bufferevent_filter_result result = function(source, target, limit, mode, context);
  bool has_moved = source->total_len != source_len || target->total_len != target_len;
  *inout_idle = has_moved ? 0 : *inout_idle + 1;
  return result;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* A function that wants more is asked again when there came more while it was at work. */
static bool wants_another(enum bufferevent_filter_result result, bool has_news) {
  return result == BEV_OK || (result == BEV_NEED_MORE && has_news);
}

/* --- Input --- */

static bool has_room(const struct bufferevent_filter *filter, enum bufferevent_flush_mode mode) {
  return mode != BEV_NORMAL || bufferevent_read_room(&filter->bev);
}

static ev_ssize_t input_limit(const struct bufferevent_filter *filter,
                              enum bufferevent_flush_mode mode) {
  if (mode != BEV_NORMAL || !filter->bev.bev.wm_read.high) return -1;
  return (ev_ssize_t)bufferevent_read_room(&filter->bev);
}

/* The filter may take more now, if there is any. */
static bool takes_input(const struct bufferevent_filter *filter, enum bufferevent_flush_mode mode) {
  return bufferevent_is_active(&filter->bev, EV_READ) && has_room(filter, mode);
}

static bool goes_on_reading(const struct bufferevent_filter *filter,
                            enum bufferevent_flush_mode mode) {
  return is_linked(filter) && takes_input(filter, mode) && filter->underlying->input.total_len;
}

static enum bufferevent_filter_result filter_all_input(struct bufferevent_filter *filter,
                                                       enum bufferevent_flush_mode mode,
                                                       bool *out_has_processed) {
  enum bufferevent_filter_result result;
  int num_idle = 0;
  filter->is_filtering_input = true;
  evbuffer_unfreeze(&filter->bev.input, 0);
  do {
    filter->has_input_news = false;
    filter->refused_room = bufferevent_read_room(&filter->bev);
    result = call_filter(filter->input_filter, &filter->underlying->input, &filter->bev.input,
                         input_limit(filter, mode), mode, filter->context, &num_idle);
    if (result == BEV_OK) *out_has_processed = true;
  } while (wants_another(result, filter->has_input_news) && num_idle < MAX_IDLE_ROUNDS &&
           goes_on_reading(filter, mode));
  evbuffer_freeze(&filter->bev.input, 0);
  filter->is_filtering_input = false;
  return result;
}

/* Puts what the underlying has read through the filter. True when the function has worked on it. */
static bool run_input(struct bufferevent_filter *filter, enum bufferevent_flush_mode mode) {
  bool has_processed = false;
  enum bufferevent_filter_result result = BEV_OK;
  filter->has_input_news = true;
  if (filter->is_filtering_input || !is_linked(filter)) return false;
  if (mode != BEV_NORMAL || goes_on_reading(filter, mode))
    result = filter_all_input(filter, mode, &has_processed);
  bool has_rest = filter->underlying->input.total_len > 0;
  bool is_hindered = !takes_input(filter, BEV_NORMAL);
  filter->has_failed = result == BEV_ERROR;
  filter->is_stalled = has_rest && (is_hindered || filter->has_failed);
  filter->wants_room = has_rest && filter->bev.bev.wm_read.high;
  filter->refused_room = smaller(filter->refused_room, bufferevent_read_room(&filter->bev));
  if (has_processed) bufferevent_note_progress(&filter->bev, EV_READ);
  return has_processed;
}

static void tell_input(struct bufferevent_filter *filter, bool has_processed, int trigger_options) {
  if (has_processed) bufferevent_run_if_due(&filter->bev, EV_READ, trigger_options);
  if (filter->has_failed) {
    filter->has_failed = false;
    filter->bev.bev.enabled &= ~EV_READ;
    bufferevent_run_eventcb(&filter->bev, BEV_EVENT_READING | BEV_EVENT_ERROR, trigger_options);
  }
  if (filter->is_stalled || !filter->held_events) return;
  short events = filter->held_events;
  filter->held_events = 0;
  EVUTIL_SET_SOCKET_ERROR(filter->held_error);
  bufferevent_run_eventcb(&filter->bev, events, trigger_options);
}

/* Filters the input and calls whoever waits for that. True when the function has worked on it. */
static bool serve_input(struct bufferevent_filter *filter, enum bufferevent_flush_mode mode,
                        int trigger_options) {
  bool has_processed = run_input(filter, mode);
  tell_input(filter, has_processed, trigger_options);
  return has_processed;
}

/* --- Output --- */

static size_t room_below(const struct bufferevent_filter *filter,
                         enum bufferevent_flush_mode mode) {
  size_t high = filter->underlying->bev.wm_write.high, len = filter->underlying->output.total_len;
  if (mode != BEV_NORMAL || !high) return SIZE_MAX;
  return len < high ? high - len : 0;
}

static ev_ssize_t output_limit(const struct bufferevent_filter *filter,
                               enum bufferevent_flush_mode mode) {
  size_t room = room_below(filter, mode);
  return room == SIZE_MAX ? -1 : (ev_ssize_t)room;
}

static bool goes_on_writing(const struct bufferevent_filter *filter,
                            enum bufferevent_flush_mode mode) {
  return is_linked(filter) && bufferevent_is_active(&filter->bev, EV_WRITE) &&
         room_below(filter, mode) && filter->bev.output.total_len;
}

static enum bufferevent_filter_result filter_all_output(struct bufferevent_filter *filter,
                                                        enum bufferevent_flush_mode mode,
                                                        bool *out_has_processed) {
  enum bufferevent_filter_result result;
  int num_idle = 0;
  filter->is_filtering_output = true;
  evbuffer_unfreeze(&filter->bev.output, 1);
  do {
    filter->has_output_news = false;
    filter->refused_room_below = room_below(filter, BEV_NORMAL);
    result = call_filter(filter->output_filter, &filter->bev.output, &filter->underlying->output,
                         output_limit(filter, mode), mode, filter->context, &num_idle);
    if (result == BEV_OK) *out_has_processed = true;
  } while (wants_another(result, filter->has_output_news) && num_idle < MAX_IDLE_ROUNDS &&
           goes_on_writing(filter, mode));
  evbuffer_freeze(&filter->bev.output, 1);
  filter->is_filtering_output = false;
  return result;
}

/* Puts the output through the filter. True when the function has worked on it. */
static bool run_output(struct bufferevent_filter *filter, enum bufferevent_flush_mode mode,
                       int trigger_options) {
  bool has_processed = false;
  filter->has_output_news = true;
  if (filter->is_filtering_output || !is_linked(filter)) return false;
  if (mode == BEV_NORMAL && !goes_on_writing(filter, mode)) return false;
  filter->refused_len = 0;
  enum bufferevent_filter_result result = filter_all_output(filter, mode, &has_processed);
  bool was_refused = result == BEV_NEED_MORE && !filter->has_output_news;
  filter->refused_len = was_refused ? filter->bev.output.total_len : 0;
  filter->refused_room_below = smaller(filter->refused_room_below, room_below(filter, BEV_NORMAL));
  if (has_processed) {
    bufferevent_note_progress(&filter->bev, EV_WRITE);
    bufferevent_run_if_due(&filter->bev, EV_WRITE, trigger_options);
  }
  if (result == BEV_ERROR) {
    filter->bev.bev.enabled &= ~EV_WRITE;
    bufferevent_run_eventcb(&filter->bev, BEV_EVENT_WRITING | BEV_EVENT_ERROR, trigger_options);
  }
  return has_processed;
}

/* --- What the underlying calls --- */

static void on_underlying_read(struct bufferevent *underlying, void *arg) {
  struct bufferevent_filter *filter = arg;
  (void)underlying;
  if (!bufferevent_hold(&filter->bev)) return;
  (void)serve_input(filter, BEV_NORMAL, 0);
  bufferevent_update(&filter->bev);
  bufferevent_release(&filter->bev);
}

static void on_underlying_write(struct bufferevent *underlying, void *arg) {
  struct bufferevent_filter *filter = arg;
  (void)underlying;
  if (!bufferevent_hold(&filter->bev)) return;
  (void)run_output(filter, BEV_NORMAL, 0);
  bufferevent_update(&filter->bev);
  bufferevent_release(&filter->bev);
}

static void on_underlying_event(struct bufferevent *underlying, short what, void *arg) {
  struct bufferevent_filter *filter = arg;
  int error = EVUTIL_SOCKET_ERROR();
  (void)underlying;
  if (!bufferevent_hold(&filter->bev)) return;
  if (filter->is_stalled && what & BEV_EVENT_READING) {
    filter->held_events |= what;
    filter->held_error = error;
  } else {
    /* What was left below for want of room comes before the end, whatever the watermark. */
    if (filter->wants_room && what & BEV_EVENT_READING) (void)serve_input(filter, BEV_FLUSH, 0);
    EVUTIL_SET_SOCKET_ERROR(error);
    bufferevent_run_eventcb(&filter->bev, what, 0);
    bufferevent_update(&filter->bev);
  }
  bufferevent_release(&filter->bev);
}

void bufferevent_filter_on_write_mark(struct bufferevent_private *underlying) {
  struct bufferevent_filter *filter = underlying->bev.cbarg;
  if (underlying->bev.errorcb != on_underlying_event || !bufferevent_hold(&filter->bev)) return;
  bufferevent_update(&filter->bev);
  bufferevent_release(&filter->bev);
}

/* --- What it does --- */

static void filter_work(struct bufferevent_private *bev) {
  (void)serve_input(filter_of(bev), BEV_NORMAL, 0);
}

static void retry_input(struct bufferevent_filter *filter) {
  bool has_more_room =
      filter->wants_room && bufferevent_read_room(&filter->bev) > filter->refused_room;
  if (!filter->is_stalled && !has_more_room) return;
  /* Not whether there are bytes below: somebody may have taken them. */
  if (!takes_input(filter, BEV_NORMAL) || filter->is_filtering_input) return;
  filter->wants_room = false;
  bufferevent_schedule_work(&filter->bev);
}

/* The function has not seen all the output, or not with as much room as there is now. */
static bool has_more_to_write(const struct bufferevent_filter *filter) {
  return filter->bev.output.total_len != filter->refused_len ||
         room_below(filter, BEV_NORMAL) > filter->refused_room_below;
}

static short filter_update(struct bufferevent_private *bev) {
  struct bufferevent_filter *filter = filter_of(bev);
  if (has_more_to_write(filter)) (void)run_output(filter, BEV_NORMAL, BEV_TRIG_DEFER_CALLBACKS);
  if (is_linked(filter)) {
    retry_input(filter);
    if (bufferevent_is_active(bev, EV_READ) && !filter->is_stalled)
      bufferevent_resume_read(filter->underlying, BEV_SUSPEND_FILTER);
    else
      bufferevent_suspend_read(filter->underlying, BEV_SUSPEND_FILTER);
  }
  return bufferevent_follow_waiting(bev, bufferevent_waiting(bev));
}

static int filter_flush(struct bufferevent_private *bev, short directions,
                        enum bufferevent_flush_mode mode) {
  struct bufferevent_filter *filter = filter_of(bev);
  bool has_processed = false;
  if (directions & EV_READ) has_processed = serve_input(filter, mode, BEV_TRIG_DEFER_CALLBACKS);
  if (directions & EV_WRITE && run_output(filter, mode, BEV_TRIG_DEFER_CALLBACKS))
    has_processed = true;
  if (is_linked(filter)) (void)bufferevent_flush(&filter->underlying->bev, directions, mode);
  bufferevent_update(bev);
  return has_processed;
}

static void filter_detach(struct bufferevent_private *bev) {
  struct bufferevent_filter *filter = filter_of(bev);
  struct bufferevent_private *underlying = filter->underlying;
  if (filter->is_detached) return;
  filter->is_detached = true;
  if (underlying->bev.errorcb == on_underlying_event && underlying->bev.cbarg == filter)
    bufferevent_setcb(&underlying->bev, NULL, NULL, NULL, NULL);
  if (underlying->is_freed) return;
  if (bev->options & BEV_OPT_CLOSE_ON_FREE)
    bufferevent_free(&underlying->bev);
  else
    bufferevent_resume_read(underlying, BEV_SUSPEND_FILTER);
}

static void filter_destroy(struct bufferevent_private *bev) {
  struct bufferevent_filter *filter = filter_of(bev);
  if (filter->free_context) filter->free_context(filter->context);
  bufferevent_decref(&filter->underlying->bev);
}

static int filter_set_fd(struct bufferevent_private *bev, evutil_socket_t fd) {
  struct bufferevent_filter *filter = filter_of(bev);
  if (!is_linked(filter) || bufferevent_setfd(&filter->underlying->bev, fd) < 0) return -1;
  filter->held_events = 0; /* they were another socket's */
  return 0;
}

static int filter_discard_fd(struct bufferevent_private *bev, evutil_socket_t fd) {
  return bufferevent_discard_fd(filter_of(bev)->underlying, fd);
}

static evutil_socket_t filter_get_fd(struct bufferevent_private *bev) {
  return bufferevent_getfd(&filter_of(bev)->underlying->bev);
}

static struct bufferevent_private *filter_peer(struct bufferevent_private *bev) {
  return filter_of(bev)->underlying;
}

static const struct bufferevent_ops filter_ops = {
    .type = "filter",
    .moves_at_once = true,
    .wraps_peer = true,
    .update = filter_update,
    .detach = filter_detach,
    .destroy = filter_destroy,
    .flush = filter_flush,
    .set_fd = filter_set_fd,
    .get_fd = filter_get_fd,
    .discard_fd = filter_discard_fd,
    .peer = filter_peer,
    .work = filter_work,
};

/* --- Making --- */

static struct bufferevent_filter *allocate(struct bufferevent_private *underlying, int options) {
  struct bufferevent_filter *filter = strata_calloc(1, sizeof(*filter));
  if (!filter) return NULL;
  filter->underlying = underlying;
  if (bufferevent_share_lock(&filter->bev, underlying) < 0 ||
      bufferevent_init(&filter->bev, underlying->bev.ev_base, &filter_ops,
                       options & ~BEV_OPT_THREADSAFE) < 0) {
    strata_free(filter);
    return NULL;
  }
  underlying->num_refs++;
  /* What it has read before counts too. */
  filter->is_stalled = underlying->input.total_len > 0;
  return filter;
}

static struct bufferevent_filter *put_over(struct bufferevent_private *underlying, int options) {
  struct bufferevent_filter *filter = allocate(underlying, options);
  if (!filter) return NULL;
  bufferevent_suspend_read(underlying, BEV_SUSPEND_FILTER);
  if (bufferevent_enable(&underlying->bev, EV_READ | EV_WRITE) == 0) {
    bufferevent_setcb(&underlying->bev, on_underlying_read, on_underlying_write,
                      on_underlying_event, filter);
    return filter;
  }
  bufferevent_resume_read(underlying, BEV_SUSPEND_FILTER);
  filter->is_detached = true; /* the underlying stays the caller's */
  bufferevent_free(&filter->bev.bev);
  return NULL;
}

struct bufferevent *bufferevent_filter_new(struct bufferevent *underlying,
                                           bufferevent_filter_cb input_filter,
                                           bufferevent_filter_cb output_filter, int options,
                                           void (*free_context)(void *), void *ctx) {
  struct bufferevent_private *below = bufferevent_private_of(underlying);
  if (options & BEV_OPT_THREADSAFE && bufferevent_enable_locking(below) < 0) return NULL;
  if (!bufferevent_hold(below)) return NULL;
  struct bufferevent_filter *filter = put_over(below, options);
  if (filter) {
    filter->input_filter = input_filter ? input_filter : pass_through;
    filter->output_filter = output_filter ? output_filter : pass_through;
    filter->free_context = free_context;
    filter->context = ctx;
  }
  bufferevent_release(below);
  return filter ? &filter->bev.bev : NULL;
}

#ifndef EVENT2_BUFFEREVENT_H_INCLUDED_
#define EVENT2_BUFFEREVENT_H_INCLUDED_

/** @file event2/bufferevent.h
 *
 * Bufferevents: a stream with an input and an output evbuffer. The library reads from the stream
 * into the input and calls back when there is something; what the program puts into the output, the
 * library writes.
 *
 * A bufferevent has two directions, EV_READ and EV_WRITE, each enabled or disabled. A new one
 * writes and does not read: call bufferevent_enable(bev, EV_READ) once the callbacks are set. A
 * direction that ends (end of stream, error, timeout) is disabled before the event callback hears
 * of it; the bufferevent goes on existing until it is freed. Neither a bufferevent that is disabled
 * in both directions nor one that has nothing to write keeps the loop running.
 *
 * Callbacks. There are three: data arrived, output was written, and something happened (see
 * BEV_EVENT_...). They run in the thread of the base's loop, and never from inside a call that the
 * program makes on the bufferevent, with one exception: bufferevent_trigger() and
 * bufferevent_trigger_event() without the option to defer. A callback may free any bufferevent, its
 * own included, change callbacks, enable and disable, read and write.
 *
 * Lifetime. bufferevent_free() gives up the caller's reference; after it no callback starts, and
 * the bufferevent and its buffers must not be used any more. The base must outlive it.
 *
 * Threads. A bufferevent with BEV_OPT_THREADSAFE may be used from any thread, and so may its
 * buffers, which share its lock. That lock is held while its callbacks run: two loops whose
 * callbacks write to each other's bufferevents can wait for each other for ever. With
 * BEV_OPT_UNLOCK_CALLBACKS (and BEV_OPT_DEFER_CALLBACKS, which it needs) callbacks run without the
 * lock, and may use any bufferevent. Others belong to the thread of the loop.
 *
 * Errors. int functions return 0 on success and -1 on failure, pointer functions NULL on failure,
 * unless said otherwise. A failed call leaves the bufferevent and the bytes in it as they were.
 *
 * Kinds. bufferevent_socket_new() works on a socket. bufferevent_pair_new() makes two that are each
 * other's stream, without the kernel. bufferevent_filter_new() lies over another bufferevent and
 * transforms what goes through. //net makes no base: event_base_new() comes with //backends.
 */

#include <stddef.h>

#include <event2/event-config.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evbuffer;
struct evdns_base;
struct evutil_addrinfo;
struct sockaddr;

/** A buffered stream. Opaque; event2/bufferevent_struct.h has the layout of its public part. */
struct bufferevent;

/** @name What the event callback is told
 * Where it happened (READING or WRITING), together with what happened.
 * @{ */
/** It concerns reading. */
#define BEV_EVENT_READING 0x01
/** It concerns writing. */
#define BEV_EVENT_WRITING 0x02
/** The peer will send no more. What it did send is in the input. */
#define BEV_EVENT_EOF 0x10
/** The stream, or the attempt to connect, failed; EVUTIL_SOCKET_ERROR() has the reason during the
 * callback. */
#define BEV_EVENT_ERROR 0x20
/** The timeout of bufferevent_set_timeouts() passed. */
#define BEV_EVENT_TIMEOUT 0x40
/** The connection that bufferevent_socket_connect() asked for is there. Comes alone. */
#define BEV_EVENT_CONNECTED 0x80
/** @} */

/** Called when the input holds new bytes and not less than its low watermark (read callback), or
 * when the output has been written down to its low watermark (write callback; watermark 0: when it
 * has become empty). `ctx` is the argument from bufferevent_setcb(). */
typedef void (*bufferevent_data_cb)(struct bufferevent *bev, void *ctx);

/** Called when something other than data happened; `what` combines BEV_EVENT_... and, where
 * callbacks are deferred, collects all that happened since the last call. `ctx` as above. */
typedef void (*bufferevent_event_cb)(struct bufferevent *bev, short what, void *ctx);

/** Options of a new bufferevent, to be combined. */
enum bufferevent_options {
  /** The socket belongs to the bufferevent, which closes it when it is freed. */
  BEV_OPT_CLOSE_ON_FREE = (1 << 0),
  /** The bufferevent and its buffers get a lock, if threads are set up. */
  BEV_OPT_THREADSAFE = (1 << 1),
  /** Callbacks are queued in the loop and run from there, one call for what several events asked
   * for; not in the middle of the library's work on the bufferevent. */
  BEV_OPT_DEFER_CALLBACKS = (1 << 2),
  /** Callbacks run without the bufferevent's lock. Needs BEV_OPT_DEFER_CALLBACKS. */
  BEV_OPT_UNLOCK_CALLBACKS = (1 << 3)
};

/* ---- Making, connecting and freeing ---------------------------------------------------------- */

/** A bufferevent over the stream socket `fd`, which must not block, or over none yet (-1);
 * `options` combines enum bufferevent_options. Free it with bufferevent_free(). NULL when memory is
 * short or the options contradict each other; then `fd` stays the caller's whatever they say. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_socket_new(struct event_base *base, evutil_socket_t fd,
                                           int options);

/** Starts to connect to `address` (of `address_len` bytes; copied). Where the bufferevent has no
 * socket, it gets a new one, which is closed again if this call fails and is treated as the options
 * say from then on. The event callback hears BEV_EVENT_CONNECTED or BEV_EVENT_ERROR, later from the
 * loop even when the kernel knows at once. With `address` NULL the socket is one that is connecting
 * already. What is written before is sent once connected; enabled directions start then. After an
 * error they stay enabled, and nothing more happens until there is another socket or another
 * attempt. Returns -1 when there is no socket to be had or the attempt cannot be made; then no
 * callback follows. */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_connect(struct bufferevent *bev, const struct sockaddr *address,
                               int address_len);

/** Looks `hostname` up and connects to `port` (1 to 65535, host byte order) at its first address,
 * as bufferevent_socket_connect() does. `family` is AF_INET, AF_INET6, or AF_UNSPEC for either.
 * With an evdns_base the lookup does not block; with `dns` NULL, or when the DNS layer is not
 * linked, the system is asked, which may block. Both directions rest until the answer is there.
 * However it ends, the event callback hears of it from the loop: BEV_EVENT_CONNECTED, or
 * BEV_EVENT_ERROR, for which bufferevent_socket_get_dns_error() tells whether the lookup or
 * connecting failed. Freeing the bufferevent ends the lookup, and so do bufferevent_setfd(),
 * bufferevent_replacefd() and bufferevent_socket_connect(): no callback follows from it then.
 * Returns 0, or -1 without a callback to follow: a bad family or port, a lookup under way already,
 * not a socket bufferevent, or no memory. */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_connect_hostname(struct bufferevent *bev, struct evdns_base *dns, int family,
                                        const char *hostname, int port);

/** The same with the hints of evutil_getaddrinfo() (libevent 2.2). Set ai_socktype and ai_protocol:
 * a stream is what a bufferevent needs. */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_connect_hostname_hints(struct bufferevent *bev, struct evdns_base *dns,
                                              const struct evutil_addrinfo *hints,
                                              const char *hostname, int port);

/** The EVUTIL_EAI_... code of the last lookup if that failed, else 0. Its text:
 * evutil_gai_strerror(). */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_get_dns_error(struct bufferevent *bev);

/** Gives up the caller's reference. No callback starts any more; unwritten output is dropped; the
 * memory and, with BEV_OPT_CLOSE_ON_FREE, the socket go with the last reference, which the library
 * itself may hold while a callback is queued or running. May be called from callbacks. */
EVENT2_EXPORT_SYMBOL
void bufferevent_free(struct bufferevent *bev);

/** Adds a reference, so that the bufferevent's memory stays until bufferevent_decref(). */
EVENT2_EXPORT_SYMBOL
void bufferevent_incref(struct bufferevent *bev);

/** Gives up a reference that bufferevent_incref() added. Returns 1 when it was the last and the
 * bufferevent is gone, else 0. */
EVENT2_EXPORT_SYMBOL
int bufferevent_decref(struct bufferevent *bev);

/* ---- Callbacks ------------------------------------------------------------------------------- */

/** Sets all callbacks (NULL: none) and their argument. Bytes that are in the input already cause no
 * callback by this. */
EVENT2_EXPORT_SYMBOL
void bufferevent_setcb(struct bufferevent *bev, bufferevent_data_cb readcb,
                       bufferevent_data_cb writecb, bufferevent_event_cb eventcb, void *arg);

/** The callbacks and their argument. An output that is NULL is skipped. */
EVENT2_EXPORT_SYMBOL
void bufferevent_getcb(struct bufferevent *bev, bufferevent_data_cb *out_readcb,
                       bufferevent_data_cb *out_writecb, bufferevent_event_cb *out_eventcb,
                       void **out_arg);

/** How bufferevent_trigger() and bufferevent_trigger_event() call back. */
enum bufferevent_trigger_options {
  /** Even if the watermark is not reached. */
  BEV_TRIG_IGNORE_WATERMARKS = (1 << 16),
  /** Later from the loop, even if the bufferevent does not defer its callbacks. */
  BEV_TRIG_DEFER_CALLBACKS = BEV_OPT_DEFER_CALLBACKS
};

/** Calls the read callback (EV_READ in `directions`) if the input holds its low watermark, and the
 * write callback (EV_WRITE) if the output is down to its low watermark. `options` combines enum
 * bufferevent_trigger_options. */
EVENT2_EXPORT_SYMBOL
void bufferevent_trigger(struct bufferevent *bev, short directions, int options);

/** Calls the event callback with `what` (BEV_EVENT_...). Of the options, only
 * BEV_TRIG_DEFER_CALLBACKS matters. */
EVENT2_EXPORT_SYMBOL
void bufferevent_trigger_event(struct bufferevent *bev, short what, int options);

/* ---- Data ------------------------------------------------------------------------------------ */

/** Appends a copy of `size` bytes to the output. It says nothing about their being sent. */
EVENT2_EXPORT_SYMBOL
int bufferevent_write(struct bufferevent *bev, const void *data, size_t size);

/** Moves all of `buf` to the end of the output, without copying. */
EVENT2_EXPORT_SYMBOL
int bufferevent_write_buffer(struct bufferevent *bev, struct evbuffer *buf);

/** Takes up to `size` bytes from the front of the input into `out_data`; returns how many, 0 when
 * there are none. */
EVENT2_EXPORT_SYMBOL
size_t bufferevent_read(struct bufferevent *bev, void *out_data, size_t size);

/** Moves all of the input to the end of `buf`, without copying. */
EVENT2_EXPORT_SYMBOL
int bufferevent_read_buffer(struct bufferevent *bev, struct evbuffer *buf);

/** The input. It belongs to the bufferevent and lives as long. The program may take bytes from it;
 * only the bufferevent may add at its end. Taking bytes makes a reader that stopped at the high
 * watermark go on. */
EVENT2_EXPORT_SYMBOL
struct evbuffer *bufferevent_get_input(struct bufferevent *bev);

/** The output. It belongs to the bufferevent and lives as long. The program may add bytes to it;
 * only the bufferevent may take from its front. Adding bytes makes it write. */
EVENT2_EXPORT_SYMBOL
struct evbuffer *bufferevent_get_output(struct bufferevent *bev);

/** How bufferevent_flush() flushes. */
enum bufferevent_flush_mode {
  /** As usual: process what is convenient. */
  BEV_NORMAL = 0,
  /** All that was put in, as far as possible. */
  BEV_FLUSH = 1,
  /** All that was put in, and that was the end. */
  BEV_FINISHED = 2
};

/** Asks bufferevents that transform or pass on data to move what they hold, in the directions given
 * (EV_READ, EV_WRITE). Returns 1 when something moved, 0 when nothing did, -1 on error. A socket
 * bufferevent holds nothing back: it does nothing and returns 0. */
EVENT2_EXPORT_SYMBOL
int bufferevent_flush(struct bufferevent *bev, short directions, enum bufferevent_flush_mode mode);

/* ---- Flow: directions, watermarks, timeouts, limits ------------------------------------------ */

/** Enables directions (EV_READ, EV_WRITE). What became readable or writable while a direction was
 * disabled is taken up later from the loop, not inside this call. A timeout starts anew. Whoever
 * enables EV_WRITE while the output is empty hears from the write callback once the stream takes
 * bytes. */
EVENT2_EXPORT_SYMBOL
int bufferevent_enable(struct bufferevent *bev, short directions);

/** Disables directions (EV_READ, EV_WRITE): no more is read, or written. Bytes stay in the buffers,
 * and a callback that is queued already may still come. While an attempt to connect is going on,
 * EV_WRITE can be disabled without giving it up. */
EVENT2_EXPORT_SYMBOL
int bufferevent_disable(struct bufferevent *bev, short directions);

/** The enabled directions, EV_READ and EV_WRITE. */
EVENT2_EXPORT_SYMBOL
short bufferevent_get_enabled(struct bufferevent *bev);

/** Sets the watermarks, in bytes, of the directions given. Reading: the read callback comes only
 * when the input holds `low` bytes or more; reading stops when it holds `high` (0: never) and goes
 * on when it holds less. Writing: the write callback comes when the output is down to `low`; `high`
 * binds those who generate output (filters), not bufferevent_write(). All are 0 at first. */
EVENT2_EXPORT_SYMBOL
void bufferevent_setwatermark(struct bufferevent *bev, short directions, size_t low, size_t high);

/** The watermarks of one direction, EV_READ or EV_WRITE; anything else fails. An output that is
 * NULL is skipped. */
EVENT2_EXPORT_SYMBOL
int bufferevent_getwatermark(struct bufferevent *bev, short direction, size_t *out_low,
                             size_t *out_high);

/** Sets how long each direction may make no progress while it wants to: reading while enabled and
 * not stopped by the high watermark, writing while there is output, or, enabled or not, while it is
 * connecting. Then the direction is disabled and the event callback hears BEV_EVENT_TIMEOUT. NULL:
 * for ever, as at first. The times are copied and count from now. One that runs keeps the loop
 * running, also that of a pair or filter. */
EVENT2_EXPORT_SYMBOL
int bufferevent_set_timeouts(struct bufferevent *bev, const struct timeval *timeout_read,
                             const struct timeval *timeout_write);

/** Sets how many bytes one wake-up may read; 0, or more than a ssize_t holds: the default of 65536.
 * Bounds what one busy connection may take from the others. */
EVENT2_EXPORT_SYMBOL
int bufferevent_set_max_single_read(struct bufferevent *bev, size_t size);

/** As bufferevent_set_max_single_read(), for writing; the default is 262144. */
EVENT2_EXPORT_SYMBOL
int bufferevent_set_max_single_write(struct bufferevent *bev, size_t size);

/** How many bytes one wake-up may read. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_single_read(struct bufferevent *bev);

/** How many bytes one wake-up may write. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_single_write(struct bufferevent *bev);

/* ---- Rate limits ------------------------------------------------------------------------------
 *
 * A token is the right to move one byte. A bucket of tokens starts with the rate and gets the rate
 * again with every tick, as long as that does not make it more than the burst. A direction without
 * tokens pauses until a tick brings some; what paused does not run into the timeouts meanwhile.
 *
 * A bufferevent may have a bucket of its own, share one with the other members of a group, or both:
 * then it moves what both allow. The reading and the writing direction are limited apart.
 *
 * Limits bind bufferevents on sockets and pairs; what passes between the two of a pair counts as
 * written by one and as read by the other, and bufferevent_flush() moves it all, for later ticks to
 * pay. On a filter a limit can be set, and does nothing: its functions decide how much they take.
 * Limit what it lies over. */

/** The rates, bursts and tick of a bucket. Opaque. */
struct ev_token_bucket_cfg;

/** Bufferevents that share a bucket. Opaque. */
struct bufferevent_rate_limit_group;

/** No rate and no burst may be greater. */
#define EV_RATE_LIMIT_MAX EV_SSIZE_MAX

/** A configuration with rates in bytes a tick, bursts in bytes, and the length of a tick: whole
 * milliseconds (the rest is dropped), NULL for a second. NULL when a rate is 0 or above its burst,
 * a burst is above EV_RATE_LIMIT_MAX, the tick is shorter than a millisecond, or memory is short.
 */
EVENT2_EXPORT_SYMBOL
struct ev_token_bucket_cfg *ev_token_bucket_cfg_new(size_t read_rate, size_t read_burst,
                                                    size_t write_rate, size_t write_burst,
                                                    const struct timeval *tick_len);

/** Frees a configuration, which no bufferevent uses any more. Groups keep copies. */
EVENT2_EXPORT_SYMBOL
void ev_token_bucket_cfg_free(struct ev_token_bucket_cfg *cfg);

/** Gives the bufferevent a bucket of its own, or takes it away (`cfg` NULL). `cfg` is used, not
 * copied: it must stay until another is set or the bufferevent is freed. A bufferevent that has a
 * bucket keeps its tokens, down to the new burst, and the running tick; setting the same `cfg`
 * again changes nothing. */
EVENT2_EXPORT_SYMBOL
int bufferevent_set_rate_limit(struct bufferevent *bev, struct ev_token_bucket_cfg *cfg);

/** What bufferevent_set_rate_limit() set last. */
EVENT2_EXPORT_SYMBOL
const struct ev_token_bucket_cfg *bufferevent_get_token_bucket_cfg(const struct bufferevent *bev);

/** The tokens in the bufferevent's own bucket, less than 0 when more was taken than there was;
 * EV_SSIZE_MAX when it has none. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_read_limit(struct bufferevent *bev);

/** As bufferevent_get_read_limit(), for writing. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_write_limit(struct bufferevent *bev);

/** How many bytes would be read at once now: what bufferevent_set_max_single_read(), its own bucket
 * and its share in its group allow. Not less than 0. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_to_read(struct bufferevent *bev);

/** As bufferevent_get_max_to_read(), for writing. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_to_write(struct bufferevent *bev);

/** Takes `decr` tokens out of the bufferevent's own bucket, or puts some in (`decr` less than 0;
 * what is above the burst goes with the next tick), and pauses or resumes reading accordingly. -1
 * when it has no bucket. */
EVENT2_EXPORT_SYMBOL
int bufferevent_decrement_read_limit(struct bufferevent *bev, ev_ssize_t decr);

/** As bufferevent_decrement_read_limit(), for writing. */
EVENT2_EXPORT_SYMBOL
int bufferevent_decrement_write_limit(struct bufferevent *bev, ev_ssize_t decr);

/** A group without members, whose bucket is filled as `cfg` (copied) says. Its timers run in
 * `base`, which must outlive it, while a member waits; the members may be in other bases, if
 * threads are set up. Free it with bufferevent_rate_limit_group_free(). NULL when memory is short.
 */
EVENT2_EXPORT_SYMBOL
struct bufferevent_rate_limit_group *bufferevent_rate_limit_group_new(
    struct event_base *base, const struct ev_token_bucket_cfg *cfg);

/** Changes the group's configuration (copied). The bucket keeps its tokens, down to the new burst,
 * and the running tick. */
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_set_cfg(struct bufferevent_rate_limit_group *group,
                                         const struct ev_token_bucket_cfg *cfg);

/** Sets the least that a member which waits is given at a time: with too few tokens for everybody
 * the members take turns. It counts as the lower of the two rates where it is above that. At first
 * 64. -1 for more than EV_RATE_LIMIT_MAX. */
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_set_min_share(struct bufferevent_rate_limit_group *group,
                                               size_t min_share);

/** Frees the group, which has no members any more; a bufferevent that is freed leaves its group at
 * once. May be called from callbacks. */
EVENT2_EXPORT_SYMBOL
void bufferevent_rate_limit_group_free(struct bufferevent_rate_limit_group *group);

/** Makes the bufferevent a member of `group`; it leaves the one it was in. With NULL it only
 * leaves. May be called from callbacks. */
EVENT2_EXPORT_SYMBOL
int bufferevent_add_to_rate_limit_group(struct bufferevent *bev,
                                        struct bufferevent_rate_limit_group *group);

/** Makes the bufferevent leave its group, if it is in one. May be called from callbacks. */
EVENT2_EXPORT_SYMBOL
int bufferevent_remove_from_rate_limit_group(struct bufferevent *bev);

/** The tokens in the group's bucket, less than 0 when more was taken than there was. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_rate_limit_group_get_read_limit(struct bufferevent_rate_limit_group *group);

/** As bufferevent_rate_limit_group_get_read_limit(), for writing. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_rate_limit_group_get_write_limit(struct bufferevent_rate_limit_group *group);

/** As bufferevent_decrement_read_limit(), for the group's bucket. */
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_decrement_read(struct bufferevent_rate_limit_group *group,
                                                ev_ssize_t decr);

/** As bufferevent_decrement_write_limit(), for the group's bucket. */
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_decrement_write(struct bufferevent_rate_limit_group *group,
                                                 ev_ssize_t decr);

/** The bytes that the members have read and written since the group was made or its totals reset.
 * An output that is NULL is skipped. */
EVENT2_EXPORT_SYMBOL
void bufferevent_rate_limit_group_get_totals(struct bufferevent_rate_limit_group *group,
                                             ev_uint64_t *out_total_read,
                                             ev_uint64_t *out_total_written);

/** Sets the totals to 0. */
EVENT2_EXPORT_SYMBOL
void bufferevent_rate_limit_group_reset_totals(struct bufferevent_rate_limit_group *group);

/* ---- What it stands on ----------------------------------------------------------------------- */

/** Puts the bufferevent on another socket (-1: none), in whose state it starts afresh; the
 * directions stay as enabled and the buffers keep their bytes. The socket before is not closed and
 * is the caller's again. A lookup for bufferevent_socket_connect_hostname() ends. */
EVENT2_EXPORT_SYMBOL
int bufferevent_setfd(struct bufferevent *bev, evutil_socket_t fd);

/** As bufferevent_setfd(), but closes the socket before. From libevent 2.2. */
EVENT2_EXPORT_SYMBOL
int bufferevent_replacefd(struct bufferevent *bev, evutil_socket_t fd);

/** The socket, or -1 for none. It stays the bufferevent's: closing it is bufferevent_setfd(-1)
 * first, then close. */
EVENT2_EXPORT_SYMBOL
evutil_socket_t bufferevent_getfd(struct bufferevent *bev);

/** The bufferevent that a filter lies over; NULL for other kinds. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_get_underlying(struct bufferevent *bev);

/** Moves a socket bufferevent to another base, as long as nothing of it is pending: it does not
 * read, no output and no callback waits. Its priority becomes the middle one there. Fails for other
 * kinds of bufferevents. */
EVENT2_EXPORT_SYMBOL
int bufferevent_base_set(struct event_base *base, struct bufferevent *bev);

/** The base. */
EVENT2_EXPORT_SYMBOL
struct event_base *bufferevent_get_base(struct bufferevent *bev);

/** Sets the priority (see event_base_priority_init()) at which a socket bufferevent does its I/O
 * and its deferred callbacks run; at first the base's middle one. -1 when it is out of range or one
 * of its events is active. */
EVENT2_EXPORT_SYMBOL
int bufferevent_priority_set(struct bufferevent *bev, int priority);

/** The priority. */
EVENT2_EXPORT_SYMBOL
int bufferevent_get_priority(const struct bufferevent *bev);

/* ---- Pairs ----------------------------------------------------------------------------------- */

/** Makes two bufferevents, of which each reads what the other writes. Bytes move at once whenever
 * one writes or has output and the other reads, but not past the reader's high watermark; blocks
 * are moved, not copied. Callbacks are always deferred. `options` as for sockets, where
 * BEV_OPT_CLOSE_ON_FREE means nothing; with BEV_OPT_THREADSAFE both have one lock together. There
 * is no descriptor and no priority to set.
 *
 * bufferevent_flush() with BEV_FLUSH or BEV_FINISHED moves all there is, enabled or not and past
 * the watermark; BEV_FINISHED then tells the partner's event callback BEV_EVENT_EOF, with
 * BEV_EVENT_READING for EV_WRITE here and BEV_EVENT_WRITING for EV_READ. It fails once the partner
 * is gone, and BEV_NORMAL does nothing.
 *
 * Free each of them. Freeing one tells the other nothing, whose output then stays where it is; what
 * had not moved yet is dropped with the one that is freed. */
EVENT2_EXPORT_SYMBOL
int bufferevent_pair_new(struct event_base *base, int options, struct bufferevent *out_pair[2]);

/** The other one of a pair, or NULL when it was freed or `bev` is of another kind. No reference is
 * added. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_pair_get_partner(struct bufferevent *bev);

/* ---- Filters --------------------------------------------------------------------------------- */

/** What a filter function returns. */
enum bufferevent_filter_result {
  /** Done: bytes were taken, or put out. Called again while there are more. */
  BEV_OK = 0,
  /** Nothing to put out before there is more input. */
  BEV_NEED_MORE = 1,
  /** It can't go on, ever. The direction is disabled, and the filter's event callback hears
   * BEV_EVENT_ERROR. */
  BEV_ERROR = 2
};

/** Takes bytes from the front of `src`, transformed ones go to the end of `dst`: at most
 * `dst_limit`, unless it is -1. What it can't use yet stays in `src`, to be shown again with more.
 * With `mode` BEV_FLUSH it should put out what it can, with BEV_FINISHED that was the end; `src`
 * may be empty then. `ctx` is the filter's context. Called with the lock held, for output from
 * inside the calls that add it. May free the bufferevents; then nothing follows. */
typedef enum bufferevent_filter_result (*bufferevent_filter_cb)(struct evbuffer *src,
                                                                struct evbuffer *dst,
                                                                ev_ssize_t dst_limit,
                                                                enum bufferevent_flush_mode mode,
                                                                void *ctx);

/** A bufferevent over `underlying`, whose callbacks it takes over: they must not be changed, nor
 * may it get a second filter, while this one lives. What `underlying` reads goes through
 * `input_filter` into the new one's input, no further than its high read watermark; what the new
 * one writes goes through `output_filter` into the output of `underlying`, no further than the high
 * write watermark of that. NULL passes bytes on as they are. Each goes on when its buffer has been
 * emptied.
 *
 * `underlying` is enabled in both directions, but reads only while the filter does. Its events
 * (end, errors, connected) are told by the filter, an end behind the bytes before it. A write
 * callback says that the output was taken by the filter function, not that it was sent.
 * bufferevent_flush() calls the functions with its mode, then flushes `underlying`.
 * bufferevent_setfd() and bufferevent_getfd() work on `underlying`; a priority can't be set.
 *
 * The filter uses the lock of `underlying`. If that has none, BEV_OPT_THREADSAFE gives it one,
 * which fails while it has more references than its owner's: inside its callbacks, or after
 * bufferevent_incref().
 *
 * `underlying` stays as long as the filter. With BEV_OPT_CLOSE_ON_FREE freeing the filter frees it,
 * unless somebody has; else it is given back, without callbacks. Then `free_context` (may be NULL)
 * is called with `ctx`, once no function can be running; not when making the filter fails. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_filter_new(struct bufferevent *underlying,
                                           bufferevent_filter_cb input_filter,
                                           bufferevent_filter_cb output_filter, int options,
                                           void (*free_context)(void *), void *ctx);

/* ---- The lock -------------------------------------------------------------------------------- */

/** Takes the bufferevent's lock, which is recursive and shared with its buffers, so that several
 * calls happen as one. Nothing without BEV_OPT_THREADSAFE. */
EVENT2_EXPORT_SYMBOL
void bufferevent_lock(struct bufferevent *bev);

/** Releases the lock that bufferevent_lock() took. */
EVENT2_EXPORT_SYMBOL
void bufferevent_unlock(struct bufferevent *bev);

#ifdef __cplusplus
}
#endif

#endif

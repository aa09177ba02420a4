#ifndef EVENT2_BUFFER_H_INCLUDED_
#define EVENT2_BUFFER_H_INCLUDED_

/** @file event2/buffer.h
 *
 * Byte queues for network I/O. An evbuffer takes bytes at its end and gives them out at its
 * front; inside, it is a list of memory blocks, so that whole blocks move between buffers, to
 * and from the kernel, or stay where the program keeps them, without a copy. What is needed in
 * one piece is asked for with evbuffer_pullup(); what may come in pieces is cheaper to get with
 * evbuffer_peek().
 *
 * Conventions. Functions that return int give 0 for success and -1 for failure unless they say
 * otherwise. Out of memory is a failure like any other, and a call that fails leaves every
 * buffer as it was. A buffer holds at most EV_SSIZE_MAX bytes; what would exceed that fails. A
 * buffer belongs to one thread at a time unless evbuffer_enable_locking() was called.
 */

#include <stdarg.h>

#include <event2/event-config.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef EVENT__HAVE_SYS_TYPES_H
#include <sys/types.h>
#endif
#ifdef EVENT__HAVE_SYS_UIO_H
#include <sys/uio.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The byte queue. Its fields belong to the library. */
struct evbuffer;

/** A position in a buffer: from 0 to its length, the end included.
 *
 * Made by evbuffer_ptr_set() and the search functions only. Anything that changes the buffer or
 * moves its bytes makes all its pointers invalid. `pos` is -1 in the result of a search that
 * found nothing.
 */
struct evbuffer_ptr {
  ev_ssize_t pos; /**< Bytes before the position. */
  /** Owned by the library. */
  struct {
    void *chain;
    size_t pos_in_chain;
  } internal_;
};

/** A run of memory: where it starts and how long it is. The system's own struct where there is
 * one. */
#ifdef EVENT__HAVE_SYS_UIO_H
#define evbuffer_iovec iovec
#define EVBUFFER_IOVEC_IS_NATIVE_
#else
struct evbuffer_iovec {
  void *iov_base;
  size_t iov_len;
};
#endif

/* ---- Life, locks, flags ---- */

/** Makes an empty buffer, to be freed with evbuffer_free(). NULL when out of memory. */
EVENT2_EXPORT_SYMBOL
struct evbuffer *evbuffer_new(void);

/** Frees a buffer with what is in it. None of its callbacks runs any more, deferred ones
 * included; a callback may free the buffer that it was called for. */
EVENT2_EXPORT_SYMBOL
void evbuffer_free(struct evbuffer *buf);

/** Makes a buffer safe for use by several threads.
 *
 * The lock is recursive, and is held while the buffer's callbacks run (but not while clean-up
 * functions of references do).
 *
 * @param lock a lock of the installed lock callbacks, which stays the caller's and must outlive
 *   the buffer; NULL makes one of the buffer's own.
 * @return -1 when the buffer has a lock already, or none could be made (evthread_use_pthreads()
 *   or its like must have been called before).
 */
EVENT2_EXPORT_SYMBOL
int evbuffer_enable_locking(struct evbuffer *buf, void *lock);

/** Takes the buffer's lock, so that several calls appear as one to other threads. Does nothing
 * for a buffer without a lock. */
EVENT2_EXPORT_SYMBOL
void evbuffer_lock(struct evbuffer *buf);

/** Gives the lock back. */
EVENT2_EXPORT_SYMBOL
void evbuffer_unlock(struct evbuffer *buf);

/** Flag of a buffer: its bytes leave by being written to a descriptor, drained, or moved to
 * another buffer, and are not looked at. evbuffer_add_file() then needs not bring the file into
 * memory: it is sent by sendfile(2), or read piece by piece where there is none. Bufferevents over
 * sockets set it on their output, but those on a completion port. */
#define EVBUFFER_FLAG_DRAINS_TO_FD 1

/** Sets the given EVBUFFER_FLAG_* bits. */
EVENT2_EXPORT_SYMBOL
int evbuffer_set_flags(struct evbuffer *buf, ev_uint64_t flags);

/** Clears the given EVBUFFER_FLAG_* bits. */
EVENT2_EXPORT_SYMBOL
int evbuffer_clear_flags(struct evbuffer *buf, ev_uint64_t flags);

/* ---- Sizes ---- */

/** How many bytes the buffer holds. */
EVENT2_EXPORT_SYMBOL
size_t evbuffer_get_length(const struct evbuffer *buf);

/** How many bytes lie in one piece at the front: evbuffer_pullup() of no more than that many
 * does not copy. */
EVENT2_EXPORT_SYMBOL
size_t evbuffer_get_contiguous_space(const struct evbuffer *buf);

/** Makes room so that adding the next datlen bytes allocates nothing. */
EVENT2_EXPORT_SYMBOL
int evbuffer_expand(struct evbuffer *buf, size_t datlen);

/* ---- Writing straight into a buffer ---- */

/** Lends out room at the end, for the caller to write into and then hand back with
 * evbuffer_commit_space(). Until then the bytes are not part of the buffer, and nothing else
 * may be done that adds to it or rearranges it; asking again lends the same room.
 *
 * @param size the bytes needed at least; the extents together may have more.
 * @param vec filled with the extents.
 * @param n_vec the length of vec: 1 for room in one piece, 2 or more to let the library use
 *   what is left of the last block first (no more than two extents are ever used).
 * @return how many extents were filled in; -1 when size is negative, n_vec is below 1, the end
 *   is frozen, or memory is out.
 */
EVENT2_EXPORT_SYMBOL
int evbuffer_reserve_space(struct evbuffer *buf, ev_ssize_t size, struct evbuffer_iovec *vec,
                           int n_vec);

/** Appends what was written into lent room.
 *
 * @param vec extents from evbuffer_reserve_space(), in their order, each iov_len lowered to
 *   what was written there.
 * @return -1, and nothing is appended, when an extent is not the room after the buffer's
 *   present end (for instance since something was added meanwhile) or the end is frozen.
 */
EVENT2_EXPORT_SYMBOL
int evbuffer_commit_space(struct evbuffer *buf, struct evbuffer_iovec *vec, int n_vecs);

/* ---- Adding, removing, copying ---- */

/** Appends a copy of datlen bytes. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add(struct evbuffer *buf, const void *data, size_t datlen);

/** Puts a copy of `size` bytes before what is in the buffer. */
EVENT2_EXPORT_SYMBOL
int evbuffer_prepend(struct evbuffer *buf, const void *data, size_t size);

/** Takes up to datlen bytes (and no more than INT_MAX) from the front into `data`.
 * @return how many, or -1 when the front is frozen. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove(struct evbuffer *buf, void *data, size_t datlen);

/** Copies up to datlen bytes from the front and leaves them where they are.
 * @return how many, or -1 when the front is frozen. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t evbuffer_copyout(struct evbuffer *buf, void *data_out, size_t datlen);

/** As evbuffer_copyout(), from a position; NULL means the front. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t evbuffer_copyout_from(struct evbuffer *buf, const struct evbuffer_ptr *pos,
                                 void *data_out, size_t datlen);

/** Throws away up to `len` bytes at the front. Fails when the front is frozen and the buffer is
 * not empty. */
EVENT2_EXPORT_SYMBOL
int evbuffer_drain(struct evbuffer *buf, size_t len);

/** Moves everything in inbuf to the end of outbuf, by relinking blocks rather than copying
 * (very small amounts may be copied, where that is cheaper). */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_buffer(struct evbuffer *outbuf, struct evbuffer *inbuf);

/** Moves everything in src before what is in dst. */
EVENT2_EXPORT_SYMBOL
int evbuffer_prepend_buffer(struct evbuffer *dst, struct evbuffer *src);

/** Moves up to datlen bytes from the front of src to the end of dst. Whole blocks are
 * relinked, and at most one is split by copying.
 * @return how many bytes were moved (at most INT_MAX unless src is emptied), -1 on failure. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove_buffer(struct evbuffer *src, struct evbuffer *dst, size_t datlen);

/** Makes outbuf show the bytes of inbuf at its end without copying them; inbuf keeps them. The
 * two buffers may then go their ways, and be freed, independently. Fails when inbuf holds bytes
 * that themselves came from this function or from a file, and when both are the same. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_buffer_reference(struct evbuffer *outbuf, struct evbuffer *inbuf);

/** Appends copies of several extents, with one notification of callbacks.
 * @return how many bytes were added: all, or 0 on failure. */
EVENT2_EXPORT_SYMBOL
size_t evbuffer_add_iovec(struct evbuffer *buffer, struct evbuffer_iovec *vec, int n_vec);

/** Makes the first `size` bytes (all of them when negative) lie in one piece.
 * @return where they are, valid until the buffer is changed; NULL when there are fewer, when
 *   size is 0, or when memory is out. */
EVENT2_EXPORT_SYMBOL
unsigned char *evbuffer_pullup(struct evbuffer *buf, ev_ssize_t size);

/** Shows where bytes lie, without moving them.
 *
 * @param len how many bytes to show; negative: as many as fit into vec_out.
 * @param start_at where to start; NULL means the front.
 * @param vec_out filled with as many extents as it has room for; the last may show more than
 *   was asked for.
 * @param n_vec the length of vec_out; 0 only counts (with a negative len: the extents of
 *   everything from start_at on).
 * @return how many extents are needed, which may be more than n_vec; -1 when bytes of a file
 *   could not be brought into memory.
 */
EVENT2_EXPORT_SYMBOL
int evbuffer_peek(struct evbuffer *buffer, ev_ssize_t len, struct evbuffer_ptr *start_at,
                  struct evbuffer_iovec *vec_out, int n_vec);

/* ---- Formatted text ---- */

/** Appends text as printf(3) would print it, without the terminating NUL.
 * @return its length, or -1. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_printf(struct evbuffer *buf, const char *fmt, ...) EVENT2_PRINTF_(2, 3);

/** As evbuffer_add_printf(), with a va_list. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_vprintf(struct evbuffer *buf, const char *fmt, va_list ap) EVENT2_PRINTF_(2, 0);

/* ---- Lines and searching ---- */

/** What ends a line. */
enum evbuffer_eol_style {
  /** Any run of CR and LF bytes, taken together. Since the run may be cut by the arrival of
   * data, what is one ending or two depends on timing: not for protocols. */
  EVBUFFER_EOL_ANY,
  /** LF, together with a CR directly before it: what most text protocols tolerate. */
  EVBUFFER_EOL_CRLF,
  /** CR LF, and nothing else. */
  EVBUFFER_EOL_CRLF_STRICT,
  /** LF. */
  EVBUFFER_EOL_LF,
  /** A zero byte. */
  EVBUFFER_EOL_NUL
};

/** Takes the first line and its ending off the front.
 *
 * @param n_read_out when not NULL, gets the length of the line (0 when there is none).
 * @return the line without its ending, with a NUL after it, to be freed by the caller with
 *   free() (or the function given to event_set_mem_functions()); NULL when there is no line
 *   ending in the buffer, the front is frozen, or memory is out.
 */
EVENT2_EXPORT_SYMBOL
char *evbuffer_readln(struct evbuffer *buffer, size_t *n_read_out,
                      enum evbuffer_eol_style eol_style);

/** Finds the first line ending at or after `start` (NULL: the front).
 *
 * @param eol_len_out when not NULL, gets the ending's length.
 * @return where it begins, or a pointer whose pos is -1.
 */
EVENT2_EXPORT_SYMBOL
struct evbuffer_ptr evbuffer_search_eol(struct evbuffer *buffer, struct evbuffer_ptr *start,
                                        size_t *eol_len_out, enum evbuffer_eol_style eol_style);

/** Finds the first occurrence of `len` bytes that begins at or after `start` (NULL: the front).
 * @return where, or a pointer whose pos is -1. Nothing (len 0) is found at the start. */
EVENT2_EXPORT_SYMBOL
struct evbuffer_ptr evbuffer_search(struct evbuffer *buffer, const char *what, size_t len,
                                    const struct evbuffer_ptr *start);

/** As evbuffer_search(), for occurrences that lie wholly before `end` (NULL: the end). */
EVENT2_EXPORT_SYMBOL
struct evbuffer_ptr evbuffer_search_range(struct evbuffer *buffer, const char *what, size_t len,
                                          const struct evbuffer_ptr *start,
                                          const struct evbuffer_ptr *end);

/** What evbuffer_ptr_set() counts from. */
enum evbuffer_ptr_how {
  /** The front; the pointer may be uninitialised. */
  EVBUFFER_PTR_SET,
  /** Where the pointer stands. */
  EVBUFFER_PTR_ADD
};

/** Puts a pointer `position` bytes after the front, or moves it forward by as many.
 * @return -1 when that is beyond the end; the pointer's pos is then -1. */
EVENT2_EXPORT_SYMBOL
int evbuffer_ptr_set(struct evbuffer *buffer, struct evbuffer_ptr *ptr, size_t position,
                     enum evbuffer_ptr_how how);

/* ---- Memory of the caller's ---- */

/** Called when a buffer needs referenced memory no longer: `data` and `datalen` are those of
 * evbuffer_add_reference(). Runs without the buffer's lock, once, in whichever thread let go
 * last; may do anything, to the buffer too. */
typedef void (*evbuffer_ref_cleanup_cb)(const void *data, size_t datalen, void *extra);

/** Appends memory without copying it. The memory must neither change nor go away until
 * `cleanupfn` (which may be NULL) is called. On failure it is not called: the memory is still
 * the caller's alone. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_reference(struct evbuffer *outbuf, const void *data, size_t datlen,
                           evbuffer_ref_cleanup_cb cleanupfn, void *cleanupfn_arg);

/** As evbuffer_add_reference() for the datlen bytes at data + offset; cleanupfn gets `data` and
 * offset + datlen. (libevent 2.2) */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_reference_with_offset(struct evbuffer *outbuf, const void *data, size_t offset,
                                       size_t datlen, evbuffer_ref_cleanup_cb cleanupfn,
                                       void *cleanupfn_arg);

/* ---- Files ---- */

/** Appends part of a file, to be sent as sendfile(2), mmap(2) or read(2) allow (see
 * EVBUFFER_FLAG_DRAINS_TO_FD and the EVBUF_FS_* flags). On success the descriptor belongs to the
 * buffer, which closes it when the bytes are gone; on failure it stays the caller's. On Windows it
 * is one of the C runtime, whose text mode has no effect.
 *
 * @param length -1 for everything from offset to the present end of the file.
 * @see evbuffer_file_segment_new()
 */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_file(struct evbuffer *outbuf, int fd, ev_off_t offset, ev_off_t length);

/** A range of a file, for use in any number of buffers. Counted: it lives until its maker has
 * freed it and no buffer needs it. */
struct evbuffer_file_segment;

/** Close the descriptor when the segment goes away. */
#define EVBUF_FS_CLOSE_ON_FREE 0x01
/** Do not map the file: read it instead. */
#define EVBUF_FS_DISABLE_MMAP 0x02
/** Do not use sendfile: bring the bytes into memory when the segment is made. */
#define EVBUF_FS_DISABLE_SENDFILE 0x04
/** No lock: the segment and all buffers that it is in are used by one thread. */
#define EVBUF_FS_DISABLE_LOCKING 0x08

/** Called when a segment has gone: its memory is unmapped and its descriptor closed, if that was
 * asked for. `seg` is good for comparing only. */
typedef void (*evbuffer_file_segment_cleanup_cb)(struct evbuffer_file_segment const *seg, int flags,
                                                 void *arg);

/** Makes a segment of `length` bytes at `offset` in a file.
 *
 * The file may not shrink while the segment is in use: a write of a buffer with
 * EVBUFFER_FLAG_DRAINS_TO_FD then fails with EIO, and a mapped page that is gone raises SIGBUS when
 * the program looks at it.
 *
 * @param fd an open file; it must stay open as long as the segment lives.
 * @param length -1 for everything from offset to the present end.
 * @param flags EVBUF_FS_* bits.
 * @return to be freed with evbuffer_file_segment_free(); NULL on failure, when the descriptor
 *   is left open whatever the flags say.
 */
EVENT2_EXPORT_SYMBOL
struct evbuffer_file_segment *evbuffer_file_segment_new(int fd, ev_off_t offset, ev_off_t length,
                                                        unsigned flags);

/** Lets go of a segment; buffers that it was added to keep what they need. */
EVENT2_EXPORT_SYMBOL
void evbuffer_file_segment_free(struct evbuffer_file_segment *seg);

/** Sets the function that is called when the segment goes away; one a segment. */
EVENT2_EXPORT_SYMBOL
void evbuffer_file_segment_add_cleanup_cb(struct evbuffer_file_segment *seg,
                                          evbuffer_file_segment_cleanup_cb cb, void *arg);

/** Appends `length` bytes of a segment, from `offset` within the segment (not within the file)
 * on; -1 for all that follows. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_file_segment(struct evbuffer *buf, struct evbuffer_file_segment *seg,
                              ev_off_t offset, ev_off_t length);

/* ---- Descriptors (on Windows: sockets) ---- */

/** Writes what it can, in as few system calls as the content allows, and drains it.
 * @return how many bytes, or -1: nothing to write, the front is frozen, or an error of the
 *   system's (EAGAIN and EINTR included), then in EVUTIL_SOCKET_ERROR(). */
EVENT2_EXPORT_SYMBOL
int evbuffer_write(struct evbuffer *buffer, evutil_socket_t fd);

/** As evbuffer_write(), no more than howmuch bytes (negative: no limit). */
EVENT2_EXPORT_SYMBOL
int evbuffer_write_atmost(struct evbuffer *buffer, evutil_socket_t fd, ev_ssize_t howmuch);

/** Reads once and appends what came.
 * @param howmuch the most to read; negative, or more than evbuffer_get_max_read(): that many.
 * @return how many bytes; 0 at the end of the stream (or when howmuch is 0); -1 on error, which is
 *   in EVUTIL_SOCKET_ERROR(). */
EVENT2_EXPORT_SYMBOL
int evbuffer_read(struct evbuffer *buffer, evutil_socket_t fd, int howmuch);

/** Sets the most that one evbuffer_read() takes: 4096 bytes at first. Fails above INT_MAX.
 * (libevent 2.2) */
EVENT2_EXPORT_SYMBOL
int evbuffer_set_max_read(struct evbuffer *buf, size_t max);

/** What evbuffer_set_max_read() set. (libevent 2.2) */
EVENT2_EXPORT_SYMBOL
size_t evbuffer_get_max_read(struct evbuffer *buf);

/* ---- Callbacks ---- */

/** How a buffer changed. */
struct evbuffer_cb_info {
  size_t orig_size; /**< Its length before. */
  size_t n_added;   /**< Bytes added since. */
  size_t n_deleted; /**< Bytes taken out since. */
};

/** Told after each call that changed a buffer's length. May add callbacks, remove any, change or
 * free the buffer; a change made inside calls the callbacks again, nested. The order of several
 * callbacks is not defined. */
typedef void (*evbuffer_cb_func)(struct evbuffer *buffer, const struct evbuffer_cb_info *info,
                                 void *arg);

/** A callback's registration. */
struct evbuffer_cb_entry;

/** Adds a callback, enabled.
 * @return a handle, valid until the callback is removed or the buffer freed; NULL on failure. */
EVENT2_EXPORT_SYMBOL
struct evbuffer_cb_entry *evbuffer_add_cb(struct evbuffer *buffer, evbuffer_cb_func cb,
                                          void *cbarg);

/** Removes a callback by its handle. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove_cb_entry(struct evbuffer *buffer, struct evbuffer_cb_entry *ent);

/** Removes a callback by its function and argument; -1 when there is no such one. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove_cb(struct evbuffer *buffer, evbuffer_cb_func cb, void *cbarg);

/** Flag of a callback: it is called. Changes while it is clear are not reported later. */
#define EVBUFFER_CB_ENABLED 1

/** Sets flags of a callback. */
EVENT2_EXPORT_SYMBOL
int evbuffer_cb_set_flags(struct evbuffer *buffer, struct evbuffer_cb_entry *cb, ev_uint32_t flags);

/** Clears flags of a callback. */
EVENT2_EXPORT_SYMBOL
int evbuffer_cb_clear_flags(struct evbuffer *buffer, struct evbuffer_cb_entry *cb,
                            ev_uint32_t flags);

struct event_base;

/** Makes the buffer's callbacks run from the base's loop, later, instead of inside the call that
 * changes the buffer; changes in between are reported in one call. The base must outlive the
 * buffer. */
EVENT2_EXPORT_SYMBOL
int evbuffer_defer_callbacks(struct evbuffer *buffer, struct event_base *base);

/* ---- Freezing ---- */

/** Makes calls fail that would change one end of the buffer: at the front taking bytes out,
 * copying them out and prepending; at the back adding. */
EVENT2_EXPORT_SYMBOL
int evbuffer_freeze(struct evbuffer *buf, int at_front);

/** Undoes evbuffer_freeze(). Freezing does not count: once is enough. */
EVENT2_EXPORT_SYMBOL
int evbuffer_unfreeze(struct evbuffer *buf, int at_front);

#ifdef __cplusplus
}
#endif
#endif

#ifndef EVENT2_BUFFER_COMPAT_H_INCLUDED_
#define EVENT2_BUFFER_COMPAT_H_INCLUDED_

/** @file event2/buffer_compat.h
 *
 * Names from before libevent 2.0, for old programs. New code uses event2/buffer.h.
 */

#include <stddef.h>

#include <event2/buffer.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** evbuffer_readln(buffer, NULL, EVBUFFER_EOL_ANY).
 * @deprecated That style is right for hardly any protocol. */
EVENT2_EXPORT_SYMBOL
char *evbuffer_readline(struct evbuffer *buffer);

/** Told the length of a buffer before and after a change. */
typedef void (*evbuffer_cb)(struct evbuffer *buffer, size_t old_len, size_t new_len, void *arg);

/** Replaces all callbacks of the program's by this one; NULL only removes them.
 * @deprecated Use evbuffer_add_cb(), which leaves other people's callbacks alone. */
EVENT2_EXPORT_SYMBOL
int evbuffer_setcb(struct evbuffer *buffer, evbuffer_cb cb, void *cbarg);

/** Finds bytes, and makes everything up to their end contiguous.
 * @return where they are, or NULL.
 * @deprecated Use evbuffer_search(). */
EVENT2_EXPORT_SYMBOL
unsigned char *evbuffer_find(struct evbuffer *buffer, const unsigned char *what, size_t len);

/** @deprecated Use evbuffer_get_length(). */
#define EVBUFFER_LENGTH(x) evbuffer_get_length(x)
/** @deprecated Use evbuffer_pullup(). */
#define EVBUFFER_DATA(x) evbuffer_pullup((x), -1)

#ifdef __cplusplus
}
#endif
#endif

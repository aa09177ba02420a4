#ifndef EVENT2_TAG_H_INCLUDED_
#define EVENT2_TAG_H_INCLUDED_

/** @file event2/tag.h
 *
 * Records in an evbuffer: a number that says what a record is (its tag), a length, and that many
 * bytes. Records follow one another without padding, and look the same on every machine.
 *
 * On the wire. A tag is sent in groups of 7 bits, the lowest first, one a byte; the top bit says
 * that another byte follows. A number (a length, or the content of an integer record) is sent in
 * groups of 4 bits: first how many groups follow, less one, then the groups, the lowest first, two
 * to a byte with the earlier in the high half; a last half byte that is left over is 0, and is not
 * looked at.
 *
 * Writing. The functions return nothing, as in libevent. A record is appended as a whole or, when
 * memory is out or the buffer's end is frozen, not at all: evbuffer_get_length() tells.
 *
 * Reading. Bytes are taken to be hostile. A record that is cut short, malformed, longer than
 * INT_MAX, or not the one that was asked for is an error (-1), and then the buffer is as it was,
 * and so are the variables for results: a caller whose record may still be arriving compares
 * evtag_peek_length() with evbuffer_get_length() and waits. No call allocates more than the buffer
 * holds.
 *
 * Each call is several operations on its buffers: threads that read from one buffer take
 * evbuffer_lock() around it. A record that is written appears at once. Callbacks of a buffer may
 * free it; in a call that has two buffers, they may not free the other.
 */

#include <event2/event-config.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evbuffer;

/** Does nothing; for programs that call it. */
EVENT2_EXPORT_SYMBOL
void evtag_init(void);

/* ---- Writing ---- */

/** Appends a record of `len` bytes. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal(struct evbuffer *evbuf, ev_uint32_t tag, const void *data, ev_uint32_t len);

/** Appends a record of all bytes of `data`, which are moved there without a copy: `data` is empty
 * afterwards. Callbacks of `data` see the record's head come and go as well. When nothing could be
 * appended (which includes more bytes than a length can say) `data` has what it had. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_buffer(struct evbuffer *evbuf, ev_uint32_t tag, struct evbuffer *data);

/** Appends a number alone, without a tag or a length: 1 to 5 bytes. */
EVENT2_EXPORT_SYMBOL
void evtag_encode_int(struct evbuffer *evbuf, ev_uint32_t number);

/** Appends a number alone: 1 to 9 bytes. Small ones look as evtag_encode_int() writes them. */
EVENT2_EXPORT_SYMBOL
void evtag_encode_int64(struct evbuffer *evbuf, ev_uint64_t number);

/** Appends a record of a number. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_int(struct evbuffer *evbuf, ev_uint32_t tag, ev_uint32_t integer);

/** Appends a record of a number. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_int64(struct evbuffer *evbuf, ev_uint32_t tag, ev_uint64_t integer);

/** Appends a record of a string without its NUL. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_string(struct evbuffer *buf, ev_uint32_t tag, const char *string);

/** Appends a record of a time: two numbers, seconds and microseconds, of which the low 32 bits
 * are kept. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_timeval(struct evbuffer *evbuf, ev_uint32_t tag, struct timeval *tv);

/* ---- Looking ---- */

/** Finds the tag of the first record, of which no more need have arrived.
 *
 * @param ptag gets the tag; may be NULL.
 * @return how many bytes the tag takes on the wire, or -1.
 */
EVENT2_EXPORT_SYMBOL
int evtag_peek(struct evbuffer *evbuf, ev_uint32_t *ptag);

/** Finds the length of the first record, head included; its content need not have arrived.
 * @return 0, or -1 (also when the sum is more than 32 bits). */
EVENT2_EXPORT_SYMBOL
int evtag_peek_length(struct evbuffer *evbuf, ev_uint32_t *plength);

/** Finds the length of the first record's content, which need not have arrived.
 * @return 0 or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_payload_length(struct evbuffer *evbuf, ev_uint32_t *plength);

/* ---- Reading ---- */

/** Takes the head of the first record off the buffer: its content is now at the front. All of it
 * must have arrived.
 *
 * @param ptag gets the tag; may be NULL.
 * @return the length of the content, or -1.
 */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_header(struct evbuffer *evbuf, ev_uint32_t *ptag);

/** Takes the first record off `src` and appends its content to `dst`.
 *
 * @param ptag gets the tag; may be NULL.
 * @return the length of the content, or -1.
 */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal(struct evbuffer *src, ev_uint32_t *ptag, struct evbuffer *dst);

/** Takes the first record off the buffer and throws it away.
 * @return 0 or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_consume(struct evbuffer *evbuf);

/** Takes the first record off the buffer, which must have this tag and begin with a number of up
 * to 32 bits (as 8 groups at most).
 * @return how many bytes of the content the number takes, or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_int(struct evbuffer *evbuf, ev_uint32_t need_tag, ev_uint32_t *pinteger);

/** As evtag_unmarshal_int(), for up to 64 bits. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_int64(struct evbuffer *evbuf, ev_uint32_t need_tag, ev_uint64_t *pinteger);

/** Takes the first record off the buffer, which must have this tag and exactly `len` bytes, and
 * copies them to `data`.
 * @return 0 or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_fixed(struct evbuffer *src, ev_uint32_t need_tag, void *data, size_t len);

/** Takes the first record off the buffer, which must have this tag, as a string.
 *
 * @param pstring gets the bytes with a NUL behind them, to be freed by the caller with free() (or
 *   the function given to event_set_mem_functions()). A NUL among the bytes is left there, and
 *   ends the string early for whoever asks strlen().
 * @return 0 or -1.
 */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_string(struct evbuffer *evbuf, ev_uint32_t need_tag, char **pstring);

/** Takes the first record off the buffer, which must have this tag and begin with two numbers of
 * up to 32 bits: seconds and microseconds, as they were sent (a sender may send a million
 * microseconds and more).
 * @return 0 or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_timeval(struct evbuffer *evbuf, ev_uint32_t need_tag, struct timeval *ptv);

#ifdef __cplusplus
}
#endif
#endif

#ifndef EVENT2_TAG_COMPAT_H_INCLUDED_
#define EVENT2_TAG_COMPAT_H_INCLUDED_

/** @file event2/tag_compat.h
 *
 * Names from before libevent 2.0, for old programs. New code uses event2/tag.h.
 */

#include <event2/tag.h>

/** @deprecated Use evtag_encode_int(). */
#define encode_int(evbuf, number) evtag_encode_int((evbuf), (number))
/** @deprecated Use evtag_encode_int64(). */
#define encode_int64(evbuf, number) evtag_encode_int64((evbuf), (number))

#endif

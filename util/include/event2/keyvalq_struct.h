#ifndef EVENT2_KEYVALQ_STRUCT_H_INCLUDED_
#define EVENT2_KEYVALQ_STRUCT_H_INCLUDED_

/** @file event2/keyvalq_struct.h
 *
 * Ordered lists of key and value strings, which HTTP uses for header fields and query arguments.
 * The layout is libevent 2.1's. Change a list only through the functions that work on it
 * (evhttp_add_header() and its family): they own the strings and the elements.
 */

#include <event2/callback_struct.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One pair. Both strings end in NUL and belong to the list that holds the pair. */
struct evkeyval {
  EVENT_TAILQ_ENTRY_(evkeyval) next;

  char *key;
  char *value;
};

/** The list: tqh_first is the first pair, or NULL, and next.tqe_next leads on from each. */
EVENT_TAILQ_HEAD_(evkeyvalq, evkeyval);

#ifdef __cplusplus
}
#endif

#endif

#ifndef STRATA_UTIL_QUEUE_H_
#define STRATA_UTIL_QUEUE_H_

#include <stddef.h>

#include <event2/callback_struct.h>

/* Intrusive lists with the memory shape of queue(7), which public structs carry. The EV_TAILQ
 * and EV_LIST operations work on heads and entries declared with the EVENT_TAILQ_HEAD_,
 * EVENT_TAILQ_ENTRY_ and EVENT_LIST_ENTRY_ of event2/callback_struct.h, and exist because not every
 * platform has <sys/queue.h>. An element may be unlinked while EV_TAILQ_FOREACH_SAFE stands on it.
 */

#define EV_TAILQ_INIT(head)                \
  do {                                     \
    (head)->tqh_first = NULL;              \
    (head)->tqh_last = &(head)->tqh_first; \
  } while (0)

#define EV_TAILQ_FIRST(head) ((head)->tqh_first)
#define EV_TAILQ_EMPTY(head) ((head)->tqh_first == NULL)
#define EV_TAILQ_NEXT(element, field) ((element)->field.tqe_next)

#define EV_TAILQ_PUSH_BACK(head, element, field)   \
  do {                                             \
    (element)->field.tqe_next = NULL;              \
    (element)->field.tqe_prev = (head)->tqh_last;  \
    *(head)->tqh_last = (element);                 \
    (head)->tqh_last = &(element)->field.tqe_next; \
  } while (0)

#define EV_TAILQ_PUSH_FRONT(head, element, field)                     \
  do {                                                                \
    (element)->field.tqe_next = (head)->tqh_first;                    \
    (element)->field.tqe_prev = &(head)->tqh_first;                   \
    if ((head)->tqh_first)                                            \
      (head)->tqh_first->field.tqe_prev = &(element)->field.tqe_next; \
    else                                                              \
      (head)->tqh_last = &(element)->field.tqe_next;                  \
    (head)->tqh_first = (element);                                    \
  } while (0)

#define EV_TAILQ_INSERT_AFTER(head, after, element, field)                    \
  do {                                                                        \
    (element)->field.tqe_next = (after)->field.tqe_next;                      \
    (element)->field.tqe_prev = &(after)->field.tqe_next;                     \
    if ((element)->field.tqe_next)                                            \
      (element)->field.tqe_next->field.tqe_prev = &(element)->field.tqe_next; \
    else                                                                      \
      (head)->tqh_last = &(element)->field.tqe_next;                          \
    (after)->field.tqe_next = (element);                                      \
  } while (0)

#define EV_TAILQ_REMOVE(head, element, field)                                \
  do {                                                                       \
    if ((element)->field.tqe_next)                                           \
      (element)->field.tqe_next->field.tqe_prev = (element)->field.tqe_prev; \
    else                                                                     \
      (head)->tqh_last = (element)->field.tqe_prev;                          \
    *(element)->field.tqe_prev = (element)->field.tqe_next;                  \
  } while (0)

/* Moves everything in `source` to the end of `target`; `source` is empty afterwards. */
#define EV_TAILQ_CONCAT(target, source, field)                  \
  do {                                                          \
    if ((source)->tqh_first) {                                  \
      *(target)->tqh_last = (source)->tqh_first;                \
      (source)->tqh_first->field.tqe_prev = (target)->tqh_last; \
      (target)->tqh_last = (source)->tqh_last;                  \
      EV_TAILQ_INIT(source);                                    \
    }                                                           \
  } while (0)

#define EV_TAILQ_FOREACH(var, head, field) \
  for ((var) = (head)->tqh_first; (var); (var) = (var)->field.tqe_next)

#define EV_TAILQ_FOREACH_SAFE(var, next, head, field) \
  for ((var) = (head)->tqh_first; (var) && ((next) = (var)->field.tqe_next, 1); (var) = (next))

#define EV_LIST_PUSH_FRONT(first, element, field)                        \
  do {                                                                   \
    (element)->field.le_next = *(first);                                 \
    (element)->field.le_prev = (first);                                  \
    if (*(first)) (*(first))->field.le_prev = &(element)->field.le_next; \
    *(first) = (element);                                                \
  } while (0)

#define EV_LIST_REMOVE(element, field)                                    \
  do {                                                                    \
    if ((element)->field.le_next)                                         \
      (element)->field.le_next->field.le_prev = (element)->field.le_prev; \
    *(element)->field.le_prev = (element)->field.le_next;                 \
  } while (0)

/* The struct of which `pointer` is the named member. */
#define STRATA_CONTAINER_OF(pointer, type, member) \
  ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif

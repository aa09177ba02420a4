#ifndef BACKENDS_TESTING_KQUEUE_EMULATION_QUEUE_H_
#define BACKENDS_TESTING_KQUEUE_EMULATION_QUEUE_H_

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/event.h>
#include <sys/types.h>
#undef close

/* Memory is the C library's own: tests in which the library's allocations fail are about the
 * library's. */

#define NUM_BUCKETS 1024

/* The same numbers in either build of the library's (see sys/event.h). */
#define EMULATED_RECEIPT 0x0040
#define EMULATED_FILTER_USER (-11)

enum knote_kind {
  KNOTE_POLLED, /* epoll tells */
  KNOTE_FILE,   /* regular: epoll refuses it */
  KNOTE_USER,
  KNOTE_TIMER,
  KNOTE_SIGNAL
};

/* What was added to a queue and is not deleted yet; one for an (ident, filter). Lives in its
 * bucket, guarded by the queue's lock. */
struct knote {
  struct knote *next;
  uintptr_t ident;
  short filter;
  unsigned flags; /* EV_CLEAR, EV_ONESHOT */
  unsigned notes;
  int64_t data;
  void *udata;
  enum knote_kind kind;
  bool is_disabled;
  bool is_fifo;
  bool is_triggered; /* KNOTE_USER; of a KNOTE_FILE with EV_CLEAR: was not reported yet */
  uint32_t serial;   /* tells it from an earlier one of the same descriptor */
  int source;        /* eventfd or timerfd; or -1 */
  dev_t device;      /* of a KNOTE_FILE */
  ino_t inode;
};

/* One kqueue. */
struct queue {
  struct queue *next;
  int fd;        /* an epoll descriptor: of the two below, and of the sources */
  int polled[2]; /* for EVFILT_READ, for EVFILT_WRITE: other epoll descriptors */
  pthread_mutex_t lock;
  struct knote *buckets[NUM_BUCKETS];
  int num_special; /* knotes of another kind than KNOTE_POLLED */
  uint32_t last_serial;
  unsigned turn; /* who comes first changes with each look */
  int num_users; /* guarded by the table's lock: kevent() calls that go on */
  bool is_closed;
};

/* queue.c. Every reference that is not NULL is given back. */
struct queue *strata_emulated_queue_acquire(int fd);
void strata_emulated_queue_release(struct queue *queue);
/* With a number that a program will not take for its own by dup2(2). */
int strata_emulated_epoll_open(void);

/* change.c. With the lock held: an errno or 0. */
int strata_emulated_queue_change(struct queue *queue, const struct kevent *change);
struct knote *strata_emulated_queue_find(struct queue *queue, uintptr_t ident, short filter);
void strata_emulated_queue_drop(struct queue *queue, struct knote *knote);
void strata_emulated_knote_close(const struct knote *knote);
int strata_emulated_polled_index(short filter);
uint32_t strata_emulated_polled_events(const struct knote *knote);
uint64_t strata_emulated_polled_tag(const struct knote *knote);

/* signals.c. The descriptor of an eventfd that counts the signal, or -1 with errno. */
int strata_emulated_signal_watch(uintptr_t ident);
void strata_emulated_signal_forget(uintptr_t ident, int fd);
/* Around fork(2), and in the child after the last. */
void strata_emulated_signals_lock(void);
void strata_emulated_signals_unlock(void);
void strata_emulated_signals_begin_anew(void);

/* harvest.c. With the lock held: stores what is ready, and returns how much. */
int strata_emulated_queue_harvest(struct queue *queue, struct kevent *out_events, int num_events);

#endif

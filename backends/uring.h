#ifndef STRATA_BACKENDS_URING_H_
#define STRATA_BACKENDS_URING_H_

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A ring of io_uring(7), without libraries: what the kernel shares with us is three mappings, and
 * two system calls move it. Callers guard the submission side with a lock of theirs; the completion
 * side belongs to one thread at a time. */
struct uring {
  int fd;

  unsigned *sq_head, *sq_tail, *sq_flags;
  unsigned sq_mask, num_sqes;
  unsigned next_sqe; /* what *sq_tail becomes with strata_uring_publish() */
  struct io_uring_sqe *sqes;

  bool can_skip; /* a submission may ask for no completion where all went well (Linux 5.17) */

  unsigned *cq_head, *cq_tail;
  unsigned cq_mask;
  struct io_uring_cqe *cqes;

  void *rings;
  size_t rings_len, sqes_len;

  const char *owner_mark; /* a page that is empty in a child of fork(2) */
};

/* Opens a ring for `num_sqes` submissions at a time and several times as many completions. 0, or -1
 * with errno (ENOSYS, EPERM: not to be had here); then nothing is open. */
int strata_uring_open(struct uring *ring, unsigned num_sqes);
/* Everything in flight is cancelled. In a child of fork(2) only the child's copy goes. */
void strata_uring_close(struct uring *ring);

/* In a child of fork(2) the mappings are still the parent's: but for strata_uring_close() nothing
 * may be called there. No system call. */
bool strata_uring_is_inherited(const struct uring *ring);

/* A zeroed submission to fill in; NULL while the ring is full and the kernel takes nothing (errno).
 * The caller publishes it before it gives up the lock of the submission side. */
struct io_uring_sqe *strata_uring_get_sqe(struct uring *ring);
/* The submissions so far are complete: from now on any thread's strata_uring_enter() hands them
 * over. */
void strata_uring_publish(struct uring *ring);

/* Whether something was published that the kernel does not have yet. */
bool strata_uring_has_published(const struct uring *ring);

/* Hands over what was published. With `wait`, also waits for a completion: for at most timeout_ns,
 * or without limit when that is below 0. 0 also when a signal or the time ended the wait; -1 with
 * errno. Needs no lock. */
int strata_uring_enter(struct uring *ring, bool wait, int64_t timeout_ns);

/* The oldest completion, or NULL. It stays valid until strata_uring_pop(). */
struct io_uring_cqe *strata_uring_peek(const struct uring *ring);
void strata_uring_pop(struct uring *ring);

#endif

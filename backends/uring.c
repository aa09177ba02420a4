#include "backends/uring.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000
/* Where completions find no room, the kernel allocates for them, and ends what was to go on. */
#define COMPLETIONS_PER_SUBMISSION 8

/* Without these completions can be lost, or a wait can't end in time. RSRC_TAGS stands for Linux
 * 5.13, which brought polls that stay; no flag tells of those. */
#define NEEDED_FEATURES \
  (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS)

/* The kernel gives a page. */
#define MARK_LEN 1

/* The kernel is on the other side of these words. */
static unsigned load_acquire(const unsigned *word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static void store_release(unsigned *word, unsigned value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static int setup(unsigned num_sqes, struct io_uring_params *params) {
  /* Completions need not interrupt the program: it looks when it waits. Older kernels refuse the
   * flags that they do not know. */
  static const unsigned flags[] = {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0};
  for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    memset(params, 0, sizeof(*params));
    params->flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | flags[i];
    params->cq_entries = num_sqes * COMPLETIONS_PER_SUBMISSION;
    int fd = (int)syscall(SYS_io_uring_setup, num_sqes, params);
    if (fd >= 0 || errno != EINVAL) return fd;
  }
  return -1;
}

static int map(struct uring *ring, const struct io_uring_params *params) {
  size_t sq_len = params->sq_off.array + params->sq_entries * sizeof(unsigned);
  size_t cq_len = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
  ring->rings_len = sq_len > cq_len ? sq_len : cq_len;
  ring->sqes_len = params->sq_entries * sizeof(struct io_uring_sqe);
  int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
  void *rings = mmap(NULL, ring->rings_len, protection, flags, ring->fd, IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED) return -1;
  ring->rings = rings;
  void *sqes = mmap(NULL, ring->sqes_len, protection, flags, ring->fd, IORING_OFF_SQES);
  if (sqes == MAP_FAILED) return -1;
  ring->sqes = sqes;
  return 0;
}

/* A getpid(2) for each use would tell the same, by a system call each time. */
static int map_owner_mark(struct uring *ring) {
  char *mark = mmap(NULL, MARK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mark == MAP_FAILED) return -1;
  *mark = 1;
  ring->owner_mark = mark;
  return madvise(mark, MARK_LEN, MADV_WIPEONFORK);
}

bool strata_uring_is_inherited(const struct uring *ring) {
  return !*ring->owner_mark;
}

static void find_words(struct uring *ring, const struct io_uring_params *params) {
  char *rings = ring->rings;
  ring->sq_head = (unsigned *)(void *)(rings + params->sq_off.head);
  ring->sq_tail = (unsigned *)(void *)(rings + params->sq_off.tail);
  ring->sq_flags = (unsigned *)(void *)(rings + params->sq_off.flags);
  ring->sq_mask = *(unsigned *)(void *)(rings + params->sq_off.ring_mask);
  ring->num_sqes = params->sq_entries;
  ring->can_skip = params->features & IORING_FEAT_CQE_SKIP;
  ring->next_sqe = *ring->sq_tail;
  ring->cq_head = (unsigned *)(void *)(rings + params->cq_off.head);
  ring->cq_tail = (unsigned *)(void *)(rings + params->cq_off.tail);
  ring->cq_mask = *(unsigned *)(void *)(rings + params->cq_off.ring_mask);
  ring->cqes = (struct io_uring_cqe *)(void *)(rings + params->cq_off.cqes);
  /* Submissions are used in the order of their places. */
  unsigned *order = (unsigned *)(void *)(rings + params->sq_off.array);
  for (unsigned i = 0; i < params->sq_entries; i++) order[i] = i;
}

int strata_uring_open(struct uring *ring, unsigned num_sqes) {
  memset(ring, 0, sizeof(*ring));
  struct io_uring_params params;
  ring->fd = setup(num_sqes, &params);
  if (ring->fd < 0) return -1;
  int error = ENOSYS;
  if ((params.features & NEEDED_FEATURES) == NEEDED_FEATURES) {
    if (map(ring, &params) == 0 && map_owner_mark(ring) == 0) {
      find_words(ring, &params);
      return 0;
    }
    error = errno;
  }
  strata_uring_close(ring);
  errno = error;
  return -1;
}

void strata_uring_close(struct uring *ring) {
  if (ring->sqes) munmap(ring->sqes, ring->sqes_len);
  if (ring->rings) munmap(ring->rings, ring->rings_len);
  if (ring->owner_mark) munmap((void *)(uintptr_t)ring->owner_mark, MARK_LEN);
  if (ring->fd >= 0) close(ring->fd);
  memset(ring, 0, sizeof(*ring));
  ring->fd = -1;
}

static bool is_full(const struct uring *ring) {
  return ring->next_sqe - load_acquire(ring->sq_head) == ring->num_sqes;
}

struct io_uring_sqe *strata_uring_get_sqe(struct uring *ring) {
  if (is_full(ring)) {
    strata_uring_publish(ring);
    if (strata_uring_enter(ring, false, 0) < 0) return NULL;
  }
  if (is_full(ring)) {
    errno = EBUSY;
    return NULL;
  }
  struct io_uring_sqe *sqe = &ring->sqes[ring->next_sqe++ & ring->sq_mask];
  memset(sqe, 0, sizeof(*sqe));
  return sqe;
}

void strata_uring_publish(struct uring *ring) {
  store_release(ring->sq_tail, ring->next_sqe);
}

bool strata_uring_has_published(const struct uring *ring) {
  return load_acquire(ring->sq_tail) != load_acquire(ring->sq_head);
}

/* Completions that are ready, but not in the ring yet. */
static bool kernel_holds_completions(const struct uring *ring) {
  unsigned flags = __atomic_load_n(ring->sq_flags, __ATOMIC_RELAXED);
  return flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN);
}

static int enter(struct uring *ring, unsigned num_submit, unsigned num_wait, unsigned flags,
                 const void *arg, size_t arg_len) {
  long result = syscall(SYS_io_uring_enter, ring->fd, num_submit, num_wait, flags, arg, arg_len);
  if (result >= 0 || errno == EINTR || errno == ETIME) return 0;
  /* It takes no more before completions are fetched, or is short of memory for now. */
  return errno == EBUSY || errno == EAGAIN ? 0 : -1;
}

int strata_uring_enter(struct uring *ring, bool wait, int64_t timeout_ns) {
  unsigned num_submit = load_acquire(ring->sq_tail) - load_acquire(ring->sq_head);
  if (!wait) return enter(ring, num_submit, 0, 0, NULL, 0);
  bool has_completions = strata_uring_peek(ring) != NULL;
  if (has_completions && !num_submit && !kernel_holds_completions(ring)) return 0;
  if (has_completions || timeout_ns == 0)
    return enter(ring, num_submit, 0, IORING_ENTER_GETEVENTS, NULL, 0);
  struct __kernel_timespec timeout = {timeout_ns / NS_PER_SECOND, timeout_ns % NS_PER_SECOND};
  struct io_uring_getevents_arg arg;
  memset(&arg, 0, sizeof(arg));
  arg.sigmask_sz = _NSIG / 8;
  if (timeout_ns > 0) arg.ts = (uint64_t)(uintptr_t)&timeout;
  return enter(ring, num_submit, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
               sizeof(arg));
}

struct io_uring_cqe *strata_uring_peek(const struct uring *ring) {
  unsigned head = *ring->cq_head;
  return head == load_acquire(ring->cq_tail) ? NULL : &ring->cqes[head & ring->cq_mask];
}

void strata_uring_pop(struct uring *ring) {
  store_release(ring->cq_head, *ring->cq_head + 1);
}

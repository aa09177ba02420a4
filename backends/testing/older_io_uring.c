/* io_uring as an older Linux has it: of what strata uses, that is refused that the kernel does not
 * know, as io_uring_setup(2), io_uring_register(2) and io_uring_enter(2) say of unknown flags. And
 * before 5.18 accepting from a non-blocking socket does not wait, which takes Linux 6.10 to be
 * played. The environment variable STRATA_IO_URING_OF names the kernel; without it every call
 * passes. Stands before syscall(2) by the linker's --wrap. */

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define MAX_ARGS 6
#define MAX_FDS 4096
#define UNKNOWN_OPCODE 255
#define ACCEPT_DONTWAIT (1U << 1) /* IORING_ACCEPT_DONTWAIT, of Linux 6.10 */

long __real_syscall(long number, ...);

/* What a kernel knows; the masks end with the last flag that it has. */
struct kernel {
  const char *name;
  unsigned setup_flags;
  unsigned features;
  unsigned last_register_opcode;
  unsigned sqe_flags;
  unsigned cancel_flags;
  unsigned last_opcode;
  unsigned recv_flags;
  bool accepts_wait; /* whatever the listening socket's O_NONBLOCK */
};

#define UP_TO(flag) ((flag) | ((flag)-1))

static const struct kernel kernels[] = {
    {"5.13", UP_TO(IORING_SETUP_R_DISABLED), UP_TO(IORING_FEAT_RSRC_TAGS),
     IORING_REGISTER_BUFFERS_UPDATE, UP_TO(IOSQE_BUFFER_SELECT), 0, IORING_OP_UNLINKAT, 0, false},
    {"5.19", UP_TO(IORING_SETUP_CQE32), UP_TO(IORING_FEAT_LINKED_FILE), IORING_UNREGISTER_PBUF_RING,
     UP_TO(IOSQE_CQE_SKIP_SUCCESS), UP_TO(IORING_ASYNC_CANCEL_ANY), IORING_OP_URING_CMD,
     IORING_RECVSEND_POLL_FIRST, true},
};

/* By descriptor. */
static struct io_uring_params rings[MAX_FDS];

static const struct kernel *kernel_to_play(void) {
  const char *name = getenv("STRATA_IO_URING_OF");
  for (size_t i = 0; name && i < sizeof(kernels) / sizeof(*kernels); i++) {
    if (strcmp(name, kernels[i].name) == 0) return &kernels[i];
  }
  if (name) abort();
  return NULL;
}

static long real(long number, const long *args) {
  return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static long set_up(const struct kernel *kernel, const long *args) {
  struct io_uring_params *params = (struct io_uring_params *)args[1];
  if (params->flags & ~kernel->setup_flags) return errno = EINVAL, -1;
  long fd = real(SYS_io_uring_setup, args);
  if (fd < 0) return fd;
  if (fd >= MAX_FDS) abort();
  params->features &= kernel->features;
  rings[fd] = *params;
  return fd;
}

static int is_known(const struct kernel *kernel, const struct io_uring_sqe *sqe) {
  if (sqe->opcode > kernel->last_opcode || sqe->flags & ~kernel->sqe_flags) return 0;
  if (sqe->opcode == IORING_OP_ASYNC_CANCEL) return !(sqe->cancel_flags & ~kernel->cancel_flags);
  if (sqe->opcode == IORING_OP_RECV || sqe->opcode == IORING_OP_RECVMSG)
    return !(sqe->ioprio & ~kernel->recv_flags);
  return 1;
}

static bool can_refuse_to_wait(void) {
  struct utsname names;
  int major = 0, minor = 0;
  return uname(&names) == 0 && sscanf(names.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 10));
}

static void *map(int fd, size_t len, off_t place) {
  void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, place);
  if (memory == MAP_FAILED) abort();
  return memory;
}

/* Makes what the kernel does not know something that none knows. */
static void spoil_unknown(const struct kernel *kernel, int fd) {
  const struct io_uring_params *params = &rings[fd];
  size_t ring_len = params->sq_off.array + params->sq_entries * sizeof(unsigned);
  size_t sqes_len = params->sq_entries * sizeof(struct io_uring_sqe);
  char *ring = map(fd, ring_len, IORING_OFF_SQ_RING);
  struct io_uring_sqe *sqes = map(fd, sqes_len, IORING_OFF_SQES);
  const unsigned *places = (const unsigned *)(const void *)(ring + params->sq_off.array);
  unsigned tail = *(unsigned *)(void *)(ring + params->sq_off.tail);
  for (unsigned i = *(unsigned *)(void *)(ring + params->sq_off.head); i != tail; i++) {
    struct io_uring_sqe *sqe = &sqes[places[i & (params->sq_entries - 1)]];
    if (!is_known(kernel, sqe))
      sqe->opcode = UNKNOWN_OPCODE;
    else if (sqe->opcode == IORING_OP_ACCEPT && !kernel->accepts_wait && can_refuse_to_wait() &&
             fcntl(sqe->fd, F_GETFL) & O_NONBLOCK)
      sqe->ioprio |= ACCEPT_DONTWAIT;
  }
  munmap(sqes, sqes_len);
  munmap(ring, ring_len);
}

/* Takes as many arguments as there may be, as the C library's does. */
long __wrap_syscall(long number, ...) {
  long args[MAX_ARGS];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < MAX_ARGS; i++) args[i] = va_arg(rest, long);
  va_end(rest);
  const struct kernel *kernel = kernel_to_play();
  if (!kernel) return real(number, args);
  if (number == SYS_io_uring_setup) return set_up(kernel, args);
  if (number == SYS_io_uring_register && (unsigned)args[1] > kernel->last_register_opcode)
    return errno = EINVAL, -1;
  if (number == SYS_io_uring_enter && args[1]) spoil_unknown(kernel, (int)args[0]);
  return real(number, args);
}

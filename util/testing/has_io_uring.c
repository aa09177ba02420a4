/* Exits with 0 where the kernel lets this program have an io_uring with what strata needs of it,
 * else with 1: containers and qemu-user often have none (io_uring_setup(2): ENOSYS, EPERM). */

#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
  const unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG |
                          IORING_FEAT_RSRC_TAGS; /* backends/uring.c */
  struct io_uring_params params;
  memset(&params, 0, sizeof(params));
  return syscall(SYS_io_uring_setup, 1, &params) >= 0 && (params.features & needed) == needed ? 0
                                                                                              : 1;
}

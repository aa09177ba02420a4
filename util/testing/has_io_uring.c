/* Exits with 0 where the kernel lets this program have an io_uring: containers and qemu-user often do
 * not (io_uring_setup(2): ENOSYS, EPERM). */

#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
  struct io_uring_params params;
  memset(&params, 0, sizeof(params));
  return syscall(__NR_io_uring_setup, 1, &params) >= 0 ? 0 : 1;
}

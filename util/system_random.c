#include "util/system_random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/platform.h"
#if STRATA_HAVE_GETRANDOM
#include <sys/random.h>
#endif

/* For systems, kernels and sandboxes without getrandom(2). */
static const char *device_name = "/dev/urandom";

static int read_device(unsigned char *bytes, size_t len) {
  int fd = open(device_name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  while (len > 0) {
    ssize_t num_read = read(fd, bytes, len);
    if (num_read < 0 && errno == EINTR) continue;
    if (num_read <= 0) break;
    bytes += num_read;
    len -= (size_t)num_read;
  }
  close(fd);
  return len == 0 ? 0 : -1;
}

static ssize_t ask_system(unsigned char *bytes, size_t len) {
#if STRATA_HAVE_GETRANDOM
  return getrandom(bytes, len, 0);
#elif STRATA_HAVE_ARC4RANDOM_BUF
  arc4random_buf(bytes, len);
  return (ssize_t)len;
#else
  (void)bytes;
  (void)len;
  errno = ENOSYS;
  return -1;
#endif
}

int strata_system_random_fill(unsigned char *bytes, size_t len) {
  while (len > 0) {
    /* Short results are for signals and for requests above 32 MB (getrandom(2)). */
    ssize_t num_read = ask_system(bytes, len);
    if (num_read < 0 && errno == EINTR) continue;
    if (num_read <= 0) return read_device(bytes, len);
    bytes += num_read;
    len -= (size_t)num_read;
  }
  return 0;
}

void strata_system_random_set_device(const char *name) {
  device_name = name;
}

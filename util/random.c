#include <errno.h>
#include <event2/util.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <unistd.h>

#include "util/log.h"

/* For kernels and sandboxes without getrandom(2). */
static const char *device_name = "/dev/urandom";
static atomic_int in_use;

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

static int fill(unsigned char *bytes, size_t len) {
  atomic_store(&in_use, 1);
  while (len > 0) {
    /* Short results are for signals and for requests above 32 MB (getrandom(2)). */
    ssize_t num_read = getrandom(bytes, len, 0);
    if (num_read < 0 && errno == EINTR) continue;
    if (num_read <= 0) return read_device(bytes, len);
    bytes += num_read;
    len -= (size_t)num_read;
  }
  return 0;
}

void evutil_secure_rng_get_bytes(void *buf, size_t n) {
  if (fill(buf, n) < 0) strata_fatal(1, "The system has no random bytes to give");
}

int evutil_secure_rng_init(void) {
  unsigned char byte;
  return fill(&byte, 1);
}

int evutil_secure_rng_set_urandom_device_file(char *fname) {
  if (atomic_load(&in_use)) return -1;
  device_name = fname;
  return 0;
}

void evutil_secure_rng_add_bytes(const char *dat, size_t datlen) {
  (void)dat;
  (void)datlen;
}

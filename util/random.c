#include <event2/util.h>
#include <stdatomic.h>

#include "util/log.h"
#include "util/system_random.h"

static atomic_int in_use;

static int fill(unsigned char *bytes, size_t len) {
  atomic_store(&in_use, 1);
  return strata_system_random_fill(bytes, len);
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
  strata_system_random_set_device(fname);
  return 0;
}

void evutil_secure_rng_add_bytes(const char *dat, size_t datlen) {
  (void)dat;
  (void)datlen;
}

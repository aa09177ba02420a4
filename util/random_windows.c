#include <event2/util.h>
#include <stdatomic.h>
/* After the header above: winsock2.h has to come before windows.h. */
#include <bcrypt.h>

#include "util/log.h"

static atomic_int in_use;

static int fill(unsigned char *bytes, size_t len) {
  atomic_store(&in_use, 1);
  while (len > 0) {
    ULONG part_len = len > 0x40000000 ? 0x40000000 : (ULONG)len;
    if (!BCRYPT_SUCCESS(BCryptGenRandom(NULL, bytes, part_len, BCRYPT_USE_SYSTEM_PREFERRED_RNG)))
      return -1;
    bytes += part_len;
    len -= part_len;
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

/* Windows has no such device, and the call that is used here never needs one. */
int evutil_secure_rng_set_urandom_device_file(char *fname) {
  (void)fname;
  return atomic_load(&in_use) ? -1 : 0;
}

void evutil_secure_rng_add_bytes(const char *dat, size_t datlen) {
  (void)dat;
  (void)datlen;
}

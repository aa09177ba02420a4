#include "util/system_random.h"

/* winsock2.h has to come before windows.h. */
#include <winsock2.h>

#include <bcrypt.h>

int strata_system_random_fill(unsigned char *bytes, size_t len) {
  while (len > 0) {
    ULONG part_len = len > 0x40000000 ? 0x40000000 : (ULONG)len;
    if (!BCRYPT_SUCCESS(BCryptGenRandom(NULL, bytes, part_len, BCRYPT_USE_SYSTEM_PREFERRED_RNG)))
      return -1;
    bytes += part_len;
    len -= part_len;
  }
  return 0;
}

/* There is no such device, and the call above never needs one. */
void strata_system_random_set_device(const char *name) {
  (void)name;
}

#include <arpa/inet.h>

#include "util/address.h"

const char *evutil_inet_ntop(int af, const void *src, char *dst, size_t len) {
  return inet_ntop(af, src, dst,
                   (socklen_t)(len > STRATA_ADDRESS_TEXT_LEN ? STRATA_ADDRESS_TEXT_LEN : len));
}

int evutil_inet_pton(int af, const char *src, void *dst) {
  return inet_pton(af, src, dst);
}

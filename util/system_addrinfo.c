#include "util/addrinfo.h"

int strata_addrinfo_system(const char *host, const char *service,
                           const struct evutil_addrinfo *hints, struct evutil_addrinfo **out_list) {
  *out_list = NULL;
  int result = getaddrinfo(host, service, hints, out_list);
  if (result) *out_list = NULL;
  return result;
}

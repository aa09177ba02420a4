#ifndef STRATA_UTIL_RESOLVER_H_
#define STRATA_UTIL_RESOLVER_H_

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evdns_base;

typedef void (*strata_resolver_cb)(int result, struct evutil_addrinfo *list, void *arg);

/* Looks host names up without blocking, for layers that do not know the one which can: dns/ sets
 * it. The contract of both functions is that of evdns_getaddrinfo() and its cancel function. */
struct strata_resolver {
  /* Calls back once: at once, and then returns NULL, or later from a loop, and then returns what
   * cancel() takes until that. The callback gets 0 and a list, which it owns, or EVUTIL_EAI_.... */
  void *(*start)(struct evdns_base *base, const char *host, const char *service,
                 const struct evutil_addrinfo *hints, strata_resolver_cb callback, void *arg);
  /* The callback comes with EVUTIL_EAI_CANCEL, from inside this call or later. */
  void (*cancel)(void *request);
};

/* NULL until there is one. Set before threads use it. */
extern const struct strata_resolver *strata_resolver;

#ifdef __cplusplus
}
#endif

#endif

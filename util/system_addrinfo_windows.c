#include "util/addrinfo.h"
#include "util/memory.h"
#include "util/winsock.h"

/* Windows leaves open in its answer what the hints left open (getaddrinfo, "ai_protocol"), where
 * POSIX names a protocol, and one element for each. So its list is written anew. */

/* The socket type that an element is for; 0: any. */
static int socktype_of(const struct addrinfo *element) {
  if (element->ai_socktype) return element->ai_socktype;
  if (element->ai_protocol == IPPROTO_TCP) return SOCK_STREAM;
  if (element->ai_protocol == IPPROTO_UDP) return SOCK_DGRAM;
  return 0;
}

static int append_element(const struct addrinfo *element, int flags,
                          struct evutil_addrinfo **inout_list) {
  struct evutil_addrinfo kind = {.ai_flags = flags, .ai_socktype = socktype_of(element)};
  struct evutil_addrinfo *added;
  int error =
      strata_addrinfo_new(element->ai_addr, (ev_socklen_t)element->ai_addrlen, &kind, &added);
  if (!error) *inout_list = strata_addrinfo_append(*inout_list, added);
  return error;
}

/* POSIX puts the name into the first element. */
static int copy_name(const struct addrinfo *element, struct evutil_addrinfo *list) {
  if (!element->ai_canonname || !list || list->ai_canonname) return 0;
  list->ai_canonname = strata_strdup(element->ai_canonname);
  return list->ai_canonname ? 0 : EVUTIL_EAI_MEMORY;
}

int strata_addrinfo_system(const char *host, const char *service,
                           const struct evutil_addrinfo *hints, struct evutil_addrinfo **out_list) {
  struct addrinfo *answer = NULL;
  struct evutil_addrinfo *list = NULL;
  *out_list = NULL;
  if (strata_winsock_start() < 0) return EVUTIL_EAI_FAIL;
  int error = getaddrinfo(host, service, hints, &answer);
  if (error) return error;
  for (const struct addrinfo *element = answer; element && !error; element = element->ai_next) {
    error = append_element(element, hints ? hints->ai_flags : 0, &list);
    if (!error) error = copy_name(element, list);
  }
  freeaddrinfo(answer);
  if (!error && !list) error = EVUTIL_EAI_SOCKTYPE;
  if (error) {
    evutil_freeaddrinfo(list);
    return error;
  }
  *out_list = list;
  return 0;
}

#include "util/addrinfo.h"

#ifndef _WIN32
#include <netinet/in.h>
#endif

#include "util/memory.h"

/* Marks elements made here: lists from the system are freed by the system. No AI_ flag uses the
 * bit, neither the system's (Windows has taken the upper ones) nor the library's own. */
#define OWN_ELEMENT 0x01000000

/* The address follows in the same allocation. */
struct own_addrinfo {
  struct evutil_addrinfo element;
  struct sockaddr_storage address;
};

static struct evutil_addrinfo *element_new(const struct sockaddr *addr, ev_socklen_t addr_len,
                                           int socktype, int protocol, int flags) {
  struct own_addrinfo *own;
  if ((size_t)addr_len > sizeof(own->address)) return NULL;
  own = strata_calloc(1, sizeof(*own));
  if (!own) return NULL;
  memcpy(&own->address, addr, addr_len);
  own->element.ai_flags = flags | OWN_ELEMENT;
  own->element.ai_family = own->address.ss_family;
  own->element.ai_socktype = socktype;
  own->element.ai_protocol = protocol;
  own->element.ai_addrlen = addr_len;
  own->element.ai_addr = (struct sockaddr *)&own->address;
  return &own->element;
}

struct evutil_addrinfo *strata_addrinfo_append(struct evutil_addrinfo *list,
                                               struct evutil_addrinfo *tail) {
  if (!list) return tail;
  struct evutil_addrinfo *last = list;
  while (last->ai_next) last = last->ai_next;
  last->ai_next = tail;
  return list;
}

int strata_addrinfo_new(const struct sockaddr *addr, ev_socklen_t addr_len,
                        const struct evutil_addrinfo *hints, struct evutil_addrinfo **out_list) {
  static const struct {
    int socktype;
    int protocol;
  } kinds[] = {{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}, {SOCK_RAW, 0}};
  int wanted = hints ? hints->ai_socktype : 0;
  struct evutil_addrinfo *list = NULL;
  *out_list = NULL;
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); ++i) {
    if (wanted && wanted != kinds[i].socktype) continue;
    struct evutil_addrinfo *element = element_new(addr, addr_len, kinds[i].socktype,
                                                  kinds[i].protocol, hints ? hints->ai_flags : 0);
    if (!element) {
      evutil_freeaddrinfo(list);
      return EVUTIL_EAI_MEMORY;
    }
    list = strata_addrinfo_append(list, element);
  }
  *out_list = list;
  return 0;
}

int strata_port_parse(const char *text) {
  int port = 0;
  if (!*text) return -1;
  for (; *text; ++text) {
    if (*text < '0' || *text > '9') return -1;
    port = port * 10 + (*text - '0');
    if (port > 65535) return -1;
  }
  return port;
}

/* ---- lookups ---- */

static int hints_are_simple(const struct evutil_addrinfo *hints) {
  const int simple_flags = EVUTIL_AI_PASSIVE | EVUTIL_AI_CANONNAME | EVUTIL_AI_NUMERICHOST |
                           EVUTIL_AI_NUMERICSERV | EVUTIL_AI_ADDRCONFIG;
  if (hints->ai_flags & ~simple_flags) return 0;
  if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET && hints->ai_family != AF_INET6)
    return 0;
  switch (hints->ai_socktype) {
    case 0:
      return hints->ai_protocol == 0;
    case SOCK_STREAM:
      return hints->ai_protocol == 0 || hints->ai_protocol == IPPROTO_TCP;
    case SOCK_DGRAM:
      return hints->ai_protocol == 0 || hints->ai_protocol == IPPROTO_UDP;
    default:
      return 0;
  }
}

/* The length of the address, or 0 when the text is none of that family. */
static ev_socklen_t parse_host(const char *host, int family, int port,
                               struct sockaddr_storage *out_addr) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  unsigned zone;
  memset(out_addr, 0, sizeof(*out_addr));
  if (family != AF_INET6 && evutil_inet_pton(AF_INET, host, &in.sin_addr) == 1) {
    memcpy(out_addr, &in, sizeof(in));
    return sizeof(in);
  }
  if (family != AF_INET && evutil_inet_pton_scope(AF_INET6, host, &in6.sin6_addr, &zone) == 1) {
    in6.sin6_scope_id = zone;
    memcpy(out_addr, &in6, sizeof(in6));
    return sizeof(in6);
  }
  return 0;
}

int strata_addrinfo_numeric(const char *host, const char *service,
                            const struct evutil_addrinfo *hints,
                            struct evutil_addrinfo **out_list) {
  static const struct evutil_addrinfo no_hints;
  struct sockaddr_storage addr;
  int port = service ? strata_port_parse(service) : 0;
  if (!hints) hints = &no_hints;
  *out_list = NULL;
  if (!host || port < 0 || !hints_are_simple(hints)) return STRATA_ADDRINFO_NOT_NUMERIC;
  ev_socklen_t addr_len = parse_host(host, hints->ai_family, port, &addr);
  if (addr_len == 0) return STRATA_ADDRINFO_NOT_NUMERIC;
  int error = strata_addrinfo_new((struct sockaddr *)&addr, addr_len, hints, out_list);
  if (error || !(hints->ai_flags & EVUTIL_AI_CANONNAME)) return error;
  (*out_list)->ai_canonname = strata_strdup(host);
  if ((*out_list)->ai_canonname) return 0;
  evutil_freeaddrinfo(*out_list);
  *out_list = NULL;
  return EVUTIL_EAI_MEMORY;
}

int evutil_getaddrinfo(const char *nodename, const char *servname,
                       const struct evutil_addrinfo *hints_in, struct evutil_addrinfo **res) {
  int result = strata_addrinfo_numeric(nodename, servname, hints_in, res);
  if (result != STRATA_ADDRINFO_NOT_NUMERIC) return result;
  return strata_addrinfo_system(nodename, servname, hints_in, res);
}

void evutil_freeaddrinfo(struct evutil_addrinfo *ai) {
  while (ai) {
    struct evutil_addrinfo *next = ai->ai_next;
    if (!(ai->ai_flags & OWN_ELEMENT)) {
      freeaddrinfo(ai);
      return;
    }
    strata_free(ai->ai_canonname);
    strata_free(ai);
    ai = next;
  }
}

/* The second number is what event2/util.h has for a program whose headers lack the code. */
static const struct {
  int code;
  int own_code;
  const char *text;
} code_texts[] = {
    {0, 0, "No error"},
    {EVUTIL_EAI_CANCEL, EVUTIL_EAI_CANCEL, "Request canceled"},
    {EVUTIL_EAI_ADDRFAMILY, -901, "The host has no address of this family"},
    {EVUTIL_EAI_AGAIN, -902, "Name resolution failed for now"},
    {EVUTIL_EAI_BADFLAGS, -903, "Invalid value for ai_flags"},
    {EVUTIL_EAI_FAIL, -904, "Name resolution failed"},
    {EVUTIL_EAI_FAMILY, -905, "Address family not supported"},
    {EVUTIL_EAI_MEMORY, -906, "Out of memory"},
    {EVUTIL_EAI_NODATA, -907, "The host has no address"},
    {EVUTIL_EAI_NONAME, -908, "Host or service not known"},
    {EVUTIL_EAI_SERVICE, -909, "Service not supported for this socket type"},
    {EVUTIL_EAI_SOCKTYPE, -910, "Socket type not supported"},
    {EVUTIL_EAI_SYSTEM, -911, "System error"},
};

const char *evutil_gai_strerror(int err) {
  for (size_t i = 0; i < sizeof(code_texts) / sizeof(code_texts[0]); ++i)
    if (err == code_texts[i].code || err == code_texts[i].own_code) return code_texts[i].text;
  return "Unknown error";
}

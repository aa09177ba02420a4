#include <stdio.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/util.h>

#include "net/bufferevent_internal.h"
#include "util/memory.h"
#include "util/resolver.h"

/* A question that strata_resolver has not answered yet. It holds a reference to the bufferevent,
 * whose directions are both suspended until then. One that was cancelled is the bufferevent's no
 * more, but its answer may still be on the way. */
struct bufferevent_lookup {
  struct bufferevent_private *bev;
  void *request;    /* NULL while strata_resolver->start() has not returned */
  bool is_answered; /* by start() itself */
};

/* update() is the caller's to call. */
static void leave(struct bufferevent_private *bev) {
  bev->lookup = NULL;
  bev->read_suspended &= (uint8_t)~BEV_SUSPEND_LOOKUP;
  bev->write_suspended &= (uint8_t)~BEV_SUSPEND_LOOKUP;
}

static void report(struct bufferevent_private *bev, int dns_error) {
  bev->dns_error = dns_error;
  bufferevent_run_eventcb(bev, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
}

/* The lock is held, and the caller holds a reference. Takes the list. */
static void finish(struct bufferevent_private *bev, int result, struct evutil_addrinfo *list) {
  if (result == 0) {
    if (bufferevent_socket_connect(&bev->bev, list->ai_addr, (int)list->ai_addrlen) < 0)
      report(bev, 0);
    evutil_freeaddrinfo(list);
  } else if (result != EVUTIL_EAI_CANCEL) {
    report(bev, result);
  }
}

static void on_answer(int result, struct evutil_addrinfo *list, void *arg) {
  struct bufferevent_lookup *lookup = arg;
  struct bufferevent_private *bev = lookup->bev;
  strata_lock_acquire(bev->lock);
  bool is_wanted = bev->lookup == lookup;
  lookup->is_answered = true;
  if (lookup->request) strata_free(lookup);
  if (is_wanted) {
    leave(bev);
    bufferevent_update(bev);
    finish(bev, result, list);
  } else if (list) {
    evutil_freeaddrinfo(list);
  }
  bufferevent_release(bev);
}

void bufferevent_cancel_lookup(struct bufferevent_private *bev) {
  struct bufferevent_lookup *lookup = bev->lookup;
  if (!lookup || !lookup->request) return;
  leave(bev);
  strata_resolver->cancel(lookup->request);
}

static int ask_resolver(struct bufferevent_private *bev, struct evdns_base *dns, const char *host,
                        const char *service, const struct evutil_addrinfo *hints) {
  struct bufferevent_lookup *lookup = strata_calloc(1, sizeof(*lookup));
  if (!lookup) return -1;
  lookup->bev = bev;
  bev->lookup = lookup;
  bev->num_refs++;
  bufferevent_suspend_read(bev, BEV_SUSPEND_LOOKUP);
  bufferevent_suspend_write(bev, BEV_SUSPEND_LOOKUP);
  void *request = strata_resolver->start(dns, host, service, hints, on_answer, lookup);
  if (lookup->is_answered)
    strata_free(lookup);
  else
    lookup->request = request;
  return 0;
}

static int look_up(struct bufferevent_private *bev, struct evdns_base *dns, const char *host,
                   int port, const struct evutil_addrinfo *hints) {
  if (bev->lookup || port < 1 || port > 65535) return -1;
  char service[6];
  snprintf(service, sizeof(service), "%d", port);
  bev->dns_error = 0;
  if (dns && strata_resolver) return ask_resolver(bev, dns, host, service, hints);
  struct evutil_addrinfo *list = NULL;
  int result = evutil_getaddrinfo(host, service, hints, &list);
  finish(bev, result, list);
  return 0;
}

int bufferevent_socket_connect_hostname_hints(struct bufferevent *bufev, struct evdns_base *dns,
                                              const struct evutil_addrinfo *hints,
                                              const char *hostname, int port) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bev->bev.be_ops->is_socket || !bufferevent_hold(bev)) return -1;
  int result = look_up(bev, dns, hostname, port, hints);
  bufferevent_release(bev);
  return result;
}

int bufferevent_socket_connect_hostname(struct bufferevent *bev, struct evdns_base *dns, int family,
                                        const char *hostname, int port) {
  if (family != AF_INET && family != AF_INET6 && family != AF_UNSPEC) return -1;
  struct evutil_addrinfo hints;
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  return bufferevent_socket_connect_hostname_hints(bev, dns, &hints, hostname, port);
}

int bufferevent_socket_get_dns_error(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  int error = bev->dns_error;
  strata_lock_release(bev->lock);
  return error;
}

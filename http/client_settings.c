#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_compat.h>

#include "http/client_connection.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

static struct strata_http_client_connection *client_of(struct evhttp_connection *evcon) {
  strata_assert(strata_http_connection_is_client(evcon));
  return strata_http_client_connection_of(evcon);
}

void evhttp_connection_set_base(struct evhttp_connection *evcon, struct event_base *base) {
  struct strata_http_client_connection *con = client_of(evcon);
  strata_assert(con->state == STRATA_HTTP_CLIENT_DISCONNECTED && EV_TAILQ_EMPTY(&con->requests));
  if (evcon->base == base) return;
  if (evcon->bufev && con->bufev_is_users)
    bufferevent_base_set(base, evcon->bufev);
  else
    strata_http_client_drop_bufferevent(con);
  strata_http_connection_set_base(evcon, base);
}

void evhttp_connection_free_on_completion(struct evhttp_connection *evcon) {
  client_of(evcon)->auto_free = 1;
}

void evhttp_connection_set_family(struct evhttp_connection *evcon, int family) {
  client_of(evcon)->family = family;
}

void evhttp_connection_set_local_address(struct evhttp_connection *evcon, const char *address) {
  struct strata_http_client_connection *con = client_of(evcon);
  strata_free(con->local_address);
  con->local_address = address ? strata_strdup(address) : NULL;
  con->local_is_lost = address && !con->local_address;
}

void evhttp_connection_set_local_port(struct evhttp_connection *evcon, ev_uint16_t port) {
  client_of(evcon)->local_port = port;
}

void evhttp_connection_set_retries(struct evhttp_connection *evcon, int retry_max) {
  client_of(evcon)->retry_max = retry_max;
}

void evhttp_connection_set_initial_retry_tv(struct evhttp_connection *evcon,
                                            const struct timeval *tv) {
  struct strata_http_client_connection *con = client_of(evcon);
  con->retry_ns =
      tv ? strata_timeval_to_ns(tv) : (int64_t)STRATA_HTTP_CLIENT_RETRY_S * STRATA_NS_PER_SECOND;
}

void evhttp_connection_set_pipelining(struct evhttp_connection *evcon, int max_in_flight) {
  client_of(evcon)->max_in_flight = max_in_flight > 1 ? max_in_flight : 1;
  strata_http_connection_resume(evcon);
}

void evhttp_connection_set_ext_method_cmp(struct evhttp_connection *evcon,
                                          int (*cmp)(struct evhttp_ext_method *)) {
  client_of(evcon)->ext_method_cmp = cmp;
}

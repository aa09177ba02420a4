#include "http/client_connection.h"

struct bufferevent *evhttp_connection_take_bufferevent(struct evhttp_connection *evcon) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  if (evcon->dead || !strata_http_connection_is_client(evcon) ||
      con->state != STRATA_HTTP_CLIENT_IDLE || con->tunnel == STRATA_HTTP_CLIENT_NO_TUNNEL)
    return NULL;
  if (strata_http_connection_set_reading(evcon, 0) < 0) return NULL;
  return strata_http_connection_take_bufferevent(evcon);
}

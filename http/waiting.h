#ifndef STRATA_HTTP_WAITING_H_
#define STRATA_HTTP_WAITING_H_

struct evhttp;
struct strata_http_server_connection;

/* A server's connections that wait for their peer: those for a request, for the rest of its head,
 * or, all being said, for the peer's end, in the order in which they began to; and those for the
 * rest of a body, in turn. A new connection is worth more than the first of the former, and than
 * one of the latter that is behind the least rate. That keeps clients that only hold connections
 * from shutting others out. Those refused for the limit on connections wait apart: they have no
 * place to give up, but a descriptor. */
enum strata_http_waiting {
  STRATA_HTTP_WAITING_NOT,
  STRATA_HTTP_WAITING_IDLE,
  STRATA_HTTP_WAITING_BODY,
  STRATA_HTTP_WAITING_REFUSED,
};

/* What a new connection lacks. */
enum strata_http_want {
  STRATA_HTTP_WANTS_PLACE, /* Among those that are served. */
  STRATA_HTTP_WANTS_DESCRIPTOR,
};

/* Joins, leaves or goes to the end of a list, by the connection's state. */
void strata_http_waiting_update(struct strata_http_server_connection *con);

/* Leaves its list; does nothing when in none. */
void strata_http_waiting_leave(struct strata_http_server_connection *con);

/* Has a connection that has waited for long enough closed, by the loop, to make room for another.
 * Returns whether there was one. */
int strata_http_waiting_evict(struct evhttp *http, enum strata_http_want want);

#endif

#ifndef STRATA_HTTP_WAITING_H_
#define STRATA_HTTP_WAITING_H_

struct evhttp;
struct strata_http_server_connection;

/* A server's connections that wait for a request, or for the rest of its head, in the order in
 * which they began to: the first is what a new connection is worth most more than. That keeps
 * clients that only hold connections from shutting others out. */

/* Joins, leaves or goes to the end of the list, by the connection's state. */
void strata_http_waiting_update(struct strata_http_server_connection *con);

/* Leaves the list; does nothing when not in it. */
void strata_http_waiting_leave(struct strata_http_server_connection *con);

/* Has a connection that has waited for long enough closed, by the loop, to make room for another.
 * Returns whether there was one. */
int strata_http_waiting_evict(struct evhttp *http);

#endif

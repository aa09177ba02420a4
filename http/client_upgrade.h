#ifndef STRATA_HTTP_CLIENT_UPGRADE_H_
#define STRATA_HTTP_CLIENT_UPGRADE_H_

#ifdef __cplusplus
extern "C" {
#endif

struct bufferevent;
struct evhttp_connection;

/* A client's connection that has stopped being HTTP: its last reply was 101, to
 * a request with "Connection: Upgrade", or 2xx to CONNECT (RFC
 * 9110 7.8, 9.3.6). The callback of that request has been called like that of
 * any other, and is the place to call this; until it is called the connection
 * does not read, so what followed the reply's head waits in the bufferevent's
 * input.
 *
 * Ends the connection as evhttp_connection_free() does (its close callback is
 * called, requests that wait are gone) but for its bufferevent, which is the
 * caller's from then on, without callbacks and timeouts. Reading is disabled,
 * writing enabled. NULL, and nothing has changed, when the connection is none
 * such. */
struct bufferevent *strata_http_client_upgrade(struct evhttp_connection *evcon);

#ifdef __cplusplus
}
#endif

#endif

#ifndef EVENT2_HTTP_CLIENT_H_INCLUDED_
#define EVENT2_HTTP_CLIENT_H_INCLUDED_

/** @file event2/http_client.h
 *
 * The HTTP client: a part of event2/http.h, which includes it. Include that.
 */

#include <event2/http.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Clients ----
 *
 *   con = evhttp_connection_base_new(base, NULL, "example.org", 80);
 *   req = evhttp_request_new(on_reply, arg);
 *   evhttp_make_request(con, req, EVHTTP_REQ_GET, "/");
 *
 * A connection sends its requests one at a time (but see
 * evhttp_connection_set_pipelining()), in the order in which they were made, and calls
 * the callback of each exactly once, unless the request is cancelled or freed, alone or with its
 * connection. It connects for the first request, stays connected as long as the server keeps it
 * open and no longer idle than the read timeout, and connects again for the next one. It is made
 * for one server, lives until evhttp_connection_free(), and is used from its base's thread only.
 *
 * The request's callback gets
 * - the request, with its status code, when a reply is complete. Its connection is NULL by then.
 *   Interim replies (1xx but 101) are not told of; redirects are the caller's to follow;
 * - the request with status code 0 when there was no connection to be had, after all retries;
 * - NULL when the exchange broke off, the reply is malformed, or a limit was exceeded. The request
 *   is gone then, unless the user owns it.
 * With the latter two the error callback is called just before. The request is freed when its
 * callback returns, unless the user owns it (evhttp_request_own()). All callbacks come from the
 * loop, and may make requests, cancel them, or free the connection.
 *
 * The library adds Host, Content-Length or Transfer-Encoding where the request needs them. Those
 * two say what is sent, whatever the output headers have; "Transfer-Encoding: chunked" there has
 * the body sent chunked. With "Expect: 100-continue" the body waits for the server's word, for one
 * second. A reply that is complete while much of the request is unsent closes the connection.
 *
 * A server may close a connection just when a request is sent over it for the second or a later
 * time. When nothing of a reply has come then, a request that has no body and is idempotent (RFC
 * 9110 9.2.2) is sent once more over a new connection; others fail with EVREQ_HTTP_EOF.
 *
 * Limits in force without being asked for: 64 KiB for the head of a reply (whole within 30 seconds
 * from its first byte), 100 fields, 45 seconds for connecting, 50 seconds of silence in reading and
 * in writing. Bodies are not limited: see evhttp_connection_set_max_body_size() and
 * evhttp_request_set_chunked_cb(). */

struct evdns_base;

/** Makes a connection to a host (name or address; copied) and port. With an evdns_base names are
 * looked up without blocking. `base` NULL: the one that event_init() made, or the one that
 * evhttp_connection_set_base() will name. NULL when out of memory. */
EVENT2_EXPORT_SYMBOL
struct evhttp_connection *evhttp_connection_base_new(struct event_base *base,
                                                     struct evdns_base *dnsbase,
                                                     const char *address, ev_uint16_t port);
/** As evhttp_connection_base_new(), over a bufferevent without a socket (NULL: one of its own),
 * that it owns from then on. When NULL is returned it is still the caller's. */
EVENT2_EXPORT_SYMBOL
struct evhttp_connection *evhttp_connection_base_bufferevent_new(struct event_base *base,
                                                                 struct evdns_base *dnsbase,
                                                                 struct bufferevent *bev,
                                                                 const char *address,
                                                                 ev_uint16_t port);
/** The same over a bufferevent, of any kind, that is connected already (libevent 2.2). Once that
 * connection has ended there is no other, and requests fail. */
EVENT2_EXPORT_SYMBOL
struct evhttp_connection *evhttp_connection_base_bufferevent_reuse_new(struct event_base *base,
                                                                       struct evdns_base *dnsbase,
                                                                       struct bufferevent *bev);
/** The same for a server on a local socket with this path (libevent 2.2); not on Windows. */
EVENT2_EXPORT_SYMBOL
struct evhttp_connection *evhttp_connection_base_bufferevent_unix_new(struct event_base *base,
                                                                      struct bufferevent *bev,
                                                                      const char *path);

/** Makes a request; `req` is the connection's from then on, whatever is returned. `uri` is the
 * target as it is sent, such as "/path?query"; an empty path becomes "/", and a fragment is cut
 * off. Returns 0; or -1, with the request freed unless the user owns it and without any callback:
 * the method, the target or a field cannot be sent as it is (a line end, a space or userinfo in the
 * target, say), there cannot even be an attempt to connect, or memory ran out. */
EVENT2_EXPORT_SYMBOL
int evhttp_make_request(struct evhttp_connection *evcon, struct evhttp_request *req,
                        enum evhttp_cmd_type type, const char *uri);

/** Takes a request back and frees it unless the user owns it; its callback is not called. One that
 * is under way ends its connection, over which nothing more can be read in order: its error
 * callback hears EVREQ_HTTP_REQUEST_CANCEL, and requests that wait go over a new one. Not for a
 * request whose callback has returned. May be called from its other callbacks; not from its error
 * callback unless the user owns it, because it may be gone by then. */
EVENT2_EXPORT_SYMBOL
void evhttp_cancel_request(struct evhttp_request *req);

/** Frees the connection when its last request, made or yet to be made, is done with. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_free_on_completion(struct evhttp_connection *evcon);

/** Takes the bufferevent of a connection that has stopped being HTTP: its last reply was 101, to a
 * request with "Connection: Upgrade", or 2xx to CONNECT (RFC 9110 7.8, 9.3.6). The callback of that
 * request is the place to call this; until then the connection does not read, so what followed the
 * reply's head waits in the bufferevent's input.
 *
 * The connection ends as by evhttp_connection_free() (its close callback is called, requests that
 * wait are gone) but for the bufferevent, which is the caller's from then on, without callbacks and
 * timeouts, reading disabled, writing enabled. NULL, and nothing has changed, when the connection
 * is none such. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *evhttp_connection_take_bufferevent(struct evhttp_connection *evcon);

/* What follows counts from the next attempt to connect on. */

/** The address family to connect over: AF_INET, AF_INET6, or AF_UNSPEC (the default). */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_family(struct evhttp_connection *evcon, int family);
/** The address to connect from; copied. NULL: the system's choice. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_local_address(struct evhttp_connection *evcon, const char *address);
/** The port to connect from; 0: the system's choice. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_local_port(struct evhttp_connection *evcon, ev_uint16_t port);
/** How long connecting may take, the look-up of the name included. NULL or zero: the default of 45
 * seconds. evhttp_connection_set_timeout() sets it too. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_connect_timeout_tv(struct evhttp_connection *evcon,
                                              const struct timeval *tv);
/** How often an attempt to connect that came to nothing is repeated: by default never; -1: without
 * end. Requests wait meanwhile. A connection that breaks later is no matter of this. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_retries(struct evhttp_connection *evcon, int retry_max);
/** The pause before the first repetition; each further one is twice as long, up to an hour. NULL:
 * the default of 2 seconds. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_initial_retry_tv(struct evhttp_connection *evcon,
                                            const struct timeval *tv);
/** Has up to `max_in_flight` requests under way at once over the connection (pipelining, RFC 9112
 * 9.3.2), from the next that is sent on. 1 or less: one at a time, the default. Not in libevent.
 *
 * Sent before the replies to earlier ones are complete are only requests that are idempotent, have
 * no body, and do not ask for the end of the connection or another protocol; others wait for their
 * turn, and have everything behind them wait for the head of their reply. It begins when a reply
 * over the connection has shown that the server speaks HTTP/1.1 and goes on. Replies belong to the
 * requests in the order in which they were made, so do the calls of their callbacks.
 *
 * When the connection ends early, those that have not been answered are sent again over a new one,
 * each on its own, and before all others; the first of them, whose reply was due, by the rule for
 * connections that a server closes just when a request is sent. None is sent more than three times
 * for that. A request that is cancelled or freed after it was sent behind others has the connection
 * close where its reply would begin; its error callback hears EVREQ_HTTP_REQUEST_CANCEL when it is
 * cancelled. Those before it complete, those after it are sent again. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_pipelining(struct evhttp_connection *evcon, int max_in_flight);
/** Sets a callback that knows further methods to send (libevent 2.2): as
 * evhttp_set_ext_method_cmp(), called with `method` NULL and `type` set. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_ext_method_cmp(struct evhttp_connection *evcon,
                                          int (*cmp)(struct evhttp_ext_method *));

/* ---- Pools of connections ----
 *
 *   pool = evhttp_connection_pool_new(base, dnsbase);
 *   req = evhttp_request_new(on_reply, arg);
 *   evhttp_connection_pool_make_request(pool, req, EVHTTP_REQ_GET, "http://example.org/");
 *
 * A pool (not in libevent) sends requests to whatever server their URI names, that is to a scheme,
 * host and port, which are its host here. Each request goes over a connection that is kept from an
 * earlier one; or over a new one, as long as the host has fewer than it may have; or it waits until
 * one of the host's is free, in the order in which the requests were made. A connection has one
 * request at a time. It is free from when its reply is complete: a request that is made by the
 * callback can have it.
 *
 * A request is otherwise what it is with evhttp_make_request(): the same callbacks, retries and
 * ways to cancel. One that waits may be cancelled or freed, too; there is no limit to how long it
 * waits, and none to how many do. While it waits, evhttp_request_get_connection() gives NULL, and
 * the member `evcon` of event2/http_struct.h is not to be used.
 *
 * The connections are the pool's. They may be set up by the callback for new ones, but one that
 * evhttp_request_get_connection() gives may not be used for requests. Freeing it is allowed, also
 * by evhttp_connection_take_bufferevent(). A pool is used from its base's thread only. Limits
 * without being asked for: 8 connections a host, of which 8 are kept idle, 64 idle ones in all, for
 * 30 seconds. */

struct evhttp_connection_pool;

/** What a pool has at the moment, and has done. */
struct evhttp_connection_pool_stats {
  size_t num_hosts;         /**< That have connections, or requests that wait. */
  size_t num_connections;   /**< Idle or not, those that are still connecting included. */
  size_t num_idle;          /**< Connected, and without a request. */
  size_t num_waiting;       /**< Requests that no connection has been found for yet. */
  ev_uint64_t num_requests; /**< Ever accepted. */
  ev_uint64_t num_reused;   /**< Those of them that were given a connection kept idle. */
  ev_uint64_t num_opened;   /**< Connections ever made. */
};

/** Makes a bufferevent without a socket for one connection to a host, such as one that speaks TLS
 * to it; the connection's from then on. `scheme` is "http" or "https"; an IPv6 address in `host`
 * has no brackets; the strings are valid for the call. NULL: for http a bufferevent of the
 * library's, for https there is no connection to be had. Called once for each attempt to connect.
 * It may not make requests with the pool, or free it. */
typedef struct bufferevent *(*evhttp_connection_pool_bevcb)(struct event_base *base,
                                                            const char *scheme, const char *host,
                                                            ev_uint16_t port, void *arg);
/** Hears of each new connection before it is used: the place to set its timeouts, limits, retries
 * or callbacks. It may not make requests with the connection or the pool, or free either. */
typedef void (*evhttp_connection_pool_newcb)(struct evhttp_connection *evcon, void *arg);

/** Makes a pool without connections; names are looked up as with evhttp_connection_base_new().
 * `base` and `dnsbase` have to outlive it. NULL when out of memory. */
EVENT2_EXPORT_SYMBOL
struct evhttp_connection_pool *evhttp_connection_pool_new(struct event_base *base,
                                                          struct evdns_base *dnsbase);
/** Frees the pool and its connections as by evhttp_connection_free(): the callbacks of requests
 * that are not done with are not called, and the requests are freed unless the user owns them. May
 * be called at any time but from the pool's own two callbacks. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_pool_free(struct evhttp_connection_pool *pool);

/** Makes a request to what `uri` names, an absolute http or https URI. `req` is the pool's from
 * then on, whatever is returned. Its fragment is not sent. Returns 0; or -1 as
 * evhttp_make_request() does, and also when the URI is malformed, relative, of another scheme or
 * has userinfo, for https without evhttp_connection_pool_set_bevcb(), and for CONNECT. */
EVENT2_EXPORT_SYMBOL
int evhttp_connection_pool_make_request(struct evhttp_connection_pool *pool,
                                        struct evhttp_request *req, enum evhttp_cmd_type type,
                                        const char *uri);

/** How many connections a host may have; at least 1. Those that are too many remain until they
 * are free. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_pool_set_max_per_host(struct evhttp_connection_pool *pool,
                                             int max_connections);
/** How many connections are kept idle, of one host and in all; 0: none. Of too many those that have
 * been idle for longest are closed. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_pool_set_max_idle(struct evhttp_connection_pool *pool, int max_per_host,
                                         int max_in_all);
/** How long a connection is kept idle, counted for each from when it next is; it should be less
 * than what servers keep. NULL or zero: the default of 30 seconds. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_pool_set_idle_timeout_tv(struct evhttp_connection_pool *pool,
                                                const struct timeval *tv);
/** Sets who makes the bufferevents of connections to come; NULL: the library. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_pool_set_bevcb(struct evhttp_connection_pool *pool,
                                      evhttp_connection_pool_bevcb cb, void *arg);
/** Sets who hears of connections to come; NULL: nobody. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_pool_set_newcb(struct evhttp_connection_pool *pool,
                                      evhttp_connection_pool_newcb cb, void *arg);
/** Fills in `out_stats`. It takes time in proportion to the requests that wait. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_pool_get_stats(const struct evhttp_connection_pool *pool,
                                      struct evhttp_connection_pool_stats *out_stats);

#ifdef __cplusplus
}
#endif

#endif

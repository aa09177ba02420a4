#ifndef EVENT2_HTTP_H_INCLUDED_
#define EVENT2_HTTP_H_INCLUDED_

/** @file event2/http.h
 *
 * An HTTP/1.1 server (RFC 9110, RFC 9112), field lists, and URIs (RFC 3986).
 *
 * A server belongs to one event base and is used from that base's thread only. The way of a
 * request: it is read and checked; the callback for its path is called; the callback replies, at
 * once or later, with evhttp_send_reply(), evhttp_send_error() or evhttp_send_reply_start() and
 * what follows it. Requests that a client pipelines are answered one after the other in their
 * order; a request that is answered later holds back those behind it.
 *
 * Malformed requests never reach a callback: the server answers them and closes.
 *
 * Limits that are in force without being asked for, each with its setter:
 *
 * | what                           | default    | setter                            |
 * | ------------------------------ | ---------- | --------------------------------- |
 * | request line                   | 8 KiB      | evhttp_set_max_request_line_size  |
 * | whole head                     | 64 KiB     | evhttp_set_max_headers_size       |
 * | fields of a head               | 100        | evhttp_set_max_headers_count      |
 * | body                           | 16 MiB     | evhttp_set_max_body_size          |
 * | connections                    | 32,768     | evhttp_set_max_connections        |
 * | requests of a connection       | 1,000,000  | evhttp_set_max_requests           |
 * | silence of the client          | 50 s       | evhttp_set_timeout                |
 * | first byte of a new connection | 30 s       | evhttp_set_first_byte_timeout_tv  |
 * | idle between requests          | 50 s       | evhttp_set_idle_timeout_tv        |
 * | first byte of a head to last   | 30 s       | evhttp_set_header_deadline_tv     |
 * | rate of a body                 | 512 byte/s | evhttp_set_min_body_rate          |
 * | rate of taking replies         | 512 byte/s | evhttp_set_min_reply_rate         |
 *
 * When all connections, or the process's descriptors, are in use, those that only wait give way to
 * new ones: see evhttp_set_max_connections(). WebSocket sessions have limits of their own, pings
 * among them: event2/ws.h.
 */

#include <event2/http_status.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bufferevent;
struct evbuffer;
struct evconnlistener;
struct event_base;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_connection;
struct evhttp_request;
struct evhttp_uri;
struct evkeyvalq;
struct sockaddr;
struct timeval;

/** Request methods, as bits for evhttp_set_allowed_methods(): RFC 9110 9, RFC 5789, and those of
 * WebDAV (RFC 4918). */
enum evhttp_cmd_type {
  EVHTTP_REQ_GET = 1 << 0,
  EVHTTP_REQ_POST = 1 << 1,
  EVHTTP_REQ_HEAD = 1 << 2,
  EVHTTP_REQ_PUT = 1 << 3,
  EVHTTP_REQ_DELETE = 1 << 4,
  EVHTTP_REQ_OPTIONS = 1 << 5,
  EVHTTP_REQ_TRACE = 1 << 6,
  EVHTTP_REQ_CONNECT = 1 << 7,
  EVHTTP_REQ_PATCH = 1 << 8,
  EVHTTP_REQ_PROPFIND = 1 << 9,
  EVHTTP_REQ_PROPPATCH = 1 << 10,
  EVHTTP_REQ_MKCOL = 1 << 11,
  EVHTTP_REQ_LOCK = 1 << 12,
  EVHTTP_REQ_UNLOCK = 1 << 13,
  EVHTTP_REQ_COPY = 1 << 14,
  EVHTTP_REQ_MOVE = 1 << 15,
  EVHTTP_REQ_MAX = EVHTTP_REQ_MOVE
};

/** A method beyond these; see evhttp_set_ext_method_cmp(). */
struct evhttp_ext_method {
  const char *method; /**< Its name, as on the wire. */
  ev_uint32_t type;   /**< Its bit: one above EVHTTP_REQ_MAX. */
  ev_uint16_t flags;  /**< EVHTTP_METHOD_HAS_BODY or 0. */
};
/** Requests of the method may have a body. For libevent's sake only, and without effect: whether
 * there is one, the framing says, for any method (RFC 9112 6.3). */
#define EVHTTP_METHOD_HAS_BODY 0x0001

/** Whether a request object stands for a request or for a reply. */
enum evhttp_request_kind { EVHTTP_REQUEST, EVHTTP_RESPONSE };

/** Why a request was not completed; see evhttp_request_set_error_cb(). */
enum evhttp_request_error {
  EVREQ_HTTP_TIMEOUT,        /**< The peer was silent for too long. */
  EVREQ_HTTP_EOF,            /**< The peer closed. */
  EVREQ_HTTP_INVALID_HEADER, /**< The head or the framing of the body is malformed. */
  EVREQ_HTTP_BUFFER_ERROR,   /**< Reading, writing or memory failed. */
  EVREQ_HTTP_REQUEST_CANCEL, /**< The request was cancelled. */
  EVREQ_HTTP_DATA_TOO_LONG   /**< A size limit was exceeded. */
};

/* ---- The server ---- */

/** Makes a server on a base (NULL: the one that event_init() made; a virtual host needs none). It
 * serves nothing until it has a socket and callbacks. Freed by evhttp_free(), or by the server that
 * it became a virtual host of. NULL when out of memory. */
EVENT2_EXPORT_SYMBOL
struct evhttp *evhttp_new(struct event_base *base);

/** Frees a server: its sockets, connections and virtual hosts. A callback may do it. Requests
 * that wait for their reply are freed too and must not be used any more, except those that the
 * user owns (evhttp_request_own()); each connection's close callback tells in time. */
EVENT2_EXPORT_SYMBOL
void evhttp_free(struct evhttp *http);

/** Listens on an address (text form or host name; NULL for any) and port (0: a free one). May be
 * called several times. 0, or -1 with the socket error set. */
EVENT2_EXPORT_SYMBOL
int evhttp_bind_socket(struct evhttp *http, const char *address, ev_uint16_t port);

/** As evhttp_bind_socket(), and returns the handle of the socket, which is valid until
 * evhttp_del_accept_socket() or evhttp_free(). NULL on error. */
EVENT2_EXPORT_SYMBOL
struct evhttp_bound_socket *evhttp_bind_socket_with_handle(struct evhttp *http, const char *address,
                                                           ev_uint16_t port);

/** Accepts connections on a socket that already listens, and owns it from then on. 0, or -1, in
 * which case the socket is still the caller's. */
EVENT2_EXPORT_SYMBOL
int evhttp_accept_socket(struct evhttp *http, evutil_socket_t fd);

/** As evhttp_accept_socket(), and returns the handle. NULL on error. */
EVENT2_EXPORT_SYMBOL
struct evhttp_bound_socket *evhttp_accept_socket_with_handle(struct evhttp *http,
                                                             evutil_socket_t fd);

/** Serves a connected socket that the caller has accepted or been handed, and owns it from then on.
 * It becomes non-blocking. `addr` (of `addrlen` bytes) is the peer's address, not needed after the
 * call; NULL: the system is asked for it. In the thread of the server's base, like everything with
 * a server: event2/http_threads.h hands sockets to other threads. Whether the peer is still there
 * is found out as usual, when the loop runs. 0, also when the connection is only told that there
 * are too many; -1: out of memory, not a socket, or far too many connections, and the socket is
 * still the caller's. */
EVENT2_EXPORT_SYMBOL
int evhttp_serve_socket(struct evhttp *http, evutil_socket_t fd, const struct sockaddr *addr,
                        int addrlen);

/** Serves what a listener accepts; replaces its callback and owns it from then on. NULL when out
 * of memory, in which case the listener is still the caller's. */
EVENT2_EXPORT_SYMBOL
struct evhttp_bound_socket *evhttp_bind_listener(struct evhttp *http,
                                                 struct evconnlistener *listener);

/** The listener behind a handle; it stays the server's. */
EVENT2_EXPORT_SYMBOL
struct evconnlistener *evhttp_bound_socket_get_listener(struct evhttp_bound_socket *bound);

/** The listening socket behind a handle; it stays the server's. */
EVENT2_EXPORT_SYMBOL
evutil_socket_t evhttp_bound_socket_get_fd(struct evhttp_bound_socket *bound);

typedef void evhttp_bound_socket_foreach_fn(struct evhttp_bound_socket *, void *);
/** Calls `function` with each handle and `argument`. It may not add or remove sockets. */
EVENT2_EXPORT_SYMBOL
void evhttp_foreach_bound_socket(struct evhttp *http, evhttp_bound_socket_foreach_fn *function,
                                 void *argument);

/** Stops accepting on a socket and frees its listener, which closes the socket. Connections that
 * it has accepted live on. */
EVENT2_EXPORT_SYMBOL
void evhttp_del_accept_socket(struct evhttp *http, struct evhttp_bound_socket *bound_socket);

/** Sets how the bufferevent of a connection is made (for TLS, say): `cb` returns one without a
 * descriptor and with BEV_OPT_CLOSE_ON_FREE, or NULL for the server to make its own. It may not
 * free the server. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_bevcb(struct evhttp *http, struct bufferevent *(*cb)(struct event_base *, void *),
                      void *arg);
/** The same for the connections of one socket; it takes precedence. */
EVENT2_EXPORT_SYMBOL
void evhttp_bound_set_bevcb(struct evhttp_bound_socket *bound,
                            struct bufferevent *(*cb)(struct event_base *, void *), void *arg);

/** Sets what is called with each new request before anything of it is parsed, to set its
 * callbacks (evhttp_request_set_chunked_cb() and others). A negative result closes the
 * connection. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_newreqcb(struct evhttp *http, int (*cb)(struct evhttp_request *, void *),
                         void *arg);

/** Sets how error pages look: `cb` gets the request, an empty buffer for the page, the status
 * code and the reason phrase, and may add output headers. When it returns a negative number the
 * page of the library is sent. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_errorcb(struct evhttp *http,
                        int (*cb)(struct evhttp_request *req, struct evbuffer *buffer, int error,
                                  const char *reason, void *cbarg),
                        void *cbarg);

/** Bytes that a request's head may have, request line included; negative for no limit (then
 * 2 GiB). A longer one is answered with 431. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_max_headers_size(struct evhttp *http, ev_ssize_t max_headers_size);
/** Bytes that a request's line may have; not above the limit for the head; negative for no limit.
 * A longer one is answered with 414 (501 where already the method is longer). */
EVENT2_EXPORT_SYMBOL
void evhttp_set_max_request_line_size(struct evhttp *http, ev_ssize_t max_line_size);
/** Number of fields that a request's head may have, at most 65,535; more are answered with 431. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_max_headers_count(struct evhttp *http, int max_headers);
/** Bytes that a request's body may have; negative for no limit. A longer one is answered with
 * 413. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_max_body_size(struct evhttp *http, ev_ssize_t max_body_size);

/** Number of connections that are served at a time; 0 or less for no limit. For one above it, the
 * connection is closed that has waited longest for a request, for the rest of a head, or for the
 * end of a client whose request was refused, if it has done so for a second; when there is none,
 * one whose body is behind the least rate (evhttp_set_min_body_rate()) by more than a second and
 * 2 KiB, of at most 16 that are looked at for each new connection; when there is none either, the
 * new one is answered with 503, which takes no place, and not at all when many such answers are
 * under way.
 *
 * Where the system gives fewer descriptors, the same is done for each connection that cannot be
 * accepted for want of one; those answered with 503 go first. One more may go, since accept() takes
 * its descriptor before it looks for a connection. When nobody can be closed, or that does not
 * help, new ones wait until there is one to be had. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_max_connections(struct evhttp *http, int max_connections);
/** Number of requests that are served on one connection, which the reply to the last closes; 0 or
 * less for no limit. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_max_requests(struct evhttp *http, int max_requests);
/** Number of open connections. */
EVENT2_EXPORT_SYMBOL
int evhttp_get_connection_count(struct evhttp *http);

/** Sets the Content-Type of replies that have none; NULL: they are sent without. The string is
 * not copied. Default: "text/html; charset=ISO-8859-1". */
EVENT2_EXPORT_SYMBOL
void evhttp_set_default_content_type(struct evhttp *http, const char *content_type);

/** Sets which methods reach callbacks: a set of evhttp_cmd_type bits. Default: GET, POST, HEAD,
 * PUT, DELETE. Other known methods are answered with 405 and the Allow field, unknown ones with
 * 501. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_allowed_methods(struct evhttp *http, ev_uint32_t methods);

/** Sets a callback that knows further methods. It is called with `method` set and `type` 0, fills
 * in the other two and returns 0; or it is called with `method` NULL and fills that in, for the
 * Allow field; -1: not known. A method's bit must be allowed too. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_ext_method_cmp(struct evhttp *http, int (*cmp)(struct evhttp_ext_method *));

/** Sets the callback for a path: the part of the target before '?', percent-decoded. It owes the
 * request a reply. 0; -1 when the path has a callback already; -2 when out of memory. */
EVENT2_EXPORT_SYMBOL
int evhttp_set_cb(struct evhttp *http, const char *path,
                  void (*cb)(struct evhttp_request *, void *), void *cb_arg);
/** Removes the callback for a path. 0, or -1 when there is none. */
EVENT2_EXPORT_SYMBOL
int evhttp_del_cb(struct evhttp *, const char *path);
/** Sets the callback for all other paths. Without one they are answered with 404. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_gencb(struct evhttp *http, void (*cb)(struct evhttp_request *, void *), void *arg);

/** Serves hosts that match a pattern by the callbacks of another server, which has no sockets and
 * from now on belongs to `http`. The pattern is matched against the request's host, letter case
 * ignored; '*' stands for any characters. Virtual hosts may have virtual hosts. 0, or -1 when the
 * vhost has sockets or belongs to a server already, or when out of memory. */
EVENT2_EXPORT_SYMBOL
int evhttp_add_virtual_host(struct evhttp *http, const char *pattern, struct evhttp *vhost);
/** Undoes evhttp_add_virtual_host(): the vhost is the caller's again. 0, or -1 when it was not
 * one of this server's. */
EVENT2_EXPORT_SYMBOL
int evhttp_remove_virtual_host(struct evhttp *http, struct evhttp *vhost);

/** Adds a name of a server or virtual host; compared whole, letter case ignored. 0, or -1 when
 * out of memory. */
EVENT2_EXPORT_SYMBOL
int evhttp_add_server_alias(struct evhttp *http, const char *alias);
/** Removes a name. 0, or -1 when there is no such name. */
EVENT2_EXPORT_SYMBOL
int evhttp_remove_server_alias(struct evhttp *http, const char *alias);

/** Sets how long a connection may make no progress, in reading a request, in waiting for the next
 * one, and in writing: seconds; 0 or less: the default of 50. For connections accepted from now
 * on. Waiting for a callback's reply is not limited; while the client has replies to take, only
 * writing is. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_timeout(struct evhttp *http, int timeout_in_secs);
/** As evhttp_set_timeout(); NULL or zero: the default. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_timeout_tv(struct evhttp *http, const struct timeval *tv);
/** Reading and waiting only. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_read_timeout_tv(struct evhttp *http, const struct timeval *tv);
/** Writing only. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_write_timeout_tv(struct evhttp *http, const struct timeval *tv);
/** Sets how long a new connection may take to its first byte. NULL: the default, 30 seconds or the
 * read timeout, whichever is shorter; zero: no limit. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_first_byte_timeout_tv(struct evhttp *http, const struct timeval *tv);
/** Sets how long a connection may be idle between a reply and the first byte of the next request.
 * NULL: the default, the read timeout; zero: no limit. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_idle_timeout_tv(struct evhttp *http, const struct timeval *tv);
/** Sets how long a head may take from its first byte to its last, however it trickles in. NULL:
 * the default of 30 seconds; zero: no such deadline. A head that takes longer is answered with
 * 408. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_header_deadline_tv(struct evhttp *http, const struct timeval *tv);

/** Sets the least rate of a request's body, in bytes a second, over all of the body; the read
 * timeout comes on top. So a body of n bytes is complete after n / rate seconds and one timeout, or
 * is answered with 408, however it trickles in. 0: none, for clients that send as things happen.
 * One that is behind may lose its place earlier: see evhttp_set_max_connections(). Default: 512.
 * For connections accepted from now on. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_min_body_rate(struct evhttp *http, size_t bytes_per_second);

/** Sets the least rate at which a client takes replies, in bytes a second, over each write
 * timeout's length of time: a client that takes fewer, though it has replies to take all the time,
 * is cut off, after twice that length at most. 0: none; then only a client that takes nothing at
 * all for a write timeout is. Default: 512. */
EVENT2_EXPORT_SYMBOL
void evhttp_set_min_reply_rate(struct evhttp *http, size_t bytes_per_second);

/** Server flag: the body of a request that is too large is read and thrown away, all of it, before
 * the refusal is sent, for clients that do not look at the reply before they have sent everything
 * (one that expects 100-continue is refused at once). Without it the refusal is sent at once, and a
 * bounded rest is thrown away: what comes within 30 seconds after the reply has left, until the
 * client is silent for 5 (or for the read timeout, if that is shorter; then six times that takes
 * the place of the 30). */
#define EVHTTP_SERVER_LINGERING_CLOSE 0x0001
/** Sets the server's flags. 0, or nonzero when a flag is unknown. */
EVENT2_EXPORT_SYMBOL
int evhttp_set_flags(struct evhttp *http, int flags);

/* ---- Replies ----
 *
 * The library adds Date, Content-Length or Transfer-Encoding, Connection and Content-Type where
 * the reply needs them and the output headers lack them. Replies to HEAD and those with status
 * 1xx, 204, 205 or 304 are sent without their body. What follows a reply with status 1xx, or 2xx to
 * CONNECT, is not HTTP: such a reply has no Content-Length or Transfer-Encoding, and completing it
 * closes the connection. A request whose connection is gone (its
 * evhttp_request_get_connection() is NULL) may be replied to: the reply is dropped.
 *
 * Transfer-Encoding among the output headers names the codings that the body already has. A body in
 * pieces is sent with chunked as a further one, and without Content-Length; a whole body is sent as
 * it is, and the connection closes after it unless the last coding is chunked. HTTP/1.0 clients
 * know no codings (RFC 9112 6.1): to them the field is not sent, and the body should have none.
 *
 * The request is valid until the callback that completed the reply returns, later only when the
 * user owns it. */

/** Sends a whole reply and completes the request. `reason` may be NULL for the usual phrase.
 * `databuf` is the body, or NULL; it is emptied and stays the caller's. */
EVENT2_EXPORT_SYMBOL
void evhttp_send_reply(struct evhttp_request *req, int code, const char *reason,
                       struct evbuffer *databuf);

/** Sends an error page instead of whatever output headers and output buffer held, completes the
 * request, and closes the connection. `reason` as above. */
EVENT2_EXPORT_SYMBOL
void evhttp_send_error(struct evhttp_request *req, int error, const char *reason);

/** Begins a reply whose body follows piece by piece: chunked to HTTP/1.1 clients, unless the
 * output headers have a Content-Length; to older ones the end of the connection ends it. */
EVENT2_EXPORT_SYMBOL
void evhttp_send_reply_start(struct evhttp_request *req, int code, const char *reason);
/** Sends a piece; `databuf` is emptied and stays the caller's. An empty one is nothing. */
EVENT2_EXPORT_SYMBOL
void evhttp_send_reply_chunk(struct evhttp_request *req, struct evbuffer *databuf);
/** As evhttp_send_reply_chunk(); `cb` is called once, from the loop, when everything sent so far
 * has left for the peer: the moment to send more. A later piece replaces the callback; a
 * connection that closes before does not call it. */
EVENT2_EXPORT_SYMBOL
void evhttp_send_reply_chunk_with_cb(struct evhttp_request *, struct evbuffer *databuf,
                                     void (*cb)(struct evhttp_connection *, void *), void *arg);
/** Ends such a reply and completes the request. */
EVENT2_EXPORT_SYMBOL
void evhttp_send_reply_end(struct evhttp_request *req);

/** Provides a body of any size piece by piece, as the peer takes it.
 *
 * It is called from the loop whenever there is room: it appends to `out`, about `room` bytes (more
 * is kept too), and returns one of the values below. When it has nothing now it appends nothing and
 * returns EVHTTP_BODY_MORE; it is asked again after evhttp_request_body_ready(). Of a body of known
 * length, bytes beyond it are dropped, and it need not say EVHTTP_BODY_LAST.
 *
 * The last call, always and exactly one, has `out` NULL: the body is written or broken off (the
 * connection was lost, say) and `arg` may be freed. Its result is ignored, and it may free neither
 * the request nor the connection nor the server; any other call may. */
typedef int (*evhttp_body_cb)(struct evhttp_request *req, struct evbuffer *out, size_t room,
                              void *arg);
/** There is more to come. */
#define EVHTTP_BODY_MORE 1
/** That was the last. */
#define EVHTTP_BODY_LAST 0
/** It cannot go on: the connection is closed (a server's when what was written so far is sent), so
 * that the peer knows the body to be incomplete (an HTTP/1.0 client only if there was a length). */
#define EVHTTP_BODY_ABORT (-1)

/** Sends a reply with a body of `len` bytes that `cb` provides; -1: of unknown length, sent as by
 * evhttp_send_reply_start(). What the request's output buffer holds comes first and counts. The
 * request is completed when the body is; it stays valid until the last call of `cb` returns. `cb`
 * is never called from within this function, unless the connection is gone: then it is told at
 * once. It is not asked for a body that is not sent (to HEAD, or with 204, 205 or 304). Replying
 * with evhttp_send_error() breaks the body off. */
EVENT2_EXPORT_SYMBOL
void evhttp_send_reply_provided(struct evhttp_request *req, int code, const char *reason,
                                ev_int64_t len, evhttp_body_cb cb, void *arg);

/** The provider of this request's body (of a reply or of a client's request) has something now. May
 * be called at any time while the request is valid, in the provider too. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_body_ready(struct evhttp_request *req);

/* ---- Requests ---- */

/** Makes a request object. The server makes those of its connections itself. NULL when out of
 * memory. */
EVENT2_EXPORT_SYMBOL
struct evhttp_request *evhttp_request_new(void (*cb)(struct evhttp_request *, void *), void *arg);
/** Frees a request that the user owns or made. When it still waits for its reply, its connection
 * is closed. A callback of the request may do it. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_free(struct evhttp_request *req);

/** Makes the request the user's: it lives until evhttp_request_free(), whatever becomes of its
 * connection. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_own(struct evhttp_request *req);
/** 1 when the user owns the request, otherwise 0. */
EVENT2_EXPORT_SYMBOL
int evhttp_request_is_owned(struct evhttp_request *req);

/** Sets a callback for body bytes as they arrive: they are in the input buffer and thrown away
 * after it. Set it from the new-request or the header callback. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_set_chunked_cb(struct evhttp_request *,
                                   void (*cb)(struct evhttp_request *, void *));
/** Pauses the body that is being received: its consumer is behind. Until
 * evhttp_request_resume_body() the chunked callback is not called, the request's (or a client's
 * response's) callback neither, no more than about 64 KiB is read from the peer, and no timeout or
 * rate of reading runs against it. When the chunked callback calls it, bytes that it leaves in the
 * input buffer stay there, and are presented again with what follows. May be called from any
 * callback of the request from the new-request callback on, or in between; paused in the header
 * callback, a client that expects 100-continue is not asked for the body before it is resumed.
 * Pausing what is paused, or a body that has been received, does nothing. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_pause_body(struct evhttp_request *req);
/** Goes on, from the loop: no callback is called from within this function. May be called from any
 * callback or later, as long as the request is valid. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_resume_body(struct evhttp_request *req);
/** Sets a callback for when the head is complete. A negative result closes the connection. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_set_header_cb(struct evhttp_request *,
                                  int (*cb)(struct evhttp_request *, void *));
/** Sets a callback for a request that breaks off before its callback was called; it gets the
 * argument of the request's callback. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_set_error_cb(struct evhttp_request *,
                                 void (*)(enum evhttp_request_error, void *));
/** Sets a callback for when the whole reply has been written, before the request is freed. Not
 * called when the connection breaks before. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_set_on_complete_cb(struct evhttp_request *req,
                                       void (*cb)(struct evhttp_request *, void *), void *cb_arg);

/** The connection; or NULL when it is gone, or when the request is a pool's and waits for one. */
EVENT2_EXPORT_SYMBOL
struct evhttp_connection *evhttp_request_get_connection(struct evhttp_request *req);
/** The request target as it was received; valid as long as the request. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_request_get_uri(const struct evhttp_request *req);
/** The request target taken apart; parsed when first asked for, kept with the request. NULL when
 * it is no URI reference, or when out of memory. */
EVENT2_EXPORT_SYMBOL
const struct evhttp_uri *evhttp_request_get_evhttp_uri(const struct evhttp_request *req);
/** The method. */
EVENT2_EXPORT_SYMBOL
enum evhttp_cmd_type evhttp_request_get_command(const struct evhttp_request *req);
/** The status code of the reply; 0 before there is one. */
EVENT2_EXPORT_SYMBOL
int evhttp_request_get_response_code(const struct evhttp_request *req);
/** The reason phrase of the reply; NULL before there is one. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_request_get_response_code_line(const struct evhttp_request *req);
/** The fields received; they stay the request's. */
EVENT2_EXPORT_SYMBOL
struct evkeyvalq *evhttp_request_get_input_headers(struct evhttp_request *req);
/** The trailer fields received, those that followed a chunked body (RFC 9110 6.5); none before the
 * body is complete. They stay the request's. Fields that may not be sent in a trailer (framing,
 * routing, conditions, credentials, the type of the content) are dropped; their number and size are
 * limited. */
EVENT2_EXPORT_SYMBOL
struct evkeyvalq *evhttp_request_get_trailers(struct evhttp_request *req);
/** The fields to send; they stay the request's. */
EVENT2_EXPORT_SYMBOL
struct evkeyvalq *evhttp_request_get_output_headers(struct evhttp_request *req);
/** Has a client's request sent with a body of `len` bytes that `cb` provides; -1: of unknown
 * length, sent chunked. To be called before evhttp_make_request(), once. What the output buffer
 * holds comes first and counts. */
EVENT2_EXPORT_SYMBOL
void evhttp_request_set_body_provider(struct evhttp_request *req, ev_int64_t len, evhttp_body_cb cb,
                                      void *arg);
/** The body received. The user may take bytes out. */
EVENT2_EXPORT_SYMBOL
struct evbuffer *evhttp_request_get_input_buffer(struct evhttp_request *req);
/** A body to send: evhttp_send_reply() sends it before its argument. */
EVENT2_EXPORT_SYMBOL
struct evbuffer *evhttp_request_get_output_buffer(struct evhttp_request *req);
/** The host that the request is for, without the port: that of an absolute target, otherwise of
 * the Host field. NULL when there is neither, or when out of memory. Valid as long as the
 * request. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_request_get_host(struct evhttp_request *req);

/* ---- Connections ---- */

/** Closes and frees a connection with its requests, as evhttp_free() does. A callback may do it,
 * that of a request of this connection included. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_free(struct evhttp_connection *evcon);
/** The bufferevent below; it stays the connection's. A client that made its own has a new one for
 * each connection with the server. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *evhttp_connection_get_bufferevent(struct evhttp_connection *evcon);
/** The server that accepted the connection; NULL for a client's. */
EVENT2_EXPORT_SYMBOL
struct evhttp *evhttp_connection_get_server(struct evhttp_connection *evcon);
/** The connection's base. */
EVENT2_EXPORT_SYMBOL
struct event_base *evhttp_connection_get_base(struct evhttp_connection *req);
/** The peer's address as text, valid as long as the connection, and its port; for a client what it
 * was made with, NULL when that was a bufferevent. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_get_peer(struct evhttp_connection *evcon, char **address, ev_uint16_t *port);
/** The peer's address: a struct sockaddr_storage that stays the connection's. NULL when unknown
 * or when out of memory. */
EVENT2_EXPORT_SYMBOL
const struct sockaddr *evhttp_connection_get_addr(struct evhttp_connection *evcon);
/** Sets a callback for when the connection closes, whoever closes it. A server's is called once and
 * may not free the connection, which is on its way already. A client's is called each time a
 * connection with the server ends, just after, and may. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_closecb(struct evhttp_connection *evcon,
                                   void (*)(struct evhttp_connection *, void *), void *);

/* As the server's setters of the same names, for one connection, from its next request on. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_max_headers_size(struct evhttp_connection *evcon,
                                            ev_ssize_t new_max_headers_size);
/** From the header callback it holds for that request's body already. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_max_body_size(struct evhttp_connection *evcon,
                                         ev_ssize_t new_max_body_size);
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_timeout(struct evhttp_connection *evcon, int timeout_in_secs);
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_timeout_tv(struct evhttp_connection *evcon, const struct timeval *tv);
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_read_timeout_tv(struct evhttp_connection *evcon,
                                           const struct timeval *tv);
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_write_timeout_tv(struct evhttp_connection *evcon,
                                            const struct timeval *tv);

/** Connection flag, for clients: the address that was connected to is kept, and the name not looked
 * up again. */
#define EVHTTP_CON_REUSE_CONNECTED_ADDR 0x0008
/** Connection flag, for clients: when the server takes no more of a request, its reply is read all
 * the same. It always is. */
#define EVHTTP_CON_READ_ON_WRITE_ERROR 0x0010
/** As EVHTTP_SERVER_LINGERING_CLOSE, for one connection. */
#define EVHTTP_CON_LINGERING_CLOSE 0x0020
/** Flags from here on are the library's own. */
#define EVHTTP_CON_PUBLIC_FLAGS_END 0x100000
/** Sets flags of a connection. 0, or nonzero when one is unknown. */
EVENT2_EXPORT_SYMBOL
int evhttp_connection_set_flags(struct evhttp_connection *evcon, int flags);

/* ---- Field lists ----
 *
 * Field names are compared without regard to letter case. */

/** The value of the first field of that name; NULL when there is none. Valid until the field is
 * removed. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_find_header(const struct evkeyvalq *headers, const char *key);
/** Removes the first field of that name. 0, or -1 when there is none. */
EVENT2_EXPORT_SYMBOL
int evhttp_remove_header(struct evkeyvalq *headers, const char *key);
/** Appends a field; both strings are copied. 0, or -1 when the name is not a token, when the value
 * contains a line end, or when out of memory. */
EVENT2_EXPORT_SYMBOL
int evhttp_add_header(struct evkeyvalq *headers, const char *key, const char *value);
/** Removes and frees all fields. */
EVENT2_EXPORT_SYMBOL
void evhttp_clear_headers(struct evkeyvalq *headers);

#ifdef __cplusplus
}
#endif

#include <event2/http_client.h>
#include <event2/http_uri.h>

#endif

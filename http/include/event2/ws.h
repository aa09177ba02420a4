#ifndef EVENT2_WS_H_INCLUDED_
#define EVENT2_WS_H_INCLUDED_

/** @file event2/ws.h
 *
 * WebSocket (RFC 6455), server and client. The names of libevent 2.2's ws.h, and more.
 *
 * A server's session begins in a callback of evhttp, on a request for it:
 *
 *   static void on_request(struct evhttp_request *req, void *arg) {
 *     struct evws_connection *evws = evws_new_session(req, on_message, arg, 0);
 *     if (evws) evws_connection_set_closecb(evws, on_close, arg);
 *   }
 *
 * A client's session begins with evws_client_new() on a bufferevent that is connected or
 * connecting.
 *
 * The library joins fragments, checks that text is UTF-8, answers pings, and goes through the
 * closing handshake. What breaks the protocol ends the session with a close frame that says why:
 * 1002 (protocol), 1007 (not UTF-8), 1009 (too big), 1011 (no memory). Extensions (such as
 * permessage-deflate) are not negotiated.
 *
 * Lifetime. The library frees a session when its connection has ended: the close callback is called
 * exactly once, and when it returns the session is gone. evws_connection_free() does the same at
 * once. Any callback may call it; the session must not be used afterwards.
 *
 * Threads. A session belongs to the thread of its base's loop. With BEV_OPT_THREADSAFE among its
 * options, evws_send_text(), evws_send_binary(), evws_send_message() and evws_close() may be called
 * from any thread as long as the session exists; the caller sees to that.
 *
 * Limits that are in force without being asked for, each with its setter:
 *
 * | what                               | default | setter                                |
 * | ---------------------------------- | ------- | ------------------------------------- |
 * | message, all its fragments         | 16 MiB  | evws_connection_set_max_message_size  |
 * | fragment                           | 16 MiB  | evws_connection_set_max_frame_size    |
 * | unsent output of a server, above   |         |                                       |
 * | which it does not read             | 256 KiB | evws_connection_set_output_mark       |
 * | no output taken by the peer        | 50 s    | evws_connection_set_write_timeout     |
 * | silence of the peer before a ping, |         |                                       |
 * | and again after it                 | 60 s    | evws_connection_set_ping_interval     |
 * | closing, each of its steps         | 5 s     | evws_connection_set_close_timeout     |
 * | a client's opening handshake       | 30 s    | evws_client_set_handshake_timeout     |
 */

#include <stddef.h>

#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bufferevent;
struct evhttp_request;
struct timeval;

/** One end of a WebSocket. Opaque. */
struct evws_connection;

/** @name Kinds of messages
 * @{ */
#define WS_TEXT_FRAME 0x1
#define WS_BINARY_FRAME 0x2
/** @} */

/** @name Codes of close frames (RFC 6455 7.4.1)
 * @{ */
/** A close frame without a code. */
#define WS_CR_NONE 0
#define WS_CR_NORMAL 1000
#define WS_CR_GOING_AWAY 1001
#define WS_CR_PROTO_ERR 1002
#define WS_CR_UNSUPPORTED 1003
/** What evws_connection_get_close_code() says of a close frame without a code. */
#define WS_CR_NO_CODE 1005
/** What it says when no close frame came. */
#define WS_CR_ABNORMAL 1006
#define WS_CR_BAD_DATA 1007
#define WS_CR_POLICY 1008
#define WS_CR_DATA_TOO_BIG 1009
#define WS_CR_INTERNAL 1011
#define WS_CR_TRY_LATER 1013
/** @} */

/** Called with each message: its kind, WS_TEXT_FRAME or WS_BINARY_FRAME, and its bytes, which are
 * the library's and valid during the call. A NUL that is not counted in `len` follows them. */
typedef void (*ws_on_msg_cb)(struct evws_connection *evws, int type, const unsigned char *data,
                             size_t len, void *arg);

/** Called at the end of a session; see evws_connection_set_closecb(). */
typedef void (*ws_on_close_cb)(struct evws_connection *evws, void *arg);

/** Called when something else has happened to a session. */
typedef void (*evws_event_cb)(struct evws_connection *evws, void *arg);

/** Called with the payload of a pong, at most 125 bytes. */
typedef void (*evws_pong_cb)(struct evws_connection *evws, const unsigned char *data, size_t len,
                             void *arg);

/* ---- A server's session ---- */

/** Answers a request with 101 and makes the connection a session. The request, to be used no more,
 * is one that a callback of evhttp was called with and has not replied to. Headers for the reply
 * may have been added to it. `options`: 0 or BEV_OPT_THREADSAFE. The session still counts as a
 * connection of the server, and ends with evhttp_free().
 *
 * NULL, and the request has been replied to, when it is no WebSocket handshake (400), not meant to
 * be one (426), of another version than 13 (426), or when memory is short (503). */
EVENT2_EXPORT_SYMBOL
struct evws_connection *evws_new_session(struct evhttp_request *req, ws_on_msg_cb cb, void *arg,
                                         int options);

/** Whether a request asks for a WebSocket at all: a callback that serves pages too can tell. */
EVENT2_EXPORT_SYMBOL
int evws_is_handshake(struct evhttp_request *req);

/** Chooses a subprotocol before evws_new_session(): the first of the client's offers that is among
 * the `num_supported` names. Returns that name, having added it to the reply; NULL when the client
 * offers none of them, or memory is short: then the session has no subprotocol. */
EVENT2_EXPORT_SYMBOL
const char *evws_select_subprotocol(struct evhttp_request *req, const char *const *supported,
                                    size_t num_supported);

/* ---- A client's session ---- */

/** Makes a session of a bufferevent that is connected or connecting, which is owned by the session
 * from then on. `host` is the value of the Host field (with the port, if it is not the scheme's),
 * `path` the target, with its query. `options` as in evws_new_session(). Then set callbacks, add
 * headers and offers, and call evws_client_start(). NULL when host or path have bytes that do not
 * belong there, or memory is short; the bufferevent is then still the caller's. */
EVENT2_EXPORT_SYMBOL
struct evws_connection *evws_client_new(struct bufferevent *bufev, const char *host,
                                        const char *path, ws_on_msg_cb cb, void *arg, int options);

/** Adds a header to the opening request: Origin, Cookie, Sec-WebSocket-Protocol with the
 * subprotocols offered, most wanted first. -1 when the name or the value is malformed, or memory is
 * short. */
EVENT2_EXPORT_SYMBOL
int evws_client_add_header(struct evws_connection *evws, const char *name, const char *value);

/** Sends the opening request. What follows comes from the loop: the open callback, or the close
 * callback with the code 1006. -1 when memory is short; the session can still be started or freed.
 */
EVENT2_EXPORT_SYMBOL
int evws_client_start(struct evws_connection *evws);

/** Sets what is called when the server has agreed: messages can be sent from then on. */
EVENT2_EXPORT_SYMBOL
void evws_client_set_opencb(struct evws_connection *evws, evws_event_cb cb, void *arg);

/** Sets how long the server may take to agree, counted from evws_client_start(). NULL: 30 s. */
EVENT2_EXPORT_SYMBOL
void evws_client_set_handshake_timeout(struct evws_connection *evws, const struct timeval *tv);

/** The status of the server's answer; 0 before there is one. */
EVENT2_EXPORT_SYMBOL
int evws_client_get_response_code(const struct evws_connection *evws);

/* ---- Sending ---- */

/** Sends a string of UTF-8 as a text message. What the session cannot take (see
 * evws_send_message()) is dropped. */
EVENT2_EXPORT_SYMBOL
void evws_send_text(struct evws_connection *evws, const char *packet_str);

/** Sends a binary message, copied, in the same way. */
EVENT2_EXPORT_SYMBOL
void evws_send_binary(struct evws_connection *evws, const char *packet_data, size_t packet_len);

/** Sends a message of a kind, WS_TEXT_FRAME or WS_BINARY_FRAME, in one frame. The bytes are copied;
 * that text is UTF-8 is the caller's duty. 0; -1, and nothing is sent, when the session is not open
 * (yet, or any more), or memory is short: then the session ends with 1011. */
EVENT2_EXPORT_SYMBOL
int evws_send_message(struct evws_connection *evws, int type, const void *data, size_t len);

/** Sends a ping with up to 125 bytes (more: -1). The peer answers with a pong of the same bytes. */
EVENT2_EXPORT_SYMBOL
int evws_send_ping(struct evws_connection *evws, const void *data, size_t len);

/** Sets what is called when a pong comes; NULL: nothing. */
EVENT2_EXPORT_SYMBOL
void evws_connection_set_pongcb(struct evws_connection *evws, evws_pong_cb cb, void *arg);

/** Bytes that have been sent by the program and not yet been written to the connection. */
EVENT2_EXPORT_SYMBOL
size_t evws_connection_get_output_length(const struct evws_connection *evws);

/** Sets what is called when all output has been written: the time to send more of much. */
EVENT2_EXPORT_SYMBOL
void evws_connection_set_drainedcb(struct evws_connection *evws, evws_event_cb cb, void *arg);

/* ---- The end ---- */

/** Begins the closing handshake with a code (WS_CR_NONE: none). From now on nothing is sent, and
 * messages that come are dropped; the close callback follows when the peer has answered, or has not
 * for too long. A code that may not be sent counts as 1000. Does nothing on a session that is
 * closing already, or that evws_client_start() has not been called for; one that is not open yet
 * ends without a handshake. */
EVENT2_EXPORT_SYMBOL
void evws_close(struct evws_connection *evws, ev_uint16_t reason);

/** As evws_close(), with a text for people who read logs: UTF-8, of which up to 123 bytes are sent.
 */
EVENT2_EXPORT_SYMBOL
void evws_close_with_reason(struct evws_connection *evws, ev_uint16_t code, const char *reason);

/** Sets what is called, once, when the connection has ended, in whatever way,
 * evws_connection_free() and evhttp_free() included. When it returns the session is gone. */
EVENT2_EXPORT_SYMBOL
void evws_connection_set_closecb(struct evws_connection *evws, ws_on_close_cb cb, void *arg);

/** Ends the connection at once, without a closing handshake, and frees the session. */
EVENT2_EXPORT_SYMBOL
void evws_connection_free(struct evws_connection *evws);

/** The code in the peer's close frame; WS_CR_NO_CODE when it had none, WS_CR_ABNORMAL when no close
 * frame has come. */
EVENT2_EXPORT_SYMBOL
ev_uint16_t evws_connection_get_close_code(const struct evws_connection *evws);

/** The text in the peer's close frame; "" when there is none. It may hold NULs and lives as long as
 * the session. */
EVENT2_EXPORT_SYMBOL
const char *evws_connection_get_close_reason(const struct evws_connection *evws);

/** The code in the close frame that was sent: the program's, the peer's code sent back, or the
 * library's (1002, 1007, 1009, 1011). WS_CR_NO_CODE when it had none, 0 when none was sent. */
EVENT2_EXPORT_SYMBOL
ev_uint16_t evws_connection_get_sent_close_code(const struct evws_connection *evws);

/* ---- Settings ---- */

/** Sets the most bytes a message may have; a longer one ends the session with 1009 as soon as a
 * frame's head shows it. 0: no limit. Text and binary messages are kept until they are complete, in
 * memory that grows as they arrive. */
EVENT2_EXPORT_SYMBOL
void evws_connection_set_max_message_size(struct evws_connection *evws, size_t max_len);

/** Sets the most bytes a data frame may have. 0: no limit but the message's. */
EVENT2_EXPORT_SYMBOL
void evws_connection_set_max_frame_size(struct evws_connection *evws, size_t max_len);

/** Sets how many unsent bytes make a server stop reading from the peer until all have been written,
 * so that one who asks without listening does not fill the memory. 0: it goes on. A client always
 * reads: or two ends could wait for each other. */
EVENT2_EXPORT_SYMBOL
void evws_connection_set_output_mark(struct evws_connection *evws, size_t mark_len);

/** Sets after how much silence of the peer it is pinged; one that is silent as long again and takes
 * no output either is gone: the session ends with 1006, and its place among the server's
 * connections is free. NULL: the default of 60 seconds; zero: never. -1 when memory is short:
 * never then either. */
EVENT2_EXPORT_SYMBOL
int evws_connection_set_ping_interval(struct evws_connection *evws, const struct timeval *tv);

/** Sets how long each step of closing may take: the output and our close frame to leave and the
 * peer's to come, and then the peer to end the connection. NULL: the default of 5 seconds. Counts
 * for steps that begin from now on. */
EVENT2_EXPORT_SYMBOL
void evws_connection_set_close_timeout(struct evws_connection *evws, const struct timeval *tv);

/** Sets for how long the peer may take none of the output that waits; then the session ends with
 * 1006. NULL: the default of 50 seconds; zero: for ever. -1 when memory is short: nothing has
 * changed. */
EVENT2_EXPORT_SYMBOL
int evws_connection_set_write_timeout(struct evws_connection *evws, const struct timeval *tv);

/** Stops calling the message callback, and reading, until evws_connection_resume_reading(): for
 * programs that cannot take more at the moment. Meanwhile pings are not answered and the end of the
 * connection may not be noticed. */
EVENT2_EXPORT_SYMBOL
void evws_connection_pause_reading(struct evws_connection *evws);
EVENT2_EXPORT_SYMBOL
void evws_connection_resume_reading(struct evws_connection *evws);

/** The subprotocol agreed on; NULL for none. It lives as long as the session. */
EVENT2_EXPORT_SYMBOL
const char *evws_connection_get_subprotocol(const struct evws_connection *evws);

/** The bufferevent of the connection. It stays the session's, as do its callbacks. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *evws_connection_get_bufferevent(struct evws_connection *evws);

#ifdef __cplusplus
}
#endif

#endif

#ifndef EVENT2_HTTP_COMPAT_H_INCLUDED_
#define EVENT2_HTTP_COMPAT_H_INCLUDED_

/** @file event2/http_compat.h
 *
 * HTTP functions that work on the current event base, the one that event_init() made. They are
 * kept for old programs and not for use from several threads; new code names its base.
 */

#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evhttp;
struct evhttp_connection;

/** Makes a server on the current base that listens on address and port (as
 * evhttp_bind_socket()). The caller frees it with evhttp_free(). NULL on error. */
EVENT2_EXPORT_SYMBOL
struct evhttp *evhttp_start(const char *address, ev_uint16_t port);

/** As evhttp_connection_base_new() with the current base. Where there is none the connection gets
 * one by evhttp_connection_set_base(), before anything else is done with it. */
EVENT2_EXPORT_SYMBOL
struct evhttp_connection *evhttp_connection_new(const char *address, ev_uint16_t port);

/** Gives a client's connection its base. Before its first request, or at a time when it is not
 * connected. */
EVENT2_EXPORT_SYMBOL
void evhttp_connection_set_base(struct evhttp_connection *evcon, struct event_base *base);

/** The old name of evhttp_request_get_uri(). */
#define evhttp_request_uri evhttp_request_get_uri

#ifdef __cplusplus
}
#endif

#endif

#ifndef EVENT2_HTTP_URI_H_INCLUDED_
#define EVENT2_HTTP_URI_H_INCLUDED_

/** @file event2/http_uri.h
 *
 * URIs (RFC 3986), query strings and escaping: a part of event2/http.h, which includes it.
 * Include that.
 */

#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evhttp_uri;
struct evkeyvalq;

/* ---- URIs ---- */

/** Flag: path, query and fragment may contain bytes that RFC 3986 does not allow there. */
#define EVHTTP_URI_NONCONFORMANT 0x01
/** Flag: the host of an IPv6 literal is returned without its brackets. */
#define EVHTTP_URI_HOST_STRIP_BRACKETS 0x04
/** Flag: an authority of the form "unix:/path/to/socket:" names a socket in the file system. */
#define EVHTTP_URI_UNIX_SOCKET 0x08

/** A URI reference without any part. Free it with evhttp_uri_free(). NULL when out of memory. */
EVENT2_EXPORT_SYMBOL
struct evhttp_uri *evhttp_uri_new(void);
/** Takes a URI reference apart: [scheme:][//[userinfo@]host[:port]][path][?query][#fragment].
 * Percent-encodings stay as they are. Free the result with evhttp_uri_free(). NULL when malformed
 * or when out of memory. */
EVENT2_EXPORT_SYMBOL
struct evhttp_uri *evhttp_uri_parse(const char *source_uri);
/** As evhttp_uri_parse(), with EVHTTP_URI_ flags. */
EVENT2_EXPORT_SYMBOL
struct evhttp_uri *evhttp_uri_parse_with_flags(const char *source_uri, unsigned flags);
/** Frees a URI and its parts. */
EVENT2_EXPORT_SYMBOL
void evhttp_uri_free(struct evhttp_uri *uri);
/** Puts the parts together into `buf` of `limit` bytes, NUL included. `buf`, or NULL when it is
 * too small or when the parts cannot stand together: a host and a path that neither is empty nor
 * starts with a slash; with EVHTTP_URI_UNIX_SOCKET the host "unix" and a port.
 *
 * Without a host, userinfo and port are left out, and a path that would be read as a host or a
 * scheme gets a dot segment, which does not change its meaning (RFC 3986 4.2, 5.2.4): "//a" is
 * written "/.//a", and "a:b" without a scheme "./a:b". A backslash at the start counts as a slash,
 * as in browsers. A socket takes the place of host and port. */
EVENT2_EXPORT_SYMBOL
char *evhttp_uri_join(struct evhttp_uri *uri, char *buf, size_t limit);
/** Sets the flags that the setters below go by. */
EVENT2_EXPORT_SYMBOL
void evhttp_uri_set_flags(struct evhttp_uri *uri, unsigned flags);

/* The parts; each NULL when absent, which is not the same as empty. Valid until the part is set or
 * the URI freed. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_uri_get_scheme(const struct evhttp_uri *uri);
EVENT2_EXPORT_SYMBOL
const char *evhttp_uri_get_userinfo(const struct evhttp_uri *uri);
/** Not NULL exactly when the URI has an authority; an IPv6 literal keeps its brackets unless
 * EVHTTP_URI_HOST_STRIP_BRACKETS is set. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_uri_get_host(const struct evhttp_uri *uri);
/** -1 when absent. */
EVENT2_EXPORT_SYMBOL
int evhttp_uri_get_port(const struct evhttp_uri *uri);
EVENT2_EXPORT_SYMBOL
const char *evhttp_uri_get_path(const struct evhttp_uri *uri);
/** Without the '?'. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_uri_get_query(const struct evhttp_uri *uri);
/** Without the '#'. */
EVENT2_EXPORT_SYMBOL
const char *evhttp_uri_get_fragment(const struct evhttp_uri *uri);
EVENT2_EXPORT_SYMBOL
const char *evhttp_uri_get_unixsocket(const struct evhttp_uri *uri);

/* Setters: the string is copied, NULL (for the port -1) removes the part. 0, or -1 and nothing
 * changed when malformed or when out of memory. */
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_scheme(struct evhttp_uri *uri, const char *scheme);
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_userinfo(struct evhttp_uri *uri, const char *userinfo);
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_host(struct evhttp_uri *uri, const char *host);
/** -1 to 65535. */
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_port(struct evhttp_uri *uri, int port);
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_path(struct evhttp_uri *uri, const char *path);
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_query(struct evhttp_uri *uri, const char *query);
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_fragment(struct evhttp_uri *uri, const char *fragment);
/** Neither empty nor with a colon, at which its end is read. A joined URI that has one is taken
 * apart with EVHTTP_URI_UNIX_SOCKET. */
EVENT2_EXPORT_SYMBOL
int evhttp_uri_set_unixsocket(struct evhttp_uri *uri, const char *unixsocket);

/* ---- Escaping ----
 *
 * Each returns a new string that the caller frees with free(), or NULL when out of memory. */

/** Percent-encodes all but the unreserved characters (RFC 3986 2.3). */
EVENT2_EXPORT_SYMBOL
char *evhttp_encode_uri(const char *str);
/** The same for `size` bytes, which may include NUL; negative: up to the NUL. With space_to_plus a
 * space becomes '+'. */
EVENT2_EXPORT_SYMBOL
char *evhttp_uriencode(const char *str, ev_ssize_t size, int space_to_plus);
/** Percent-decodes; '+' is decoded only behind the first '?'. Deprecated: take the URI apart
 * first, then decode the parts with evhttp_uridecode(). */
EVENT2_EXPORT_SYMBOL
char *evhttp_decode_uri(const char *uri);
/** Percent-decodes; with decode_plus '+' becomes a space. *size_out, when not NULL, gets the
 * result's length, since it may contain NUL. */
EVENT2_EXPORT_SYMBOL
char *evhttp_uridecode(const char *uri, int decode_plus, size_t *size_out);
/** Replaces &, <, >, " and ' by character references. */
EVENT2_EXPORT_SYMBOL
char *evhttp_htmlescape(const char *html);

/* ---- Queries ---- */

/** Flag: arguments without '=' are kept, with an empty value, and empty ones skipped, instead of
 * failing the whole. */
#define EVHTTP_URI_QUERY_NONCONFORMANT 0x01
/** Flag: of arguments with the same name only the last is kept. */
#define EVHTTP_URI_QUERY_LAST 0x02

/** Splits the query of a URI into decoded names and values. `headers` need not be initialised; the
 * caller empties it with evhttp_clear_headers(). 0, or -1 with an empty list when malformed or
 * when out of memory. Deprecated: evhttp_uri_parse() and evhttp_parse_query_str(). */
EVENT2_EXPORT_SYMBOL
int evhttp_parse_query(const char *uri, struct evkeyvalq *headers);
/** The same for a query string alone, without '?'. */
EVENT2_EXPORT_SYMBOL
int evhttp_parse_query_str(const char *uri, struct evkeyvalq *headers);
/** As evhttp_parse_query_str(), with EVHTTP_URI_QUERY_ flags. */
EVENT2_EXPORT_SYMBOL
int evhttp_parse_query_str_flags(const char *uri, struct evkeyvalq *headers, unsigned flags);

#ifdef __cplusplus
}
#endif

#endif

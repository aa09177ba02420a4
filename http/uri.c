#include "http/uri.h"

#include <stdio.h>
#include <string.h>

#include <event2/http.h>

#include "http/authority.h"
#include "http/scan.h"
#include "util/memory.h"

struct evhttp_uri {
  unsigned flags;
  int port; /* -1: none. */
  /* Whether `host` is stored without the brackets that it has. */
  int host_stripped;
  char *scheme;
  char *userinfo;
  char *host;
  char *unixsocket;
  char *path;
  char *query;
  char *fragment;
};

/* Text that is looked at but not owned. */
struct text {
  const char *bytes;
  const char *end;
};

enum part { PART_PATH, PART_QUERY, PART_FRAGMENT };

static struct text whole(const char *string) {
  struct text text = {string, string + strlen(string)};
  return text;
}

static size_t text_len(struct text text) {
  return (size_t)(text.end - text.bytes);
}

/* A pchar (RFC 3986 3.3), '/', or '?' outside a path: its length, 0 when it is none of these. */
static size_t part_char_len(struct text text, enum part part) {
  char c = *text.bytes;
  if (strata_http_is(c, STRATA_HTTP_REG_NAME) || c == ':' || c == '@' || c == '/') return 1;
  if (c == '?' && part != PART_PATH) return 1;
  if (c == '%' && text_len(text) >= 3 && strata_http_is(text.bytes[1], STRATA_HTTP_HEX) &&
      strata_http_is(text.bytes[2], STRATA_HTTP_HEX)) {
    return 3;
  }
  return 0;
}

static int ends_part(char c, enum part part) {
  return (c == '?' && part == PART_PATH) || (c == '#' && part != PART_FRAGMENT);
}

/* Where the part that starts `text` ends. Without the nonconformant flag that may be at a byte
 * that does not belong into a URI. */
static const char *end_of_part(struct text text, enum part part, unsigned flags) {
  while (text.bytes < text.end) {
    size_t len = 1;
    if (flags & EVHTTP_URI_NONCONFORMANT) {
      if (ends_part(*text.bytes, part)) break;
    } else if ((len = part_char_len(text, part)) == 0) {
      break;
    }
    text.bytes += len;
  }
  return text.bytes;
}

static int is_scheme(struct text text) {
  if (text_len(text) == 0 || !strata_http_is(*text.bytes, STRATA_HTTP_ALPHA)) return 0;
  while (text.bytes < text.end && strata_http_is(*text.bytes, STRATA_HTTP_SCHEME)) ++text.bytes;
  return text.bytes == text.end;
}

/* A reg-name with colons: what is left without them is a reg-name, since a percent escape has
 * none. */
static int is_userinfo(struct text text) {
  const char *colon;
  while ((colon = memchr(text.bytes, ':', text_len(text))) != NULL) {
    if (!evhttp_is_reg_name(text.bytes, (size_t)(colon - text.bytes))) return 0;
    text.bytes = colon + 1;
  }
  return evhttp_is_reg_name(text.bytes, text_len(text));
}

static int is_host(struct text text) {
  size_t len = text_len(text);
  return evhttp_is_reg_name(text.bytes, len) || evhttp_is_ip_literal(text.bytes, len);
}

/* Puts a copy of the text in place of what the slot has. */
static int replace(char **slot, struct text text) {
  char *copy = strata_strndup(text.bytes, text_len(text));
  if (!copy) return -1;
  strata_free(*slot);
  *slot = copy;
  return 0;
}

static void clear(char **slot) {
  strata_free(*slot);
  *slot = NULL;
}

static int replace_host(struct evhttp_uri *uri, struct text text) {
  int strip = (uri->flags & EVHTTP_URI_HOST_STRIP_BRACKETS) != 0 && text_len(text) > 0 &&
              *text.bytes == '[';
  if (strip) ++text.bytes, --text.end;
  if (replace(&uri->host, text) < 0) return -1;
  uri->host_stripped = strip;
  return 0;
}

struct evhttp_uri *evhttp_uri_new(void) {
  struct evhttp_uri *uri = strata_calloc(1, sizeof(*uri));
  if (uri) uri->port = -1;
  return uri;
}

void evhttp_uri_free(struct evhttp_uri *uri) {
  if (!uri) return;
  strata_free(uri->scheme);
  strata_free(uri->userinfo);
  strata_free(uri->host);
  strata_free(uri->unixsocket);
  strata_free(uri->path);
  strata_free(uri->query);
  strata_free(uri->fragment);
  strata_free(uri);
}

void evhttp_uri_set_flags(struct evhttp_uri *uri, unsigned flags) {
  uri->flags = flags;
}

/* The parsers below take their part off the front of *rest. Each returns -1 when malformed or
 * when out of memory. */

static int take_scheme(struct evhttp_uri *uri, struct text *rest) {
  const char *colon = memchr(rest->bytes, ':', text_len(*rest));
  struct text scheme = {rest->bytes, colon};
  if (!colon || !is_scheme(scheme)) return 0;
  rest->bytes = colon + 1;
  return replace(&uri->scheme, scheme);
}

static int take_userinfo(struct evhttp_uri *uri, struct text *rest) {
  const char *at = memchr(rest->bytes, '@', text_len(*rest));
  struct text userinfo = {rest->bytes, at};
  if (!at) return 0;
  if (!is_userinfo(userinfo)) return -1;
  rest->bytes = at + 1;
  return replace(&uri->userinfo, userinfo);
}

/* All of the text is [userinfo@]host[:port]. */
static int parse_authority(struct evhttp_uri *uri, struct text text) {
  size_t host_len;
  int32_t port;
  if (take_userinfo(uri, &text) < 0) return -1;
  if (evhttp_authority_split(text.bytes, text_len(text), &host_len, &port) < 0) return -1;
  text.end = text.bytes + host_len;
  uri->port = port;
  return replace_host(uri, text);
}

static const char *end_of_authority(struct text text) {
  while (text.bytes < text.end && !strchr("/?#", *text.bytes)) ++text.bytes;
  return text.bytes;
}

/* "[userinfo@]unix:/path/of/socket:", whose path may have slashes. Returns 0 with nothing taken
 * when the text does not start that way. */
static int take_unixsocket(struct evhttp_uri *uri, struct text *rest) {
  struct text authority = {rest->bytes, end_of_authority(*rest)};
  struct text socket = {NULL, NULL};
  if (take_userinfo(uri, &authority) < 0) return -1;
  if (text_len(authority) < 5 || memcmp(authority.bytes, "unix:", 5) != 0) {
    clear(&uri->userinfo);
    return 0;
  }
  socket.bytes = authority.bytes + 5;
  socket.end = memchr(socket.bytes, ':', (size_t)(rest->end - socket.bytes));
  if (!socket.end || socket.end == socket.bytes) return -1;
  rest->bytes = socket.end + 1;
  if (replace(&uri->unixsocket, socket) < 0) return -1;
  return replace_host(uri, whole(""));
}

static int take_authority(struct evhttp_uri *uri, struct text *rest) {
  struct text authority;
  if (text_len(*rest) < 2 || memcmp(rest->bytes, "//", 2) != 0) return 0;
  rest->bytes += 2;
  if (uri->flags & EVHTTP_URI_UNIX_SOCKET) {
    if (take_unixsocket(uri, rest) < 0) return -1;
    if (uri->unixsocket) return 0;
  }
  authority.bytes = rest->bytes;
  authority.end = rest->bytes = end_of_authority(*rest);
  return parse_authority(uri, authority);
}

static int take_part(struct evhttp_uri *uri, struct text *rest, enum part part, char **slot) {
  struct text text = {rest->bytes, end_of_part(*rest, part, uri->flags)};
  rest->bytes = text.end;
  if (text.end < rest->end && !ends_part(*text.end, part)) return -1;
  return replace(slot, text);
}

/* Whether the first segment has a colon. */
static int starts_like_scheme(const char *path) {
  return path[strcspn(path, ":/")] == ':';
}

/* RFC 3986 3.3: after an authority a path is empty or starts with a slash; without one it does
 * not start with two, and without a scheme its first segment has no colon. */
static int path_fits(const struct evhttp_uri *uri) {
  const char *path = uri->path;
  if (uri->host) return *path == '\0' || *path == '/';
  if (path[0] == '/' && path[1] == '/') return 0;
  return uri->scheme || !starts_like_scheme(path);
}

static int take_query_and_fragment(struct evhttp_uri *uri, struct text *rest) {
  if (rest->bytes < rest->end && *rest->bytes == '?') {
    ++rest->bytes;
    if (take_part(uri, rest, PART_QUERY, &uri->query) < 0) return -1;
  }
  if (rest->bytes < rest->end && *rest->bytes == '#') {
    ++rest->bytes;
    if (take_part(uri, rest, PART_FRAGMENT, &uri->fragment) < 0) return -1;
  }
  return 0;
}

static int parse_reference(struct evhttp_uri *uri, struct text text) {
  if (take_scheme(uri, &text) < 0 || take_authority(uri, &text) < 0) return -1;
  if (take_part(uri, &text, PART_PATH, &uri->path) < 0 || !path_fits(uri)) return -1;
  return take_query_and_fragment(uri, &text);
}

static int parse_path(struct evhttp_uri *uri, struct text text) {
  if (take_part(uri, &text, PART_PATH, &uri->path) < 0) return -1;
  return take_query_and_fragment(uri, &text);
}

static struct evhttp_uri *parse_with(int (*parse)(struct evhttp_uri *, struct text),
                                     const char *source, unsigned flags) {
  struct evhttp_uri *uri = evhttp_uri_new();
  if (!uri) return NULL;
  uri->flags = flags;
  if (parse(uri, whole(source)) < 0) {
    evhttp_uri_free(uri);
    return NULL;
  }
  return uri;
}

struct evhttp_uri *evhttp_uri_parse_with_flags(const char *source_uri, unsigned flags) {
  return parse_with(parse_reference, source_uri, flags);
}

struct evhttp_uri *evhttp_uri_parse(const char *source_uri) {
  return evhttp_uri_parse_with_flags(source_uri, 0);
}

static int parse_connect_target(struct evhttp_uri *uri, struct text text) {
  if (parse_authority(uri, text) < 0) return -1;
  return replace(&uri->path, whole(""));
}

struct evhttp_uri *strata_http_uri_parse_target(const char *target, enum evhttp_target_form form) {
  int (*parse)(struct evhttp_uri *, struct text) = parse_path;
  if (form == EVHTTP_TARGET_ABSOLUTE) parse = parse_reference;
  if (form == EVHTTP_TARGET_AUTHORITY) parse = parse_connect_target;
  return parse_with(parse, target, EVHTTP_URI_NONCONFORMANT);
}

/* Where evhttp_uri_join() writes; once it has not fitted, nothing more is written. */
struct output {
  char *at;
  size_t space; /* Without the NUL. */
  int full;
};

static void put(struct output *output, const char *string) {
  size_t len = strlen(string);
  if (output->full || len > output->space) {
    output->full = 1;
    return;
  }
  memcpy(output->at, string, len);
  output->at += len;
  output->space -= len;
}

static void put_with(struct output *output, const char *before, const char *string,
                     const char *after) {
  if (!string) return;
  put(output, before);
  put(output, string);
  put(output, after);
}

/* Whether an '@' of the socket's path would be read as the end of a userinfo. */
static int has_early_at(const char *unixsocket) {
  return unixsocket && unixsocket[strcspn(unixsocket, "@/?#")] == '@';
}

static void put_authority(struct output *output, const struct evhttp_uri *uri) {
  char port[24];
  put(output, "//");
  put_with(output, "", uri->userinfo, "@");
  if (!uri->userinfo && has_early_at(uri->unixsocket)) put(output, "@");
  if (uri->unixsocket) {
    put_with(output, "unix:", uri->unixsocket, ":");
    return;
  }
  put_with(output, uri->host_stripped ? "[" : "", uri->host, uri->host_stripped ? "]" : "");
  if (uri->port < 0) return;
  snprintf(port, sizeof(port), ":%d", uri->port);
  put(output, port);
}

static int has_authority(const struct evhttp_uri *uri) {
  return uri->host || uri->unixsocket;
}

/* Whether any text means these parts: see path_fits(), and take_unixsocket() for the host. */
static int has_text(const struct evhttp_uri *uri) {
  if (!has_authority(uri)) return 1;
  if (uri->path && uri->path[0] != '\0' && uri->path[0] != '/') return 0;
  return uri->unixsocket || uri->port < 0 || strcmp(uri->host, "unix") != 0 ||
         !(uri->flags & EVHTTP_URI_UNIX_SOCKET);
}

/* Browsers read a backslash as a slash: a host too begins behind "/\\". */
static int is_slash(char c) {
  return c == '/' || c == '\\';
}

/* The dot segment (RFC 3986 4.2) without which a path that nothing precedes would be read as a
 * host or a scheme. */
static const char *dot_segment(const struct evhttp_uri *uri) {
  const char *path = uri->path;
  if (!path || has_authority(uri)) return "";
  if (is_slash(path[0]) && is_slash(path[1])) return path[0] == '/' ? "/." : "./";
  return !uri->scheme && starts_like_scheme(path) ? "./" : "";
}

char *evhttp_uri_join(struct evhttp_uri *uri, char *buf, size_t limit) {
  struct output output = {buf, limit - 1, 0};
  if (limit == 0 || !has_text(uri)) return NULL;
  put_with(&output, "", uri->scheme, ":");
  if (has_authority(uri)) put_authority(&output, uri);
  put_with(&output, dot_segment(uri), uri->path, "");
  put_with(&output, "?", uri->query, "");
  put_with(&output, "#", uri->fragment, "");
  if (output.full) return NULL;
  *output.at = '\0';
  return buf;
}

const char *evhttp_uri_get_scheme(const struct evhttp_uri *uri) {
  return uri->scheme;
}

const char *evhttp_uri_get_userinfo(const struct evhttp_uri *uri) {
  return uri->userinfo;
}

const char *evhttp_uri_get_host(const struct evhttp_uri *uri) {
  return uri->host;
}

int evhttp_uri_get_port(const struct evhttp_uri *uri) {
  return uri->port;
}

const char *evhttp_uri_get_path(const struct evhttp_uri *uri) {
  return uri->path;
}

const char *evhttp_uri_get_query(const struct evhttp_uri *uri) {
  return uri->query;
}

const char *evhttp_uri_get_fragment(const struct evhttp_uri *uri) {
  return uri->fragment;
}

const char *evhttp_uri_get_unixsocket(const struct evhttp_uri *uri) {
  return uri->unixsocket;
}

static int set_string(char **slot, const char *string) {
  if (string) return replace(slot, whole(string));
  clear(slot);
  return 0;
}

int evhttp_uri_set_scheme(struct evhttp_uri *uri, const char *scheme) {
  if (scheme && !is_scheme(whole(scheme))) return -1;
  return set_string(&uri->scheme, scheme);
}

int evhttp_uri_set_userinfo(struct evhttp_uri *uri, const char *userinfo) {
  if (userinfo && !is_userinfo(whole(userinfo))) return -1;
  return set_string(&uri->userinfo, userinfo);
}

int evhttp_uri_set_host(struct evhttp_uri *uri, const char *host) {
  if (!host) {
    clear(&uri->host);
    uri->host_stripped = 0;
    return 0;
  }
  return is_host(whole(host)) ? replace_host(uri, whole(host)) : -1;
}

int evhttp_uri_set_port(struct evhttp_uri *uri, int port) {
  if (port < -1 || port > 65535) return -1;
  uri->port = port;
  return 0;
}

static int set_part(struct evhttp_uri *uri, char **slot, const char *string, enum part part) {
  if (string && *end_of_part(whole(string), part, uri->flags) != '\0') return -1;
  return set_string(slot, string);
}

int evhttp_uri_set_path(struct evhttp_uri *uri, const char *path) {
  return set_part(uri, &uri->path, path, PART_PATH);
}

int evhttp_uri_set_query(struct evhttp_uri *uri, const char *query) {
  return set_part(uri, &uri->query, query, PART_QUERY);
}

int evhttp_uri_set_fragment(struct evhttp_uri *uri, const char *fragment) {
  return set_part(uri, &uri->fragment, fragment, PART_FRAGMENT);
}

int evhttp_uri_set_unixsocket(struct evhttp_uri *uri, const char *unixsocket) {
  if (unixsocket && (*unixsocket == '\0' || strchr(unixsocket, ':'))) return -1;
  return set_string(&uri->unixsocket, unixsocket);
}

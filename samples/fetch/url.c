#define _GNU_SOURCE 1 /* strdup() under -std=c11 */
#include "samples/fetch/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>
#include <event2/util.h>

enum { kHttpPort = 80 };

static char *make_target(const char *path, const char *query) {
  if (*path == '\0') path = "/";
  size_t room_len = strlen(path) + (query == NULL ? 0 : strlen(query) + 1) + 1;
  char *target = malloc(room_len);
  if (target != NULL)
    snprintf(target, room_len, "%s%s%s", path, query == NULL ? "" : "?",
             query == NULL ? "" : query);
  return target;
}

/* "." and ".." are no names of files. */
static char *make_file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  return strdup(strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? "" : name);
}

static int fill(struct url *url, const struct evhttp_uri *uri) {
  const char *scheme = evhttp_uri_get_scheme(uri);
  const char *host = evhttp_uri_get_host(uri);
  int port = evhttp_uri_get_port(uri);
  if (scheme == NULL || evutil_ascii_strcasecmp(scheme, "http") != 0) return -1;
  if (host == NULL || *host == '\0' || port == 0) return -1;
  url->port = (uint16_t)(port < 0 ? kHttpPort : port);
  url->host = strdup(host);
  url->target = make_target(evhttp_uri_get_path(uri), evhttp_uri_get_query(uri));
  url->file_name = make_file_name(evhttp_uri_get_path(uri));
  return url->host == NULL || url->target == NULL || url->file_name == NULL ? -1 : 0;
}

int url_parse(const char *text, struct url *out_url) {
  *out_url = (struct url){.text = text};
  struct evhttp_uri *uri = evhttp_uri_parse_with_flags(text, EVHTTP_URI_HOST_STRIP_BRACKETS);
  if (uri == NULL) return -1;
  int result = fill(out_url, uri);
  evhttp_uri_free(uri);
  if (result != 0) url_clear(out_url);
  return result;
}

void url_clear(struct url *url) {
  free(url->host);
  free(url->target);
  free(url->file_name);
  *url = (struct url){.text = NULL};
}

bool url_has_same_origin(const struct url *url, const struct url *other) {
  return url->port == other->port && evutil_ascii_strcasecmp(url->host, other->host) == 0;
}

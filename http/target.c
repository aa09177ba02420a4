#include <string.h>

#include <event2/http.h>

#include "http/request.h"
#include "util/memory.h"

/* A URI reference that begins with "//" has an authority, a request target of that look has a
 * path (RFC 9112 3.2.1): it is parsed behind an authority, which is then taken away. A target of
 * the authority form is parsed as that authority. */
static struct evhttp_uri *parse_behind(const char *prefix, const char *target) {
  size_t prefix_len = strlen(prefix), target_len = strlen(target);
  char *text = strata_malloc(prefix_len + target_len + 1);
  struct evhttp_uri *uri;
  if (!text) return NULL;
  memcpy(text, prefix, prefix_len);
  memcpy(text + prefix_len, target, target_len + 1);
  uri = evhttp_uri_parse_with_flags(text, EVHTTP_URI_NONCONFORMANT);
  strata_free(text);
  return uri;
}

static struct evhttp_uri *target_parse(const struct evhttp_request *req) {
  struct evhttp_uri *uri;
  if (req->type == EVHTTP_REQ_CONNECT) return parse_behind("//", req->uri);
  if (strncmp(req->uri, "//", 2) != 0)
    return evhttp_uri_parse_with_flags(req->uri, EVHTTP_URI_NONCONFORMANT);
  uri = parse_behind("//h", req->uri);
  if (uri) evhttp_uri_set_host(uri, NULL);
  return uri;
}

const struct evhttp_uri *evhttp_request_get_evhttp_uri(const struct evhttp_request *req) {
  /* The members that are caches are not part of what const promises. */
  struct evhttp_request *cache = (struct evhttp_request *)req;
  if (!cache->uri_elems && cache->uri) cache->uri_elems = target_parse(req);
  return cache->uri_elems;
}

#ifndef STRATA_HTTP_VHOST_H_
#define STRATA_HTTP_VHOST_H_

#include <event2/http.h>

/* The server that a host is served by: `http` itself, or the virtual host among its descendants
 * that has the name as an alias or whose pattern matches, the most deeply nested one first. */
struct evhttp *strata_http_vhost_find(struct evhttp *http, const char *host);

/* Whether `host` is an alias of `http` or names one of its virtual hosts. */
int strata_http_vhost_knows(struct evhttp *http, const char *host);

/* Frees the aliases and, with all they have, the virtual hosts of a server. */
void strata_http_vhosts_clear(struct evhttp *http);

#endif

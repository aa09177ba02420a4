#ifndef STRATA_HTTP_ROUTES_H_
#define STRATA_HTTP_ROUTES_H_

#include <stddef.h>

#include <event2/http.h>

/* The callbacks of a server by path: a hash table with separate chains. */

typedef void (*strata_http_handler)(struct evhttp_request *, void *);

struct strata_http_route {
  struct strata_http_route *next;
  strata_http_handler handler;
  void *arg;
  size_t path_len;
  char path[];
};

/* Zero-initialised is empty. */
struct strata_http_routes {
  struct strata_http_route **buckets;
  size_t num_buckets; /* 0 or a power of two */
  size_t num_routes;
};

/* 0; -1 when the path is there already; -2 when out of memory. */
int strata_http_routes_add(struct strata_http_routes *routes, const char *path,
                           strata_http_handler handler, void *arg);
/* 0, or -1 when the path is not there. */
int strata_http_routes_remove(struct strata_http_routes *routes, const char *path);
void strata_http_routes_clear(struct strata_http_routes *routes);

/* Finds the route of a path as it stands in a request target, percent-encodings included; they
 * are decoded for the comparison. NULL when there is none. */
const struct strata_http_route *strata_http_routes_find(const struct strata_http_routes *routes,
                                                        const char *path, size_t path_len);

#endif

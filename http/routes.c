#include "http/routes.h"

#include <stdint.h>
#include <string.h>

#include "http/escape.h"
#include "util/memory.h"

/* Paths are the program's own, so a hash without a secret will do (FNV-1a). */
static uint32_t hash_byte(uint32_t hash, unsigned char byte) {
  return (hash ^ byte) * 16777619u;
}
static const uint32_t HASH_SEED = 2166136261u;

static uint32_t hash_bytes(const char *bytes, size_t len) {
  uint32_t hash = HASH_SEED;
  size_t i;
  for (i = 0; i < len; i++) hash = hash_byte(hash, (unsigned char)bytes[i]);
  return hash;
}

/* Takes one byte of a path, which has `len`; most are not encoded. */
static inline size_t take_byte(const char *path, size_t len, char *out_byte) {
  *out_byte = *path;
  return *path == '%' ? strata_http_decode_byte(path, len, out_byte) : 1;
}

static uint32_t hash_encoded(const char *path, size_t path_len) {
  const char *end = path + path_len;
  uint32_t hash = HASH_SEED;
  while (path < end) {
    char byte;
    path += take_byte(path, (size_t)(end - path), &byte);
    hash = hash_byte(hash, (unsigned char)byte);
  }
  return hash;
}

static int equals_encoded(const struct strata_http_route *route, const char *path,
                          size_t path_len) {
  const char *end = path + path_len;
  size_t i;
  for (i = 0; i < route->path_len && path < end; i++) {
    char byte;
    path += take_byte(path, (size_t)(end - path), &byte);
    if (route->path[i] != byte) return 0;
  }
  return i == route->path_len && path == end;
}

static struct strata_http_route **bucket_of(const struct strata_http_routes *routes,
                                            uint32_t hash) {
  return &routes->buckets[hash & (routes->num_buckets - 1)];
}

/* The link that points to the route of a decoded path, or NULL. */
static struct strata_http_route **link_of(const struct strata_http_routes *routes,
                                          const char *path) {
  size_t len = strlen(path);
  struct strata_http_route **link;
  if (!routes->num_buckets) return NULL;
  for (link = bucket_of(routes, hash_bytes(path, len)); *link; link = &(*link)->next) {
    if ((*link)->path_len == len && !memcmp((*link)->path, path, len)) return link;
  }
  return NULL;
}

static void route_insert(struct strata_http_routes *routes, struct strata_http_route *route) {
  struct strata_http_route **bucket = bucket_of(routes, hash_bytes(route->path, route->path_len));
  route->next = *bucket;
  *bucket = route;
}

static int routes_grow(struct strata_http_routes *routes) {
  struct strata_http_routes old = *routes;
  size_t num = old.num_buckets ? old.num_buckets * 2 : 16, i;
  struct strata_http_route **buckets = strata_calloc(num, sizeof(*buckets));
  if (!buckets) return -1;
  routes->buckets = buckets;
  routes->num_buckets = num;
  for (i = 0; i < old.num_buckets; i++) {
    struct strata_http_route *route, *next;
    for (route = old.buckets[i]; route; route = next) {
      next = route->next;
      route_insert(routes, route);
    }
  }
  strata_free(old.buckets);
  return 0;
}

int strata_http_routes_add(struct strata_http_routes *routes, const char *path,
                           strata_http_handler handler, void *arg) {
  size_t len = strlen(path);
  struct strata_http_route *route;
  if (link_of(routes, path)) return -1;
  if (routes->num_routes >= routes->num_buckets && routes_grow(routes) < 0) return -2;
  route = strata_malloc(sizeof(*route) + len + 1);
  if (!route) return -2;
  route->handler = handler;
  route->arg = arg;
  route->path_len = len;
  memcpy(route->path, path, len + 1);
  route_insert(routes, route);
  routes->num_routes++;
  return 0;
}

int strata_http_routes_remove(struct strata_http_routes *routes, const char *path) {
  struct strata_http_route **link = link_of(routes, path), *route;
  if (!link) return -1;
  route = *link;
  *link = route->next;
  strata_free(route);
  routes->num_routes--;
  return 0;
}

void strata_http_routes_clear(struct strata_http_routes *routes) {
  size_t i;
  for (i = 0; i < routes->num_buckets; i++) {
    struct strata_http_route *route, *next;
    for (route = routes->buckets[i]; route; route = next) {
      next = route->next;
      strata_free(route);
    }
  }
  strata_free(routes->buckets);
  memset(routes, 0, sizeof(*routes));
}

/* As find_encoded(), for a path without percent-encodings. */
static const struct strata_http_route *find_plain(const struct strata_http_routes *routes,
                                                  const char *path, size_t path_len) {
  const struct strata_http_route *route;
  for (route = *bucket_of(routes, hash_bytes(path, path_len)); route; route = route->next) {
    if (route->path_len == path_len && !memcmp(route->path, path, path_len)) return route;
  }
  return NULL;
}

static const struct strata_http_route *find_encoded(const struct strata_http_routes *routes,
                                                    const char *path, size_t path_len) {
  const struct strata_http_route *route;
  for (route = *bucket_of(routes, hash_encoded(path, path_len)); route; route = route->next) {
    if (equals_encoded(route, path, path_len)) return route;
  }
  return NULL;
}

const struct strata_http_route *strata_http_routes_find(const struct strata_http_routes *routes,
                                                        const char *path, size_t path_len) {
  if (!routes->num_routes) return NULL;
  return memchr(path, '%', path_len) ? find_encoded(routes, path, path_len)
                                     : find_plain(routes, path, path_len);
}

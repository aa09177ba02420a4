#include "http/vhost.h"

#include "http/server.h"
#include "util/memory.h"
#include "util/queue.h"

struct strata_http_alias {
  EVENT_TAILQ_ENTRY_(strata_http_alias) next;
  char *name;
};

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Glob matching with '*' only. On a mismatch the latest star takes one byte more: earlier stars
 * never need to be tried again, so the work is bounded by the product of the lengths. */
static int pattern_matches(const char *pattern, const char *host) {
  const char *star = NULL, *resume = NULL;
  while (*host) {
    if (*pattern == '*') {
      star = ++pattern;
      resume = host;
    } else if (*pattern && lower(*pattern) == lower(*host)) {
      pattern++;
      host++;
    } else if (star) {
      pattern = star;
      host = ++resume;
    } else {
      return 0;
    }
  }
  while (*pattern == '*') pattern++;
  return !*pattern;
}

static struct strata_http_alias *alias_find(struct evhttp *http, const char *name) {
  struct strata_http_alias *alias;
  EV_TAILQ_FOREACH(alias, &http->aliases, next) {
    if (!evutil_ascii_strcasecmp(alias->name, name)) return alias;
  }
  return NULL;
}

static struct evhttp *find_by_alias(struct evhttp *http, const char *host) {
  struct evhttp *vhost, *found = alias_find(http, host) ? http : NULL;
  EV_TAILQ_FOREACH(vhost, &http->vhosts, next_vhost) {
    if (found) break;
    found = find_by_alias(vhost, host);
  }
  return found;
}

static struct evhttp *find_by_pattern(struct evhttp *http, const char *host) {
  struct evhttp *vhost;
  EV_TAILQ_FOREACH(vhost, &http->vhosts, next_vhost) {
    if (pattern_matches(vhost->vhost_pattern, host)) return vhost;
  }
  return NULL;
}

struct evhttp *strata_http_vhost_find(struct evhttp *http, const char *host) {
  struct evhttp *found = find_by_alias(http, host);
  if (found) return found;
  while ((found = find_by_pattern(http, host)) != NULL) http = found;
  return http;
}

int strata_http_vhost_knows(struct evhttp *http, const char *host) {
  return find_by_alias(http, host) || find_by_pattern(http, host);
}

int evhttp_add_virtual_host(struct evhttp *http, const char *pattern, struct evhttp *vhost) {
  struct evhttp *ancestor;
  if (vhost->parent || !EV_TAILQ_EMPTY(&vhost->sockets)) return -1;
  for (ancestor = http; ancestor; ancestor = ancestor->parent) {
    if (ancestor == vhost) return -1;
  }
  vhost->vhost_pattern = strata_strdup(pattern);
  if (!vhost->vhost_pattern) return -1;
  vhost->parent = http;
  EV_TAILQ_PUSH_BACK(&http->vhosts, vhost, next_vhost);
  return 0;
}

int evhttp_remove_virtual_host(struct evhttp *http, struct evhttp *vhost) {
  if (vhost->parent != http) return -1;
  EV_TAILQ_REMOVE(&http->vhosts, vhost, next_vhost);
  strata_free(vhost->vhost_pattern);
  vhost->vhost_pattern = NULL;
  vhost->parent = NULL;
  return 0;
}

int evhttp_add_server_alias(struct evhttp *http, const char *name) {
  struct strata_http_alias *alias = strata_malloc(sizeof(*alias));
  if (!alias) return -1;
  alias->name = strata_strdup(name);
  if (!alias->name) {
    strata_free(alias);
    return -1;
  }
  EV_TAILQ_PUSH_BACK(&http->aliases, alias, next);
  return 0;
}

static void alias_free(struct evhttp *http, struct strata_http_alias *alias) {
  EV_TAILQ_REMOVE(&http->aliases, alias, next);
  strata_free(alias->name);
  strata_free(alias);
}

int evhttp_remove_server_alias(struct evhttp *http, const char *name) {
  struct strata_http_alias *alias = alias_find(http, name);
  if (!alias) return -1;
  alias_free(http, alias);
  return 0;
}

void strata_http_vhosts_clear(struct evhttp *http) {
  while (!EV_TAILQ_EMPTY(&http->aliases)) alias_free(http, EV_TAILQ_FIRST(&http->aliases));
  while (!EV_TAILQ_EMPTY(&http->vhosts)) {
    struct evhttp *vhost = EV_TAILQ_FIRST(&http->vhosts);
    evhttp_remove_virtual_host(http, vhost);
    evhttp_free(vhost);
  }
}

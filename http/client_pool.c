#include <ctype.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "http/client_connection.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

/* A connection of a pool is in one list of its host:
 *
 *   made --> busy --reply complete--> idle --too long, too many--> freed
 *              ^  <---- request -----  |
 *              |                       | closed
 *              +--- without a request but not connected --> spent --> freed
 *
 * Connections tell of that from amid what they do, so all that follows from it is left to an event,
 * settle_due(): what is spent is freed, those that wait get what is free. User callbacks run below
 * it (close callbacks, those of requests that fail): `depth` keeps the pool and its hosts in
 * memory. */

enum { NUM_BUCKETS = 64, DEFAULT_PER_HOST = 8, DEFAULT_IDLE = 64, DEFAULT_IDLE_S = 30 };

enum place { BUSY, IDLE, SPENT, NUM_PLACES };

struct pooled {
  EVENT_TAILQ_ENTRY_(pooled) next;
  EVENT_TAILQ_ENTRY_(pooled) next_idle;
  struct pool_host *host;
  struct strata_http_client_connection *con;
  enum place place;
};

EVENT_TAILQ_HEAD_(pooled_list, pooled);

struct pool_host {
  EVENT_TAILQ_ENTRY_(pool_host) next;
  EVENT_TAILQ_ENTRY_(pool_host) next_due;
  struct evhttp_connection_pool *pool;
  /* Its address and port are the host's. It never connects: its requests are those that wait. */
  struct strata_http_client_connection *queue;
  struct pooled_list places[NUM_PLACES]; /* Idle: the one used last is the first. */
  int num_connections;
  int num_idle;
  unsigned is_tls : 1;
  unsigned is_due : 1;
};

EVENT_TAILQ_HEAD_(host_list, pool_host);

struct evhttp_connection_pool {
  struct event_base *base;
  struct evdns_base *dnsbase;
  struct host_list buckets[NUM_BUCKETS];
  struct host_list due;
  struct event settle;
  struct pooled_list idle; /* Of all hosts: the one idle for longest is the first. */
  int num_idle;
  int depth;
  int dead;
  int max_per_host;
  int max_idle_per_host;
  int max_idle;
  int64_t idle_ns;
  evhttp_connection_pool_bevcb bevcb;
  void *bevcb_arg;
  evhttp_connection_pool_newcb newcb;
  void *newcb_arg;
  ev_uint64_t num_requests, num_reused, num_opened;
};

/* ---- Hosts that want to be looked at ---- */

static void host_is_due(struct pool_host *host) {
  if (host->pool->dead) return;
  if (!host->is_due) EV_TAILQ_PUSH_BACK(&host->pool->due, host, next_due);
  host->is_due = 1;
  event_active(&host->pool->settle, EV_TIMEOUT, 0);
}

/* ---- Connections ---- */

static void pooled_unlink(struct pooled *kept) {
  struct pool_host *host = kept->host;
  EV_TAILQ_REMOVE(&host->places[kept->place], kept, next);
  if (kept->place != IDLE) return;
  EV_TAILQ_REMOVE(&host->pool->idle, kept, next_idle);
  host->num_idle--;
  host->pool->num_idle--;
}

static void pooled_link(struct pooled *kept, enum place place) {
  struct pool_host *host = kept->host;
  kept->place = place;
  EV_TAILQ_PUSH_FRONT(&host->places[place], kept, next);
  if (place != IDLE) return;
  EV_TAILQ_PUSH_BACK(&host->pool->idle, kept, next_idle);
  host->num_idle++;
  host->pool->num_idle++;
  kept->con->idle_ns = host->pool->idle_ns;
}

static void pooled_move(struct pooled *kept, enum place place) {
  if (kept->place == place) return;
  pooled_unlink(kept);
  pooled_link(kept, place);
}

static void pooled_forget(struct pooled *kept) {
  pooled_unlink(kept);
  kept->host->num_connections--;
  host_is_due(kept->host);
  strata_free(kept);
}

/* Its close callback may do anything. */
static void pooled_free(struct pooled *kept) {
  struct strata_http_client_connection *con = kept->con;
  con->keeper = NULL;
  pooled_forget(kept);
  evhttp_connection_free(&con->common);
}

static struct bufferevent *make_bufferevent(void *arg) {
  const struct pool_host *host = ((struct pooled *)arg)->host;
  struct evhttp_connection_pool *pool = host->pool;
  struct bufferevent *bufev = NULL;
  if (pool->bevcb)
    bufev = pool->bevcb(pool->base, host->is_tls ? "https" : "http", host->queue->address,
                        host->queue->port, pool->bevcb_arg);
  if (bufev || host->is_tls) return bufev;
  return bufferevent_socket_new(pool->base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static void on_free(void *arg) {
  struct pooled *kept = arg;
  enum place place = strata_http_client_is_kept(kept->con) ? IDLE : SPENT;
  if (kept->place == place) return;
  pooled_move(kept, place);
  host_is_due(kept->host);
}

static void on_gone(void *arg) {
  pooled_forget(arg);
}

static const struct strata_http_client_keeper keeper = {make_bufferevent, on_free, on_gone};

static ev_uint16_t default_port(int is_tls) {
  return is_tls ? 443 : 80;
}

static struct strata_http_client_connection *connection_make(const struct pool_host *host,
                                                             const char *address,
                                                             ev_uint16_t port) {
  struct evhttp_connection *evcon =
      evhttp_connection_base_new(host->pool->base, host->pool->dnsbase, address, port);
  struct strata_http_client_connection *con =
      evcon ? strata_http_client_connection_of(evcon) : NULL;
  if (con) con->default_port = default_port(host->is_tls);
  return con;
}

static struct pooled *pooled_make(struct pool_host *host) {
  struct evhttp_connection_pool *pool = host->pool;
  struct pooled *kept = strata_calloc(1, sizeof(*kept));
  struct strata_http_client_connection *con =
      kept ? connection_make(host, host->queue->address, host->queue->port) : NULL;
  if (!con) {
    strata_free(kept);
    return NULL;
  }
  con->keeper = &keeper;
  con->keeper_arg = kept;
  kept->host = host;
  kept->con = con;
  pooled_link(kept, BUSY);
  host->num_connections++;
  pool->num_opened++;
  if (pool->newcb) pool->newcb(&con->common, pool->newcb_arg);
  /* What it has been told about requests holds for those that wait, too. */
  host->queue->ext_method_cmp = con->ext_method_cmp;
  return kept;
}

/* ---- Hosts ---- */

static struct pool_host *host_make(struct evhttp_connection_pool *pool, int is_tls,
                                   const char *address, ev_uint16_t port) {
  struct pool_host *host = strata_calloc(1, sizeof(*host));
  int i;
  if (!host) return NULL;
  for (i = 0; i < NUM_PLACES; i++) EV_TAILQ_INIT(&host->places[i]);
  host->pool = pool;
  host->is_tls = is_tls & 1;
  host->queue = connection_make(host, address, port);
  if (!host->queue) {
    strata_free(host);
    return NULL;
  }
  host->queue->parked = 1;
  return host;
}

static struct host_list *bucket_of(struct evhttp_connection_pool *pool, const char *address,
                                   ev_uint16_t port) {
  unsigned hash = port;
  for (; *address; address++) hash = hash * 31 + (unsigned)tolower((unsigned char)*address);
  return &pool->buckets[hash % NUM_BUCKETS];
}

static struct pool_host *host_get(struct evhttp_connection_pool *pool, int is_tls,
                                  const char *address, ev_uint16_t port) {
  struct host_list *bucket = bucket_of(pool, address, port);
  struct pool_host *host;
  EV_TAILQ_FOREACH(host, bucket, next) {
    if (host->is_tls == (unsigned)is_tls && host->queue->port == port &&
        evutil_ascii_strcasecmp(host->queue->address, address) == 0)
      return host;
  }
  host = host_make(pool, is_tls, address, port);
  if (host) EV_TAILQ_PUSH_FRONT(bucket, host, next);
  return host;
}

/* The one to use next. One that is being freed stays in the list for its close callback. */
static struct pooled *host_idle(const struct pool_host *host) {
  struct pooled *kept = EV_TAILQ_FIRST(&host->places[IDLE]);
  while (kept && kept->con->common.dead) kept = EV_TAILQ_NEXT(kept, next);
  return kept;
}

static int host_has_waiting(const struct pool_host *host) {
  return !EV_TAILQ_EMPTY(&host->queue->requests);
}

/* ---- Settling ---- */

static void host_remove(struct pool_host *host) {
  EV_TAILQ_REMOVE(bucket_of(host->pool, host->queue->address, host->queue->port), host, next);
  if (host->is_due) EV_TAILQ_REMOVE(&host->pool->due, host, next_due);
  evhttp_connection_free(&host->queue->common);
  strata_free(host);
}

static void leave(struct evhttp_connection_pool *pool) {
  struct pool_host *host, *next;
  int i;
  if (--pool->depth > 0) return;
  if (!pool->dead) {
    if (!EV_TAILQ_EMPTY(&pool->due)) event_active(&pool->settle, EV_TIMEOUT, 0);
    return;
  }
  for (i = 0; i < NUM_BUCKETS; i++)
    EV_TAILQ_FOREACH_SAFE(host, next, &pool->buckets[i], next) strata_free(host);
  strata_free(pool);
}

/* Nothing can be had for those that wait, and nothing will be free for them. */
static void fail_waiting(struct pool_host *host) {
  struct strata_http_client_connection *queue = host->queue;
  strata_http_connection_enter(&queue->common);
  strata_http_client_give_up(queue, EVREQ_HTTP_BUFFER_ERROR);
  strata_http_connection_leave(&queue->common);
  if (!host->pool->dead && host_has_waiting(host)) host_is_due(host);
}

static void serve_waiting(struct pool_host *host) {
  struct evhttp_connection_pool *pool = host->pool;
  while (host_has_waiting(host)) {
    struct pooled *kept = host_idle(host);
    if (kept)
      pool->num_reused++;
    else if (host->num_connections < pool->max_per_host)
      kept = pooled_make(host);
    if (!kept) break;
    pooled_move(kept, BUSY);
    strata_http_client_take_waiting(kept->con, host->queue);
  }
  if (host_has_waiting(host) && host->num_connections == 0) fail_waiting(host);
}

static void free_spent(struct pool_host *host) {
  while (!host->pool->dead && !EV_TAILQ_EMPTY(&host->places[SPENT]))
    pooled_free(EV_TAILQ_FIRST(&host->places[SPENT]));
}

static struct pooled *longest_idle(struct pool_host *host) {
  struct pooled *kept = EV_TAILQ_FIRST(&host->places[IDLE]);
  while (EV_TAILQ_NEXT(kept, next)) kept = EV_TAILQ_NEXT(kept, next);
  return kept;
}

static void free_idle(struct pool_host *host, int max_idle) {
  struct evhttp_connection_pool *pool = host->pool;
  while (!pool->dead && host->num_idle > 0 &&
         (host->num_idle > max_idle || host->num_connections > pool->max_per_host))
    pooled_free(longest_idle(host));
}

static void settle_host(struct pool_host *host) {
  struct evhttp_connection_pool *pool = host->pool;
  free_spent(host);
  free_idle(host, host->num_idle);
  if (!pool->dead) serve_waiting(host);
  free_idle(host, pool->max_idle_per_host);
  while (!pool->dead && pool->num_idle > pool->max_idle) pooled_free(EV_TAILQ_FIRST(&pool->idle));
  if (!pool->dead && host->num_connections == 0 && !host_has_waiting(host)) host_remove(host);
}

static void settle_due(evutil_socket_t fd, short what, void *arg) {
  struct evhttp_connection_pool *pool = arg;
  struct pool_host *host = EV_TAILQ_FIRST(&pool->due);
  (void)fd;
  (void)what;
  /* Below a callback that runs the loop: leave() comes back to it. */
  if (pool->depth > 0 || !host) return;
  EV_TAILQ_REMOVE(&pool->due, host, next_due);
  host->is_due = 0;
  pool->depth++;
  settle_host(host);
  leave(pool);
}

/* ---- Requests ---- */

static int request_at(struct pooled *kept, struct evhttp_request *req, enum evhttp_cmd_type type,
                      const char *target) {
  int was_idle = kept->place == IDLE;
  pooled_move(kept, BUSY);
  if (evhttp_make_request(&kept->con->common, req, type, target) == 0) {
    kept->host->pool->num_reused += was_idle ? 1 : 0;
    return 0;
  }
  on_free(kept);
  return -1;
}

static int request_refuse(struct evhttp_request *req) {
  evhttp_cancel_request(req);
  return -1;
}

static int place_request(struct pool_host *host, struct evhttp_request *req,
                         enum evhttp_cmd_type type, const char *target) {
  struct pooled *kept = host_idle(host);
  /* Nobody goes before those that wait. */
  if (host_has_waiting(host) || (!kept && host->num_connections >= host->pool->max_per_host))
    return evhttp_make_request(&host->queue->common, req, type, target);
  if (!kept) kept = pooled_make(host);
  return kept ? request_at(kept, req, type, target) : request_refuse(req);
}

static struct pool_host *host_of(struct evhttp_connection_pool *pool,
                                 const struct evhttp_uri *parsed) {
  const char *scheme = evhttp_uri_get_scheme(parsed), *address = evhttp_uri_get_host(parsed);
  int port = evhttp_uri_get_port(parsed), is_tls;
  if (!scheme || !address || !*address || evhttp_uri_get_userinfo(parsed)) return NULL;
  is_tls = evutil_ascii_strcasecmp(scheme, "https") == 0;
  if (is_tls ? !pool->bevcb : evutil_ascii_strcasecmp(scheme, "http") != 0) return NULL;
  if (port < 0) port = default_port(is_tls);
  return port > 0 && port <= 0xffff ? host_get(pool, is_tls, address, (ev_uint16_t)port) : NULL;
}

int evhttp_connection_pool_make_request(struct evhttp_connection_pool *pool,
                                        struct evhttp_request *req, enum evhttp_cmd_type type,
                                        const char *uri) {
  struct evhttp_uri *parsed = NULL;
  struct pool_host *host = NULL;
  char *target;
  int result;
  if (!pool->dead && type != EVHTTP_REQ_CONNECT)
    parsed = evhttp_uri_parse_with_flags(uri, EVHTTP_URI_HOST_STRIP_BRACKETS);
  if (parsed) host = host_of(pool, parsed);
  target = host ? strata_http_client_target_of(uri) : NULL;
  pool->depth++;
  result = target ? place_request(host, req, type, target) : request_refuse(req);
  /* One that was only just made is of no use then. */
  if (host && result < 0) host_is_due(host);
  if (result == 0) pool->num_requests++;
  leave(pool);
  strata_free(target);
  if (parsed) evhttp_uri_free(parsed);
  return result;
}

/* ---- Settings ---- */

static void all_hosts_are_due(struct evhttp_connection_pool *pool) {
  struct pool_host *host;
  int i;
  for (i = 0; i < NUM_BUCKETS; i++) {
    EV_TAILQ_FOREACH(host, &pool->buckets[i], next) host_is_due(host);
  }
}

void evhttp_connection_pool_set_max_per_host(struct evhttp_connection_pool *pool,
                                             int max_connections) {
  pool->max_per_host = max_connections > 1 ? max_connections : 1;
  all_hosts_are_due(pool);
}

void evhttp_connection_pool_set_max_idle(struct evhttp_connection_pool *pool, int max_per_host,
                                         int max_in_all) {
  pool->max_idle_per_host = max_per_host > 0 ? max_per_host : 0;
  pool->max_idle = max_in_all > 0 ? max_in_all : 0;
  all_hosts_are_due(pool);
}

void evhttp_connection_pool_set_idle_timeout_tv(struct evhttp_connection_pool *pool,
                                                const struct timeval *tv) {
  int64_t ns = tv ? strata_timeval_to_ns(tv) : 0;
  pool->idle_ns = ns > 0 ? ns : (int64_t)DEFAULT_IDLE_S * STRATA_NS_PER_SECOND;
}

void evhttp_connection_pool_set_bevcb(struct evhttp_connection_pool *pool,
                                      evhttp_connection_pool_bevcb cb, void *arg) {
  pool->bevcb = cb;
  pool->bevcb_arg = arg;
}

void evhttp_connection_pool_set_newcb(struct evhttp_connection_pool *pool,
                                      evhttp_connection_pool_newcb cb, void *arg) {
  pool->newcb = cb;
  pool->newcb_arg = arg;
}

static void count_host(const struct pool_host *host,
                       struct evhttp_connection_pool_stats *out_stats) {
  const struct evhttp_request *req;
  if (!host->queue) return;
  if (host->num_connections > 0 || host_has_waiting(host)) out_stats->num_hosts++;
  out_stats->num_connections += (size_t)host->num_connections;
  EV_TAILQ_FOREACH(req, &host->queue->requests, next) out_stats->num_waiting++;
}

void evhttp_connection_pool_get_stats(const struct evhttp_connection_pool *pool,
                                      struct evhttp_connection_pool_stats *out_stats) {
  const struct pool_host *host;
  int i;
  memset(out_stats, 0, sizeof(*out_stats));
  for (i = 0; i < NUM_BUCKETS; i++) {
    EV_TAILQ_FOREACH(host, &pool->buckets[i], next) count_host(host, out_stats);
  }
  out_stats->num_idle = (size_t)pool->num_idle;
  out_stats->num_requests = pool->num_requests;
  out_stats->num_reused = pool->num_reused;
  out_stats->num_opened = pool->num_opened;
}

/* ---- The beginning and the end ---- */

struct evhttp_connection_pool *evhttp_connection_pool_new(struct event_base *base,
                                                          struct evdns_base *dnsbase) {
  struct evhttp_connection_pool *pool = strata_calloc(1, sizeof(*pool));
  int i;
  if (!pool) return NULL;
  pool->base = base;
  pool->dnsbase = dnsbase;
  for (i = 0; i < NUM_BUCKETS; i++) EV_TAILQ_INIT(&pool->buckets[i]);
  EV_TAILQ_INIT(&pool->due);
  EV_TAILQ_INIT(&pool->idle);
  pool->max_per_host = pool->max_idle_per_host = DEFAULT_PER_HOST;
  pool->max_idle = DEFAULT_IDLE;
  evhttp_connection_pool_set_idle_timeout_tv(pool, NULL);
  event_assign(&pool->settle, base, -1, 0, settle_due, pool);
  return pool;
}

static void free_connections(struct pool_host *host) {
  int i;
  for (i = 0; i < NUM_PLACES; i++) {
    while (!EV_TAILQ_EMPTY(&host->places[i])) pooled_free(EV_TAILQ_FIRST(&host->places[i]));
  }
}

void evhttp_connection_pool_free(struct evhttp_connection_pool *pool) {
  struct pool_host *host;
  int i;
  if (pool->dead) return;
  pool->dead = 1;
  event_del(&pool->settle);
  event_debug_unassign(&pool->settle);
  pool->depth++;
  for (i = 0; i < NUM_BUCKETS; i++) {
    EV_TAILQ_FOREACH(host, &pool->buckets[i], next) {
      free_connections(host);
      evhttp_connection_free(&host->queue->common);
      host->queue = NULL;
    }
  }
  leave(pool);
}

#define _GNU_SOURCE 1 /* getnameinfo(), sigaction() under -std=c11 */
#include "samples/httpd/server.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "samples/httpd/access_log.h"
#include "samples/httpd/counters.h"
#include "samples/httpd/loops.h"
#include "samples/httpd/worker.h"

#ifndef _WIN32
#include <netdb.h>
#include <sys/socket.h>
#endif

static const struct timeval kDrainTime = {5, 0};

enum { kNumSignals = 2 };
#ifdef SIGBREAK
/* No program can send SIGTERM to another on Windows, but Ctrl-Break to a process group. */
static const int kSignals[kNumSignals] = {SIGINT, SIGBREAK};
#else
static const int kSignals[kNumSignals] = {SIGINT, SIGTERM};
#endif

struct server {
  const struct options *options;
  struct event_base *base; /* the main thread's */
  struct event *signals[kNumSignals];
  FILE *log;
  struct document_root root;
  struct loops *loops;
  struct worker *workers; /* one a loop */
  struct counters *counters;
  int num_workers; /* set up so far */
  bool stopping;
  atomic_int num_busy; /* workers with replies under way, once stopping */
};

static int fail(const char *what, const char *which) {
  fprintf(stderr, "httpd: %s%s: %s\n", what, which, strerror(errno));
  return -1;
}

static int fail_socket(const char *what, const char *which) {
  fprintf(stderr, "httpd: %s%s: %s\n", what, which,
          evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
  return -1;
}

/* In the thread of some worker. */
static void on_drained(void *arg) {
  struct server *server = arg;
  if (atomic_fetch_sub(&server->num_busy, 1) == 1) event_base_loopexit(server->base, NULL);
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg) {
  (void)signal_number, (void)what;
  struct server *server = arg;
  if (server->stopping) {
    event_base_loopbreak(server->base);
    return;
  }
  server->stopping = true;
  loops_stop_accepting(server->loops);
  event_base_loopexit(server->base, &kDrainTime);
  atomic_store(&server->num_busy, server->num_workers);
  for (int i = 0; i < server->num_workers; i++)
    worker_drain(&server->workers[i], on_drained, server);
}

static int prepare(struct server *server) {
  const struct options *options = server->options;
  if (loops_prepare(options->num_threads) != 0) return fail("cannot start ", "several threads");
  server->base = event_base_new();
  if (server->base == NULL) return fail("cannot start", "");
  if (document_root_open(&server->root, options->root, options->follow_symlinks) != 0)
    return fail("cannot open the directory ", options->root);
  if (options->access_log_path != NULL || !options->quiet) {
    server->log = access_log_open(options->access_log_path);
    if (server->log == NULL) return fail("cannot open the access log ", options->access_log_path);
  }
  server->workers = calloc((size_t)options->num_threads, sizeof(*server->workers));
  server->counters = calloc((size_t)options->num_threads, sizeof(*server->counters));
  return server->workers == NULL || server->counters == NULL ? fail("cannot start", "") : 0;
}

static int watch_signals(struct server *server) {
#ifdef SIGPIPE
  signal(SIGPIPE, SIG_IGN); /* a client that hangs up is an error of that write, no more */
#endif
  for (int i = 0; i < kNumSignals; i++) {
    server->signals[i] = evsignal_new(server->base, kSignals[i], on_signal, server);
    if (server->signals[i] == NULL || evsignal_add(server->signals[i], NULL) != 0)
      return fail("cannot watch signals", "");
  }
  return 0;
}

static int add_worker(struct event_base *base, struct evhttp *http, int index, void *arg) {
  struct server *server = arg;
  server->workers[index].base = base;
  server->workers[index].http = http;
  return 0;
}

static int init_workers(struct server *server) {
  const struct options *options = server->options;
  const struct status_page page = {options->status_path, server->counters, options->num_threads,
                                   time(NULL)};
  while (server->num_workers < options->num_threads) {
    int index = server->num_workers++;
    struct worker *worker = &server->workers[index];
    struct counters *counters = page.path == NULL ? NULL : &server->counters[index];
    worker->site.root = server->root;
    worker->site.status_page = page;
    if (worker_init(worker, server->log, counters) != 0) return -1;
  }
  return 0;
}

static int announce(const struct sockaddr_storage *address, int address_len) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (getnameinfo((const struct sockaddr *)address, (ev_socklen_t)address_len, host, sizeof(host),
                  port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return fail_socket("cannot tell the address", "");
  printf(address->ss_family == AF_INET6 ? "listening on http://[%s]:%s/\n"
                                        : "listening on http://%s:%s/\n",
         host, port);
  return fflush(stdout);
}

static int start_serving(struct server *server) {
  const struct options *options = server->options;
  struct sockaddr_storage address;
  int address_len;
  server->loops = loops_new(server->base, options->num_threads, add_worker, server);
  if (server->loops == NULL || init_workers(server) != 0) return fail("cannot start", "");
  if (loops_listen(server->loops, options->bind_address, options->port, &address, &address_len) !=
      0)
    return fail_socket("cannot listen on ", options->bind_address);
  if (loops_start(server->loops) != 0) return fail("cannot start ", "threads");
  return announce(&address, address_len);
}

/* In an order in which nothing is used after it is gone: connections end transfers, which log. */
static void stop(struct server *server) {
  if (server->loops != NULL) loops_stop(server->loops);
  for (int i = 0; i < server->num_workers; i++) worker_detach(&server->workers[i]);
  loops_free(server->loops);
  for (int i = 0; i < server->num_workers; i++) worker_clear(&server->workers[i]);
  free(server->workers);
  free(server->counters);
  access_log_close(server->log);
  for (int i = 0; i < kNumSignals; i++)
    if (server->signals[i] != NULL) event_free(server->signals[i]);
  if (server->root.fd >= 0) document_root_close(&server->root);
  if (server->base != NULL) event_base_free(server->base);
  libevent_global_shutdown();
}

int server_run(const struct options *options) {
  struct server server = {.options = options, .root.fd = -1};
  int result = prepare(&server);
  if (result == 0) result = watch_signals(&server);
  if (result == 0) result = start_serving(&server);
  if (result == 0 && event_base_dispatch(server.base) < 0) result = fail("the event loop", "");
  stop(&server);
  return result;
}

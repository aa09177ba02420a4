#define _GNU_SOURCE 1 /* getnameinfo(), sigaction() under -std=c11 */
#include "samples/httpd/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <event2/http.h>

#include "samples/httpd/access_log.h"
#include "samples/httpd/site.h"
#include "samples/httpd/transfers.h"

#ifndef _WIN32
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

/* What a client may make the server hold or wait for. */
enum {
  kMaxHeadersLen = 16 * 1024,
  kMaxBodyLen = 64 * 1024, /* no request needs one */
  kTimeoutSeconds = 30,
};

static const struct timeval kDrainTime = {5, 0};

enum { kNumSignals = 2 };
#ifdef SIGBREAK
/* No program can send SIGTERM to another on Windows, but Ctrl-Break to a process group. */
static const int kSignals[kNumSignals] = {SIGINT, SIGBREAK};
#else
static const int kSignals[kNumSignals] = {SIGINT, SIGTERM};
#endif

struct server {
  struct event_base *base;
  struct evhttp *http;
  struct evhttp_bound_socket *listener; /* NULL once it stopped accepting */
  struct event *signals[kNumSignals];
  struct access_log *log;
  struct site site;
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

static void on_drained(void *arg) {
  struct server *server = arg;
  event_base_loopexit(server->base, NULL);
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg) {
  (void)signal_number, (void)what;
  struct server *server = arg;
  if (server->listener == NULL) {
    event_base_loopbreak(server->base);
    return;
  }
  evhttp_del_accept_socket(server->http, server->listener);
  server->listener = NULL;
  event_base_loopexit(server->base, &kDrainTime);
  transfers_drain(server->site.transfers, on_drained, server);
}

static int open_site(struct server *server, const struct options *options) {
  bool wants_log = options->access_log_path != NULL || !options->quiet;
  if (document_root_open(&server->site.root, options->root, options->follow_symlinks) != 0)
    return fail("cannot open the directory ", options->root);
  if (wants_log) {
    server->log = access_log_new(server->base, options->access_log_path);
    if (server->log == NULL) return fail("cannot open the access log ", options->access_log_path);
  }
  server->site.transfers = transfers_new(server->log);
  return server->site.transfers == NULL ? fail("cannot start", "") : 0;
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

static int announce(const struct server *server) {
  struct sockaddr_storage address;
  ev_socklen_t address_len = sizeof(address);
  char host[NI_MAXHOST], port[NI_MAXSERV];
  evutil_socket_t fd = evhttp_bound_socket_get_fd(server->listener);
  if (getsockname(fd, (struct sockaddr *)&address, &address_len) != 0 ||
      getnameinfo((struct sockaddr *)&address, address_len, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return fail_socket("cannot tell the address", "");
  printf(address.ss_family == AF_INET6 ? "listening on http://[%s]:%s/\n"
                                       : "listening on http://%s:%s/\n",
         host, port);
  return fflush(stdout);
}

/* A reply's head and the file behind it leave in two writes: without this, the second would wait
 * for the client to acknowledge the first. Connections inherit it from the listener. */
static int send_without_delay(const struct server *server) {
  int on = 1;
  evutil_socket_t fd = evhttp_bound_socket_get_fd(server->listener);
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on)) != 0)
    return fail_socket("cannot set TCP_NODELAY", "");
  return 0;
}

static int start_listening(struct server *server, const struct options *options) {
  server->http = evhttp_new(server->base);
  if (server->http == NULL) return fail("cannot start", "");
  evhttp_set_max_headers_size(server->http, kMaxHeadersLen);
  evhttp_set_max_body_size(server->http, kMaxBodyLen);
  evhttp_set_timeout(server->http, kTimeoutSeconds);
  /* All of them, so that it is this program that refuses, and says what it allows. */
  evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                               EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                               EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                               EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
  evhttp_set_gencb(server->http, site_answer, &server->site);
  server->listener =
      evhttp_bind_socket_with_handle(server->http, options->bind_address, options->port);
  if (server->listener == NULL) return fail_socket("cannot listen on ", options->bind_address);
  return send_without_delay(server) == 0 ? announce(server) : -1;
}

/* In an order in which nothing is used after it is gone: connections end transfers, which log. */
static void stop(struct server *server) {
  if (server->http != NULL) evhttp_free(server->http);
  transfers_free(server->site.transfers);
  access_log_free(server->log);
  for (int i = 0; i < kNumSignals; i++)
    if (server->signals[i] != NULL) event_free(server->signals[i]);
  if (server->site.root.fd >= 0) document_root_close(&server->site.root);
  if (server->base != NULL) event_base_free(server->base);
  libevent_global_shutdown();
}

int server_run(const struct options *options) {
  struct server server = {.site.root.fd = -1};
  server.base = event_base_new();
  int result = server.base == NULL ? fail("cannot start", "") : 0;
  if (result == 0) result = open_site(&server, options);
  if (result == 0) result = watch_signals(&server);
  if (result == 0) result = start_listening(&server, options);
  if (result == 0 && event_base_dispatch(server.base) < 0) result = fail("the event loop", "");
  stop(&server);
  return result;
}

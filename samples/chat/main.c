/*
 * chat: a web page, and behind it a WebSocket, over which all who have it open talk to each other.
 *
 *   options   the command line
 *   page      answers with index.html
 *   room      the members, and who hears what
 *     history   the latest lines, for those who come later
 *     message   what goes over the wire, as JSON
 */
#define _GNU_SOURCE 1 /* getnameinfo() under -std=c11 */
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <event2/http.h>

#include "samples/chat/options.h"
#include "samples/chat/page.h"
#include "samples/chat/room.h"
#include "samples/stop_signals.h"

#ifndef _WIN32
#include <netdb.h>
#include <sys/socket.h>
#endif

/* What the members are given to say good-bye. */
static const struct timeval kCloseTime = {2, 0};

struct server {
  struct event_base *base;
  struct evhttp *http;
  struct evhttp_bound_socket *listener; /* NULL once it stopped accepting */
  struct room *room;
  struct stop_signals signals;
};

static int fail(const char *what, const char *which) {
  fprintf(stderr, "chat: %s%s: %s\n", what, which,
          evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
  return -1;
}

static void on_emptied(void *arg) {
  struct server *server = arg;
  event_base_loopexit(server->base, NULL);
}

static void on_stop(evutil_socket_t signal_number, short what, void *arg) {
  struct server *server = arg;
  (void)signal_number, (void)what;
  if (server->listener == NULL || room_num_members(server->room) == 0) {
    event_base_loopbreak(server->base);
    return;
  }
  evhttp_del_accept_socket(server->http, server->listener);
  server->listener = NULL;
  room_close(server->room, on_emptied, server);
  event_base_loopexit(server->base, &kCloseTime);
}

static int announce(const struct server *server) {
  struct sockaddr_storage address;
  ev_socklen_t address_len = sizeof(address);
  char host[NI_MAXHOST], port[NI_MAXSERV];
  evutil_socket_t fd = evhttp_bound_socket_get_fd(server->listener);
  if (getsockname(fd, (struct sockaddr *)&address, &address_len) != 0 ||
      getnameinfo((struct sockaddr *)&address, address_len, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return fail("cannot tell the address", "");
  printf(address.ss_family == AF_INET6 ? "listening on http://[%s]:%s/\n"
                                       : "listening on http://%s:%s/\n",
         host, port);
  return fflush(stdout);
}

static int start(struct server *server, const struct options *options) {
  server->base = event_base_new();
  server->room = room_new();
  if (server->base == NULL || server->room == NULL) return fail("cannot start", "");
  if (stop_signals_watch(&server->signals, server->base, on_stop, server) != 0)
    return fail("cannot watch signals", "");
  server->http = evhttp_new(server->base);
  if (server->http == NULL || evhttp_set_cb(server->http, "/chat", room_on_request, server->room))
    return fail("cannot start", "");
  evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
  evhttp_set_gencb(server->http, page_on_request, NULL);
  server->listener =
      evhttp_bind_socket_with_handle(server->http, options->bind_address, options->port);
  if (server->listener == NULL) return fail("cannot listen on ", options->bind_address);
  return announce(server);
}

static void stop(struct server *server) {
  if (server->http != NULL) evhttp_free(server->http);
  room_free(server->room);
  stop_signals_forget(&server->signals);
  if (server->base != NULL) event_base_free(server->base);
  libevent_global_shutdown();
}

int main(int argc, char **argv) {
  struct options options;
  struct server server;
  enum options_outcome outcome = options_parse(argc, argv, &options);
  if (outcome != OPTIONS_RUN) return outcome == OPTIONS_HELP ? 0 : 2;
  memset(&server, 0, sizeof(server));
  int result = start(&server, &options);
  if (result == 0 && event_base_dispatch(server.base) < 0) result = fail("the event loop", "");
  stop(&server);
  return result == 0 ? 0 : 1;
}

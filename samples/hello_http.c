/*
 * hello_http: the smallest useful evhttp server.
 *
 *   hello_http [--port N]        0, the default, lets the system choose
 *
 * It listens on 127.0.0.1, prints its address as the first line of output, and answers
 *
 *   /hello   Hello, World!          (13 bytes)
 *   /quit    a farewell, and stops once the farewell is sent
 *   other    Request URI: <uri>
 *
 * The benchmark bench/http_compare builds this same file against strata and against the installed
 * libevent, so the handlers do nothing but make a buffer and send it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/util.h>

#ifndef _WIN32
#include <netinet/in.h>
#include <sys/socket.h>
#endif

static void reply(struct evhttp_request *req, const void *text, size_t text_len) {
  struct evbuffer *body = evbuffer_new();
  if (body == NULL || evbuffer_add(body, text, text_len) != 0 ||
      evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "text/plain") !=
          0) {
    evhttp_send_error(req, HTTP_INTERNAL, NULL);
  } else {
    evhttp_send_reply(req, HTTP_OK, "OK", body);
  }
  if (body != NULL) evbuffer_free(body);
}

static void on_hello(struct evhttp_request *req, void *arg) {
  (void)arg;
  reply(req, "Hello, World!", 13);
}

static void on_any(struct evhttp_request *req, void *arg) {
  (void)arg;
  const char *uri = evhttp_request_get_uri(req);
  struct evbuffer *body = evbuffer_new();
  if (body == NULL || evbuffer_add_printf(body, "Request URI: %s\n", uri) < 0 ||
      evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "text/plain") !=
          0) {
    evhttp_send_error(req, HTTP_INTERNAL, NULL);
  } else {
    evhttp_send_reply(req, HTTP_OK, "OK", body);
  }
  if (body != NULL) evbuffer_free(body);
}

static void on_quit_sent(struct evhttp_request *req, void *base) {
  (void)req;
  event_base_loopexit(base, NULL);
}

static void on_quit(struct evhttp_request *req, void *base) {
  evhttp_request_set_on_complete_cb(req, on_quit_sent, base);
  reply(req, "Goodbye.\n", 9);
}

/* Prints where the server listens; the port may have been the system's choice. */
static int announce(struct evhttp_bound_socket *bound) {
  struct sockaddr_in address;
  ev_socklen_t address_len = sizeof(address);
  memset(&address, 0, sizeof(address));
  if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &address_len) !=
      0)
    return -1;
  printf("listening on http://127.0.0.1:%d/\n", ntohs(address.sin_port));
  return fflush(stdout);
}

static int serve(struct event_base *base, struct evhttp *http, ev_uint16_t port) {
  evhttp_set_gencb(http, on_any, NULL);
  if (evhttp_set_cb(http, "/hello", on_hello, NULL) != 0) return -1;
  if (evhttp_set_cb(http, "/quit", on_quit, base) != 0) return -1;
  struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", port);
  if (bound == NULL || announce(bound) != 0) {
    fprintf(stderr, "hello_http: cannot listen on port %d: %s\n", port,
            evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    return -1;
  }
  return event_base_dispatch(base) < 0 ? -1 : 0;
}

static int run(ev_uint16_t port) {
  int result = -1;
  struct event_base *base = event_base_new();
  struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
  if (http == NULL) {
    fprintf(stderr, "hello_http: out of memory\n");
  } else {
    result = serve(base, http, port);
  }
  if (http != NULL) evhttp_free(http);
  if (base != NULL) event_base_free(base);
  libevent_global_shutdown();
  return result;
}

/* Without arguments the port is 0; returns -1 for anything but "--port N". */
static int parse_port(int argc, char **argv) {
  if (argc == 1) return 0;
  if (argc != 3 || strcmp(argv[1], "--port") != 0) return -1;
  char *end;
  long port = strtol(argv[2], &end, 10);
  return *argv[2] == '\0' || *end != '\0' || port < 0 || port > 65535 ? -1 : (int)port;
}

int main(int argc, char **argv) {
  int port = parse_port(argc, argv);
  if (port < 0) {
    fprintf(stderr, "usage: hello_http [--port N]\n");
    return 2;
  }
#ifdef SIGPIPE
  signal(SIGPIPE, SIG_IGN);
#endif
  return run((ev_uint16_t)port) == 0 ? 0 : 1;
}

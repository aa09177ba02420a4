/*
 * echo: a TCP server that sends back what it gets (RFC 862).
 *
 * A client that sends and does not read is not served further once kMaxOutputLen bytes wait for it:
 * reading stops until half of them are gone. Its end of data is answered once all was echoed.
 */
#define _GNU_SOURCE 1 /* getopt_long() under -std=c11 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "samples/acceptor.h"
#include "samples/address.h"
#include "samples/meter.h"
#include "samples/stop_signals.h"

enum { kMaxOutputLen = 256 * 1024 };

static const char kHelp[] =
    "usage: echo [options]\n"
    "\n"
    "Sends back to its TCP clients what they send.\n"
    "\n"
    "  -p, --port N     port to listen on (default: 0, any free one)\n"
    "  -b, --bind ADDR  address to listen on (default: 127.0.0.1)\n"
    "  -q, --quiet      no rates on standard error\n"
    "  -h, --help       this text\n"
    "\n"
    "SIGINT and SIGTERM stop it.\n";

static const struct option kLongOptions[] = {
    {"port", required_argument, NULL, 'p'},
    {"bind", required_argument, NULL, 'b'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct client {
  struct client *next, **link; /* what points here */
  struct server *server;
  struct bufferevent *bev;
  bool is_ending; /* it has sent all */
};

struct server {
  struct event_base *base;
  struct acceptor acceptor;
  struct stop_signals signals;
  struct meter meter;
  struct client *clients;
};

static void client_free(struct client *client) {
  client->server->meter.num_connections--;
  *client->link = client->next;
  if (client->next != NULL) client->next->link = client->link;
  bufferevent_free(client->bev);
  free(client);
}

static void on_read(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

/* The output has become small: set only while something waits for that. */
static void on_drained(struct bufferevent *bev, void *arg) {
  struct client *client = arg;
  if (client->is_ending) {
    client_free(client);
    return;
  }
  bufferevent_setcb(bev, on_read, NULL, on_event, client);
  bufferevent_enable(bev, EV_READ);
}

static void await_drain(struct client *client, size_t low_len) {
  bufferevent_setwatermark(client->bev, EV_WRITE, low_len, 0);
  bufferevent_setcb(client->bev, on_read, on_drained, on_event, client);
}

static void on_read(struct bufferevent *bev, void *arg) {
  struct client *client = arg;
  struct evbuffer *output = bufferevent_get_output(bev);
  client->server->meter.flows[0].total_len += evbuffer_get_length(bufferevent_get_input(bev));
  if (bufferevent_read_buffer(bev, output) != 0) {
    client_free(client);
  } else if (evbuffer_get_length(output) >= kMaxOutputLen) {
    bufferevent_disable(bev, EV_READ);
    await_drain(client, kMaxOutputLen / 2);
  }
}

static void on_event(struct bufferevent *bev, short what, void *arg) {
  struct client *client = arg;
  bool has_output = evbuffer_get_length(bufferevent_get_output(bev)) > 0;
  if (what & BEV_EVENT_EOF && has_output) {
    client->is_ending = true;
    await_drain(client, 0);
  } else {
    client_free(client);
  }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg) {
  (void)listener, (void)address, (void)address_len;
  struct server *server = arg;
  struct client *client = calloc(1, sizeof(*client));
  struct bufferevent *bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
  if (client == NULL || bev == NULL) {
    free(client);
    if (bev != NULL) bufferevent_free(bev);
    if (bev == NULL) evutil_closesocket(fd);
    return;
  }
  address_send_without_delay(fd);
  client->server = server;
  client->bev = bev;
  client->next = server->clients;
  client->link = &server->clients;
  if (client->next != NULL) client->next->link = &client->next;
  server->clients = client;
  server->meter.num_connections++;
  bufferevent_setcb(bev, on_read, NULL, on_event, client);
  if (bufferevent_enable(bev, EV_READ) != 0) client_free(client);
}

static void on_signal(evutil_socket_t number, short what, void *arg) {
  (void)number, (void)what;
  struct server *server = arg;
  event_base_loopbreak(server->base);
}

static int fail(const char *what) {
  fprintf(stderr, "echo: ");
  perror(what);
  return -1;
}

static int serve(struct server *server, const char *host, const char *port) {
  if (server->base == NULL) return fail("cannot start");
  if (stop_signals_watch(&server->signals, server->base, on_signal, server) != 0)
    return fail("cannot watch signals");
  if (acceptor_open(&server->acceptor, server->base, "echo", host, port, stdout, on_accept,
                    server) != 0)
    return -1;
  if (meter_start(&server->meter, server->base) != 0) return fail("cannot start");
  return event_base_dispatch(server->base) < 0 ? fail("the event loop") : 0;
}

static int run(const char *host, const char *port, bool is_quiet) {
  struct server server;
  memset(&server, 0, sizeof(server));
  server.meter = (struct meter){.program = "echo", .flows = {{"echoed", 0, 0}}};
  server.meter.has_connections = true;
  server.meter.is_quiet = is_quiet;
  server.base = event_base_new();
  int result = serve(&server, host, port);
  meter_stop(&server.meter);
  while (server.clients != NULL) client_free(server.clients);
  acceptor_close(&server.acceptor);
  stop_signals_forget(&server.signals);
  if (server.base != NULL) event_base_free(server.base);
  libevent_global_shutdown();
  return result;
}

int main(int argc, char **argv) {
  const char *host = "127.0.0.1", *port = "0";
  bool is_quiet = false;
  int option;
  while ((option = getopt_long(argc, argv, "p:b:qh", kLongOptions, NULL)) != -1) {
    switch (option) {
      case 'p':
        port = optarg;
        break;
      case 'b':
        host = optarg;
        break;
      case 'q':
        is_quiet = true;
        break;
      case 'h':
        fputs(kHelp, stdout);
        return 0;
      default:
        fputs("Try 'echo --help'.\n", stderr);
        return 2;
    }
  }
  if (optind != argc) {
    fprintf(stderr, "echo: unexpected argument: %s\nTry 'echo --help'.\n", argv[optind]);
    return 2;
  }
  return run(host, port, is_quiet) == 0 ? 0 : 1;
}

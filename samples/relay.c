/*
 * relay: a TCP proxy. What a client sends goes to the target, and what the target sends, back.
 *
 *     client  --- flow 0 -->  target        a side is one of the two connections;
 *             <-- flow 1 ---                a flow is what one side sends to the other
 *
 * Backpressure: a side is not read while `max_buffered_len` bytes or more wait to be written to the
 * other, until half of them are gone. So a flow holds that much and one read.
 *
 * The end of a flow: when its source has no more (end of data, or the connection broke), what is
 * buffered is still written, and then the sink's sending direction is shut down; the other flow
 * goes on. When its sink takes no more, the rest is read and dropped, so that closing the source's
 * socket does not reset it, which could destroy what is on the way to it. A source that goes on
 * sending then is cut off after kLingerTime.
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

#ifdef _WIN32
#define SHUT_WR SD_SEND
#else
#include <sys/socket.h>
#endif

enum { kMaxReadLen = 64 * 1024 };

static const struct timeval kLingerTime = {5, 0};
static const struct timeval kDrainTime = {5, 0};

static const char kHelp[] =
    "usage: relay [options] HOST PORT\n"
    "\n"
    "Connects each of its TCP clients to HOST PORT and passes the bytes on, both ways.\n"
    "\n"
    "  -p, --port N        port to listen on (default: 0, any free one)\n"
    "  -b, --bind ADDR     address to listen on (default: 127.0.0.1)\n"
    "  -m, --max-buffer N  bytes to buffer for a slow reader (default: 262144)\n"
    "  -q, --quiet         no rates on standard error\n"
    "  -h, --help          this text\n"
    "\n"
    "SIGINT and SIGTERM stop it when its connections have ended, after 5 seconds at the latest; a\n"
    "second one, at once.\n";

static const struct option kLongOptions[] = {
    {"port", required_argument, NULL, 'p'},
    {"bind", required_argument, NULL, 'b'},
    {"max-buffer", required_argument, NULL, 'm'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct options {
  const char *bind_address, *port, *target_host, *target_port;
  size_t max_buffered_len;
  bool is_quiet;
};

enum side_index { CLIENT, TARGET };

struct side {
  struct connection *connection;
  struct bufferevent *bev;
  bool has_ended;   /* nothing more comes from it */
  bool is_shut;     /* its sending direction is shut down: all that was for it is sent */
  bool is_refusing; /* it takes no more */
};

struct connection {
  struct connection *next, **link; /* what points here */
  struct relay *relay;
  struct side sides[2];
  const struct evutil_addrinfo *next_address; /* of the target, to be tried next */
  struct event *linger;
};

struct relay {
  struct event_base *base;
  struct options options;
  struct evutil_addrinfo *target;
  struct acceptor acceptor;
  struct stop_signals signals;
  struct meter meter;
  bool is_stopping;
  struct connection *connections;
};

static void on_read(struct bufferevent *bev, void *arg);
static void on_drained(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

static struct side *other_side(const struct side *side) {
  struct side *sides = side->connection->sides;
  return side == &sides[CLIENT] ? &sides[TARGET] : &sides[CLIENT];
}

static void connection_free(struct connection *connection) {
  struct relay *relay = connection->relay;
  relay->meter.num_connections--;
  *connection->link = connection->next;
  if (connection->next != NULL) connection->next->link = connection->link;
  for (int i = 0; i < 2; i++)
    if (connection->sides[i].bev != NULL) bufferevent_free(connection->sides[i].bev);
  if (connection->linger != NULL) event_free(connection->linger);
  free(connection);
  if (relay->is_stopping && relay->connections == NULL) event_base_loopbreak(relay->base);
}

/* --- A flow --- */

static size_t waiting_len(const struct side *sink) {
  return evbuffer_get_length(bufferevent_get_output(sink->bev));
}

/* Has on_drained() called once no more than `low_len` bytes wait for the sink. */
static void await_drain(struct side *sink, size_t low_len) {
  bufferevent_setwatermark(sink->bev, EV_WRITE, low_len, 0);
  bufferevent_setcb(sink->bev, on_read, on_drained, on_event, sink);
}

static bool flow_is_over(const struct side *source) {
  const struct side *sink = other_side(source);
  return source->has_ended && (sink->is_shut || sink->is_refusing);
}

/* The rest of the bytes that no one takes is waited for, but not for ever. */
static void linger_if_only_refused_bytes_remain(struct connection *connection) {
  for (int i = 0; i < 2; i++) {
    const struct side *source = &connection->sides[i];
    if (!source->has_ended && other_side(source)->is_refusing && flow_is_over(other_side(source)) &&
        !evtimer_pending(connection->linger, NULL))
      evtimer_add(connection->linger, &kLingerTime);
  }
}

/* Frees the connection when both of its flows are over. */
static void settle(struct connection *connection) {
  if (flow_is_over(&connection->sides[CLIENT]) && flow_is_over(&connection->sides[TARGET]))
    connection_free(connection);
  else
    linger_if_only_refused_bytes_remain(connection);
}

/* The source has ended: the sink hears of it once it has got all the bytes. */
static void pass_end_on(struct side *sink) {
  if (sink->is_refusing || sink->is_shut) return;
  if (waiting_len(sink) > 0) {
    await_drain(sink, 0);
    return;
  }
  (void)shutdown(bufferevent_getfd(sink->bev), SHUT_WR);
  sink->is_shut = true;
}

/* What waits for it stays where it is until the connection is freed: a bufferevent's output is its
 * own to drain. */
static void refuse_more(struct side *sink) {
  sink->is_refusing = true;
  if (!other_side(sink)->has_ended) bufferevent_enable(other_side(sink)->bev, EV_READ);
}

static void on_drained(struct bufferevent *bev, void *arg) {
  struct side *sink = arg, *source = other_side(sink);
  bufferevent_setcb(bev, on_read, NULL, on_event, sink);
  if (source->has_ended) {
    struct connection *connection = sink->connection;
    pass_end_on(sink);
    settle(connection);
  } else {
    bufferevent_enable(source->bev, EV_READ);
  }
}

static void on_read(struct bufferevent *bev, void *arg) {
  struct side *source = arg, *sink = other_side(source);
  struct relay *relay = source->connection->relay;
  struct evbuffer *input = bufferevent_get_input(bev);
  if (sink->is_refusing) {
    evbuffer_drain(input, evbuffer_get_length(input));
    return;
  }
  int flow = (int)(source - source->connection->sides);
  relay->meter.flows[flow].total_len += evbuffer_get_length(input);
  if (bufferevent_write_buffer(sink->bev, input) != 0) {
    connection_free(source->connection);
  } else if (waiting_len(sink) >= relay->options.max_buffered_len) {
    bufferevent_disable(bev, EV_READ);
    await_drain(sink, relay->options.max_buffered_len / 2);
  }
}

/* --- The target --- */

static int connect_to_target(struct connection *connection);

static void begin_flows(struct connection *connection) {
  for (int i = 0; i < 2; i++) {
    struct bufferevent *bev = connection->sides[i].bev;
    address_send_without_delay(bufferevent_getfd(bev));
    bufferevent_set_max_single_read(bev, kMaxReadLen);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
  }
}

static void on_connect_failed(struct connection *connection) {
  int error = EVUTIL_SOCKET_ERROR();
  bufferevent_free(connection->sides[TARGET].bev);
  connection->sides[TARGET].bev = NULL;
  if (connect_to_target(connection) == 0) return;
  fprintf(stderr, "relay: %s %s: %s\n", connection->relay->options.target_host,
          connection->relay->options.target_port, evutil_socket_error_to_string(error));
  connection_free(connection);
}

/* Tries the addresses that are left. -1 when none is. */
static int connect_to_target(struct connection *connection) {
  struct side *side = &connection->sides[TARGET];
  while (connection->next_address != NULL) {
    const struct evutil_addrinfo *address = connection->next_address;
    connection->next_address = address->ai_next;
    side->bev = bufferevent_socket_new(connection->relay->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (side->bev == NULL) return -1;
    bufferevent_setcb(side->bev, on_read, NULL, on_event, side);
    if (bufferevent_socket_connect(side->bev, address->ai_addr, (int)address->ai_addrlen) == 0)
      return 0;
    bufferevent_free(side->bev);
    side->bev = NULL;
  }
  return -1;
}

/* --- Both --- */

static void on_event(struct bufferevent *bev, short what, void *arg) {
  (void)bev;
  struct side *side = arg;
  struct connection *connection = side->connection;
  if (what & BEV_EVENT_CONNECTED) {
    begin_flows(connection);
    return;
  }
  if (!(what & (BEV_EVENT_READING | BEV_EVENT_WRITING))) {
    on_connect_failed(connection);
    return;
  }
  if (what & BEV_EVENT_READING) {
    side->has_ended = true;
    pass_end_on(other_side(side));
  }
  /* A connection that broke while reading takes nothing either. What breaks while writing may have
   * bytes left to read. */
  if (what & BEV_EVENT_ERROR) refuse_more(side);
  settle(connection);
}

static void on_linger_over(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  connection_free(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg) {
  (void)listener, (void)address, (void)address_len;
  struct relay *relay = arg;
  struct bufferevent *bev = bufferevent_socket_new(relay->base, fd, BEV_OPT_CLOSE_ON_FREE);
  struct connection *connection = calloc(1, sizeof(*connection));
  if (bev == NULL || connection == NULL) {
    if (bev != NULL) bufferevent_free(bev);
    if (bev == NULL) evutil_closesocket(fd);
    free(connection);
    return;
  }
  connection->relay = relay;
  connection->next_address = relay->target;
  connection->sides[CLIENT] = (struct side){.connection = connection, .bev = bev};
  connection->sides[TARGET] = (struct side){.connection = connection};
  connection->next = relay->connections;
  connection->link = &relay->connections;
  if (connection->next != NULL) connection->next->link = &connection->next;
  relay->connections = connection;
  relay->meter.num_connections++;
  bufferevent_setcb(bev, on_read, NULL, on_event, &connection->sides[CLIENT]);
  connection->linger = evtimer_new(relay->base, on_linger_over, connection);
  /* The client is not read before the target is there. */
  if (connection->linger == NULL || connect_to_target(connection) != 0) connection_free(connection);
}

/* --- The program --- */

static void on_signal(evutil_socket_t number, short what, void *arg) {
  (void)number, (void)what;
  struct relay *relay = arg;
  if (relay->is_stopping || relay->connections == NULL) {
    event_base_loopbreak(relay->base);
    return;
  }
  relay->is_stopping = true;
  acceptor_close(&relay->acceptor);
  event_base_loopexit(relay->base, &kDrainTime);
}

static int fail(const char *what) {
  fprintf(stderr, "relay: ");
  perror(what);
  return -1;
}

static int serve(struct relay *relay) {
  const struct options *options = &relay->options;
  relay->target = address_resolve("relay", options->target_host, options->target_port);
  if (relay->target == NULL) return -1;
  if (relay->base == NULL) return fail("cannot start");
  if (stop_signals_watch(&relay->signals, relay->base, on_signal, relay) != 0)
    return fail("cannot watch signals");
  if (acceptor_open(&relay->acceptor, relay->base, "relay", options->bind_address, options->port,
                    stdout, on_accept, relay) != 0)
    return -1;
  if (meter_start(&relay->meter, relay->base) != 0) return fail("cannot start");
  return event_base_dispatch(relay->base) < 0 ? fail("the event loop") : 0;
}

static int run(const struct options *options) {
  struct relay relay;
  memset(&relay, 0, sizeof(relay));
  relay.options = *options;
  relay.meter.program = "relay";
  relay.meter.flows[CLIENT].what = "to the target";
  relay.meter.flows[TARGET].what = "to the client";
  relay.meter.has_connections = true;
  relay.meter.is_quiet = options->is_quiet;
  relay.base = event_base_new();
  int result = serve(&relay);
  meter_stop(&relay.meter);
  while (relay.connections != NULL) connection_free(relay.connections);
  acceptor_close(&relay.acceptor);
  stop_signals_forget(&relay.signals);
  if (relay.base != NULL) event_base_free(relay.base);
  if (relay.target != NULL) evutil_freeaddrinfo(relay.target);
  libevent_global_shutdown();
  return result;
}

static int bad(const char *problem) {
  if (problem != NULL) fprintf(stderr, "relay: %s\n", problem); /* else getopt_long() has said it */
  fputs("Try 'relay --help'.\n", stderr);
  return 2;
}

static size_t parse_len(const char *text) {
  char *end;
  unsigned long long len = strtoull(text, &end, 10);
  return *text < '0' || *text > '9' || *end != '\0' || len > 1ULL << 40 ? 0 : (size_t)len;
}

/* 0: run; otherwise main()'s result plus one. */
static int parse(int argc, char **argv, struct options *out_options) {
  *out_options =
      (struct options){.bind_address = "127.0.0.1", .port = "0", .max_buffered_len = 256 * 1024};
  int option;
  while ((option = getopt_long(argc, argv, "p:b:m:qh", kLongOptions, NULL)) != -1) {
    switch (option) {
      case 'p':
        out_options->port = optarg;
        break;
      case 'b':
        out_options->bind_address = optarg;
        break;
      case 'm':
        out_options->max_buffered_len = parse_len(optarg);
        if (out_options->max_buffered_len == 0) return bad("not a number of bytes") + 1;
        break;
      case 'q':
        out_options->is_quiet = true;
        break;
      case 'h':
        fputs(kHelp, stdout);
        return 0 + 1;
      default:
        return bad(NULL) + 1;
    }
  }
  if (argc - optind != 2) return bad("a target is needed: HOST PORT") + 1;
  out_options->target_host = argv[optind];
  out_options->target_port = argv[optind + 1];
  return 0;
}

int main(int argc, char **argv) {
  struct options options;
  int outcome = parse(argc, argv, &options);
  if (outcome != 0) return outcome - 1;
  return run(&options) == 0 ? 0 : 1;
}

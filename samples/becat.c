/*
 * becat: netcat on bufferevents. It connects, or waits for one connection; sends its standard
 * input, and writes what comes to its standard output; and says how fast.
 *
 *   standard input -> byte_source -> bufferevent -> byte_sink -> standard output
 *
 * The source stops at kMaxBufferedLen of output and goes on at half of that; the connection is not
 * read while the sink holds that much. It ends when both directions have.
 */
#define _GNU_SOURCE 1 /* getopt_long() under -std=c11 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "samples/acceptor.h"
#include "samples/address.h"
#include "samples/byte_sink.h"
#include "samples/byte_source.h"
#include "samples/meter.h"
#include "samples/stop_signals.h"

#ifdef _WIN32
#define SHUT_WR SD_SEND
#else
#include <sys/socket.h>
#endif

enum { kMaxBufferedLen = 256 * 1024, kMaxReadLen = 64 * 1024 };

static const char kHelp[] =
    "usage: becat [options] HOST PORT\n"
    "       becat [options] -l PORT\n"
    "\n"
    "Connects to HOST PORT, or listens on PORT for one connection. Standard input is sent, and "
    "what\n"
    "is received is written to standard output. The rates are told on standard error.\n"
    "\n"
    "  -l, --listen       listen; port 0 is any free one\n"
    "  -b, --bind ADDR    address to listen on (default: 127.0.0.1)\n"
    "  -s, --send LEN     send LEN bytes of no meaning, not standard input\n"
    "  -d, --discard      drop what is received\n"
    "  -q, --quiet        no rates\n"
    "  -h, --help         this text\n"
    "\n"
    "It ends when both ends have sent all, or by SIGINT and SIGTERM; with 1 after an error.\n";

static const struct option kLongOptions[] = {
    {"listen", no_argument, NULL, 'l'},
    {"bind", required_argument, NULL, 'b'},
    {"send", required_argument, NULL, 's'},
    {"discard", no_argument, NULL, 'd'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct options {
  bool listens, discards, is_quiet, sends_generated;
  uint64_t generated_len;
  const char *host, *port;
};

struct becat {
  struct event_base *base;
  struct acceptor acceptor;
  struct stop_signals signals;
  struct meter meter;
  struct evutil_addrinfo *addresses;
  const struct evutil_addrinfo *next_address;
  struct byte_source source;
  struct byte_sink sink;
  struct bufferevent *bev;
  uint64_t queued_len; /* put into the output so far */
  bool is_sent;        /* all was sent, and the end of it told */
  bool is_received;    /* nothing more comes */
  int result;
};

static void finish(struct becat *becat, int result) {
  becat->result = result;
  event_base_loopbreak(becat->base);
}

static void fail(struct becat *becat, const char *what) {
  fprintf(stderr, "becat: %s: %s\n", what, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
  finish(becat, -1);
}

/* Files and pipes have their errors in errno, which is another number than a socket's on Windows.
 */
static void fail_standard_io(struct becat *becat, const char *what) {
  fprintf(stderr, "becat: %s: %s\n", what, strerror(errno));
  finish(becat, -1);
}

static void finish_if_done(struct becat *becat) {
  if (becat->is_sent && becat->is_received && byte_sink_len(&becat->sink) == 0) finish(becat, 0);
}

/* --- Sending --- */

static void note_sent(struct becat *becat) {
  becat->meter.flows[0].total_len =
      becat->queued_len - evbuffer_get_length(bufferevent_get_output(becat->bev));
}

static void send_more(struct becat *becat) {
  struct evbuffer *output = bufferevent_get_output(becat->bev);
  size_t old_len = evbuffer_get_length(output);
  note_sent(becat);
  if (byte_source_fill(&becat->source, output, kMaxBufferedLen) != 0) {
    fail_standard_io(becat, "cannot read standard input");
    return;
  }
  becat->queued_len += evbuffer_get_length(output) - old_len;
  if (!becat->source.has_ended || becat->is_sent) return;
  if (evbuffer_get_length(output) > 0) {
    bufferevent_setwatermark(becat->bev, EV_WRITE, 0, 0);
    return;
  }
  (void)shutdown(bufferevent_getfd(becat->bev), SHUT_WR);
  becat->is_sent = true;
  finish_if_done(becat);
}

static void on_input(void *arg) {
  send_more(arg);
}

static void on_drained(struct bufferevent *bev, void *arg) {
  (void)bev;
  send_more(arg);
}

/* --- Receiving --- */

static void on_sink_drained(int result, void *arg) {
  struct becat *becat = arg;
  if (result != 0)
    fail_standard_io(becat, "cannot write to standard output");
  else if (becat->is_received)
    finish_if_done(becat);
  else
    bufferevent_enable(becat->bev, EV_READ);
}

static void on_read(struct bufferevent *bev, void *arg) {
  struct becat *becat = arg;
  struct evbuffer *input = bufferevent_get_input(bev);
  becat->meter.flows[1].total_len += evbuffer_get_length(input);
  if (byte_sink_take(&becat->sink, input) != 0)
    fail_standard_io(becat, "cannot write to standard output");
  else if (byte_sink_len(&becat->sink) >= kMaxBufferedLen)
    bufferevent_disable(bev, EV_READ);
}

/* --- The connection --- */

static void begin(struct becat *becat) {
  bufferevent_set_max_single_read(becat->bev, kMaxReadLen);
  bufferevent_set_max_single_write(becat->bev, kMaxReadLen);
  address_send_without_delay(bufferevent_getfd(becat->bev));
  bufferevent_setwatermark(becat->bev, EV_WRITE, kMaxBufferedLen / 2, 0);
  if (bufferevent_enable(becat->bev, EV_READ | EV_WRITE) != 0)
    fail(becat, "cannot start");
  else
    send_more(becat);
}

static int connect_to_next(struct becat *becat);

static void on_event(struct bufferevent *bev, short what, void *arg) {
  (void)bev;
  struct becat *becat = arg;
  if (what & BEV_EVENT_CONNECTED) {
    begin(becat);
  } else if (what & BEV_EVENT_EOF) {
    becat->is_received = true;
    finish_if_done(becat);
  } else if (what & (BEV_EVENT_READING | BEV_EVENT_WRITING)) {
    note_sent(becat);
    fail(becat, "the connection broke");
  } else if (connect_to_next(becat) != 0) {
    fail(becat, "cannot connect");
  }
}

static int take_socket(struct becat *becat, evutil_socket_t fd) {
  becat->bev = bufferevent_socket_new(becat->base, fd, BEV_OPT_CLOSE_ON_FREE);
  if (becat->bev == NULL) return -1;
  bufferevent_setcb(becat->bev, on_read, on_drained, on_event, becat);
  return 0;
}

/* -1 with the last attempt's error when no address is left. */
static int connect_to_next(struct becat *becat) {
  int error = EVUTIL_SOCKET_ERROR();
  while (becat->next_address != NULL) {
    const struct evutil_addrinfo *address = becat->next_address;
    becat->next_address = address->ai_next;
    if (becat->bev != NULL) bufferevent_free(becat->bev);
    if (take_socket(becat, -1) != 0) return -1;
    if (bufferevent_socket_connect(becat->bev, address->ai_addr, (int)address->ai_addrlen) == 0)
      return 0;
    error = EVUTIL_SOCKET_ERROR();
  }
  EVUTIL_SET_SOCKET_ERROR(error);
  return -1;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg) {
  (void)listener, (void)address, (void)address_len;
  struct becat *becat = arg;
  if (becat->bev != NULL || take_socket(becat, fd) != 0) {
    evutil_closesocket(fd);
    return;
  }
  acceptor_close(&becat->acceptor);
  begin(becat);
}

/* --- The program --- */

static void on_signal(evutil_socket_t number, short what, void *arg) {
  (void)number, (void)what;
  finish(arg, 0);
}

static int start(struct becat *becat, const struct options *options) {
  if (options->sends_generated) byte_source_generate(&becat->source, options->generated_len);
  if (becat->base == NULL ||
      byte_source_open(&becat->source, becat->base, STDIN_FILENO, on_input, becat) != 0 ||
      byte_sink_open(&becat->sink, becat->base, options->discards ? -1 : STDOUT_FILENO,
                     on_sink_drained, becat) != 0 ||
      stop_signals_watch(&becat->signals, becat->base, on_signal, becat) != 0 ||
      meter_start(&becat->meter, becat->base) != 0) {
    perror("becat: cannot start");
    return -1;
  }
  if (options->listens)
    return acceptor_open(&becat->acceptor, becat->base, "becat", options->host, options->port,
                         stderr, on_accept, becat);
  becat->addresses = address_resolve("becat", options->host, options->port);
  becat->next_address = becat->addresses;
  if (becat->addresses == NULL) return -1;
  if (connect_to_next(becat) == 0) return 0;
  fprintf(stderr, "becat: cannot connect: %s\n",
          evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
  return -1;
}

static void stop(struct becat *becat) {
  meter_stop(&becat->meter);
  if (becat->bev != NULL) bufferevent_free(becat->bev);
  byte_source_close(&becat->source);
  byte_sink_close(&becat->sink);
  acceptor_close(&becat->acceptor);
  stop_signals_forget(&becat->signals);
  if (becat->addresses != NULL) evutil_freeaddrinfo(becat->addresses);
  if (becat->base != NULL) event_base_free(becat->base);
  libevent_global_shutdown();
}

static int run(const struct options *options) {
  struct becat becat;
  memset(&becat, 0, sizeof(becat));
  becat.meter = (struct meter){.program = "becat", .flows = {{"sent", 0, 0}, {"received", 0, 0}}};
  becat.meter.is_quiet = options->is_quiet;
  becat.base = event_base_new();
  int result = start(&becat, options);
  if (result == 0 && event_base_dispatch(becat.base) < 0) result = -1;
  stop(&becat);
  return result == 0 ? becat.result : result;
}

static int bad(const char *problem) {
  if (problem != NULL) fprintf(stderr, "becat: %s\n", problem); /* else getopt_long() has said it */
  fputs("Try 'becat --help'.\n", stderr);
  return 2;
}

static bool parse_len(const char *text, uint64_t *out_len) {
  char *end;
  *out_len = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0';
}

/* 0: run; otherwise main()'s result plus one. */
static int parse(int argc, char **argv, struct options *out_options) {
  *out_options = (struct options){.host = "127.0.0.1"};
  int option;
  while ((option = getopt_long(argc, argv, "lb:s:dqh", kLongOptions, NULL)) != -1) {
    switch (option) {
      case 'l':
        out_options->listens = true;
        break;
      case 'b':
        out_options->host = optarg;
        break;
      case 's':
        out_options->sends_generated = true;
        if (!parse_len(optarg, &out_options->generated_len))
          return bad("not a number of bytes") + 1;
        break;
      case 'd':
        out_options->discards = true;
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
  if (argc - optind != (out_options->listens ? 1 : 2))
    return bad(out_options->listens ? "a port is needed" : "HOST PORT is needed") + 1;
  if (!out_options->listens) out_options->host = argv[optind++];
  out_options->port = argv[optind];
  return 0;
}

int main(int argc, char **argv) {
  struct options options;
  int outcome = parse(argc, argv, &options);
  if (outcome != 0) return outcome - 1;
  return run(&options) == 0 ? 0 : 1;
}

/*
 * fetch: gets URLs over HTTP, several at a time, or sends a file to them.
 *
 *   main.c       the connections, each of which has one transfer after the other
 *   transfer.c   a request, and its answer on the way to a file
 *   upload.c     a file on the way to the server
 *
 * Bodies of any size pass through it in constant memory: a file is read as the server takes it,
 * and the server is not read while what it sent is still to be written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/http.h>

#include "samples/fetch/options.h"
#include "samples/fetch/transfer.h"
#include "samples/meter.h"
#include "samples/stop_signals.h"

/* A connection, and what it is used for now. It stays with a server as long as the URLs do. */
struct lane {
  struct transfer transfer; /* first: on_done() gets it */
  struct fetch *fetch;
  struct evhttp_connection *con;
  const struct url *origin; /* whose server `con` is for */
};

struct fetch {
  const struct options *options;
  struct event_base *base;
  struct stop_signals signals;
  struct meter meter;
  struct lane *lanes;
  size_t num_lanes, num_busy;
  size_t next_url;
  int result;
};

/* --- Lanes --- */

static void note(struct fetch *fetch, int result) {
  if (result == 2) return; /* 2xx */
  if (result == TRANSFER_FAILED || fetch->result == TRANSFER_FAILED)
    fetch->result = TRANSFER_FAILED;
  else if (result > fetch->result)
    fetch->result = result;
}

static int use_origin(struct lane *lane, const struct url *url) {
  const struct options *options = lane->fetch->options;
  if (lane->con != NULL && url_has_same_origin(lane->origin, url)) return 0;
  if (lane->con != NULL) evhttp_connection_free(lane->con);
  lane->con = evhttp_connection_base_new(lane->fetch->base, NULL, url->host, url->port);
  lane->origin = url;
  if (lane->con == NULL) return -1;
  if (options->timeout_s > 0) evhttp_connection_set_timeout(lane->con, options->timeout_s);
  return 0;
}

static int start(struct lane *lane, size_t n) {
  const struct options *options = lane->fetch->options;
  const struct url *url = &options->urls[n];
  if (use_origin(lane, url) != 0) {
    fputs("fetch: out of memory\n", stderr);
    return -1;
  }
  return transfer_start(&lane->transfer, lane->con, url, options_output_path(options, n));
}

static void go_on(struct lane *lane) {
  struct fetch *fetch = lane->fetch;
  while (fetch->next_url < fetch->options->num_urls) {
    if (start(lane, fetch->next_url++) == 0) return;
    note(fetch, TRANSFER_FAILED);
  }
  fetch->meter.num_connections = (unsigned)--fetch->num_busy;
  if (fetch->num_busy == 0) event_base_loopbreak(fetch->base);
}

static void on_done(struct transfer *transfer, int result) {
  struct lane *lane = (struct lane *)transfer;
  note(lane->fetch, result);
  go_on(lane);
}

static int open_lanes(struct fetch *fetch) {
  size_t num_lanes = (size_t)fetch->options->num_connections;
  if (num_lanes > fetch->options->num_urls) num_lanes = fetch->options->num_urls;
  fetch->lanes = calloc(num_lanes, sizeof(*fetch->lanes));
  if (fetch->lanes == NULL) return -1;
  fetch->num_lanes = fetch->num_busy = num_lanes;
  fetch->meter.num_connections = (unsigned)num_lanes;
  for (size_t i = 0; i < num_lanes; i++) {
    struct lane *lane = &fetch->lanes[i];
    lane->fetch = fetch;
    lane->transfer = (struct transfer){
        .options = fetch->options, .base = fetch->base, .meter = &fetch->meter, .on_done = on_done};
    go_on(lane);
  }
  return 0;
}

static void close_lanes(struct fetch *fetch) {
  for (size_t i = 0; i < fetch->num_lanes; i++) {
    transfer_stop(&fetch->lanes[i].transfer);
    if (fetch->lanes[i].con != NULL) evhttp_connection_free(fetch->lanes[i].con);
  }
  free(fetch->lanes);
}

/* --- The program --- */

static void on_signal(evutil_socket_t number, short what, void *arg) {
  (void)number, (void)what;
  struct fetch *fetch = arg;
  fputs("fetch: interrupted\n", stderr);
  note(fetch, TRANSFER_FAILED);
  event_base_loopbreak(fetch->base);
}

static int begin(struct fetch *fetch) {
  if (fetch->base == NULL ||
      stop_signals_watch(&fetch->signals, fetch->base, on_signal, fetch) != 0 ||
      meter_start(&fetch->meter, fetch->base) != 0 || open_lanes(fetch) != 0) {
    perror("fetch: cannot start");
    return -1;
  }
  return 0;
}

static int run(const struct options *options) {
  struct fetch fetch = {
      .options = options,
      .meter = {.program = "fetch",
                .flows = {[FLOW_SENT] = {"sent", 0, 0}, [FLOW_RECEIVED] = {"received", 0, 0}},
                .has_connections = true,
                .is_quiet = options->is_quiet},
      .base = event_base_new()};
  if (options->upload_path == NULL) fetch.meter.flows[FLOW_SENT].what = NULL;
  if (begin(&fetch) != 0) fetch.result = TRANSFER_FAILED;
  if (fetch.num_busy > 0 && event_base_dispatch(fetch.base) < 0) fetch.result = TRANSFER_FAILED;
  close_lanes(&fetch);
  meter_stop(&fetch.meter);
  stop_signals_forget(&fetch.signals);
  if (fetch.base != NULL) event_base_free(fetch.base);
  libevent_global_shutdown();
  return fetch.result;
}

int main(int argc, char **argv) {
  struct options options;
  int result = 0;
  switch (options_parse(argc, argv, &options)) {
    case OPTIONS_RUN:
      result = run(&options);
      break;
    case OPTIONS_HELP:
      break;
    case OPTIONS_BAD:
      result = 2;
      break;
  }
  options_clear(&options);
  return result;
}

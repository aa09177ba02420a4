#ifndef SAMPLES_FETCH_TRANSFER_H_
#define SAMPLES_FETCH_TRANSFER_H_

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/http.h>

#include "samples/byte_sink.h"
#include "samples/fetch/options.h"
#include "samples/fetch/url.h"
#include "samples/meter.h"

/* The meter's flows. */
enum { FLOW_SENT, FLOW_RECEIVED };

/* How a transfer ended: the program's result, the greater the worse, but for TRANSFER_FAILED, which
 * is the worst. Otherwise the first digit of the answer's status. */
enum { TRANSFER_FAILED = 1 };

/*
 * One request and where its answer goes:
 *
 *   request --> head --> body --(sink is full)--> paused --(drained)--> body ...
 *                          \--> answered --(sink is empty)--> done
 *
 * It can be used again when it is done.
 */
struct transfer {
  /* Its owner sets these. */
  const struct options *options;
  struct event_base *base;
  struct meter *meter;
  void (*on_done)(struct transfer *transfer, int result); /* may start it again */

  /* The rest is its own. */
  const struct url *url;
  const char *output_path;    /* NULL: standard output */
  struct evhttp_request *req; /* NULL: answered, or never asked */
  int fd;                     /* the file of `output_path`, or -1 */
  bool has_sink;              /* the head has come */
  struct byte_sink sink;
  int status; /* 0: none yet */
  uint64_t received_len;
  enum evhttp_request_error error;
};

/* Asks for `url` over a connection to its server. 0; -1 when it can't be asked for, which was said
 * on standard error: on_done() is not called then. */
int transfer_start(struct transfer *transfer, struct evhttp_connection *con, const struct url *url,
                   const char *output_path);

/* Ends it wherever it is, without on_done(). May be called on zeros and on one that is done. */
void transfer_stop(struct transfer *transfer);

#endif

#ifndef SAMPLES_HTTPD_WORKER_H_
#define SAMPLES_HTTPD_WORKER_H_

#include <stdio.h>

#include <event2/event.h>

#include "samples/httpd/site.h"

struct counters;
struct evhttp;

/*
 * What one loop has for itself: its server's settings, the replies under way, its access to the
 * log, its counters. Set up before the loop runs, then used in the loop's thread only.
 */
struct worker {
  struct event_base *base;
  struct evhttp *http;
  struct access_log *log;    /* NULL: none */
  struct counters *counters; /* NULL: nobody asks */
  struct event *tick;        /* with counters */
  struct site site;
  void (*on_drained)(void *); /* NULL: not asked for, or called */
  void *on_drained_arg;
};

/* Sets a worker up, which is zero but for base, server and what its site shows; and the server with
 * it. `log` and `counters` may be NULL. Returns 0, or -1, with the rest left to worker_detach() and
 * worker_clear(). */
int worker_init(struct worker *worker, FILE *log, struct counters *counters);

/* From any thread: has `on_drained` called in the loop's thread, once, when no reply is under way.
 * Replies close their connections from then on. */
void worker_drain(struct worker *worker, void (*on_drained)(void *), void *arg);

/* To be called when the loop has ended, before the base and the server are freed. */
void worker_detach(struct worker *worker);

/* To be called after that. */
void worker_clear(struct worker *worker);

#endif

#ifndef SAMPLES_ACCEPTOR_H_
#define SAMPLES_ACCEPTOR_H_

#include <stdio.h>

#include <event2/listener.h>

/* A listening socket that says where it listens, and outlives a lack of descriptors. */
struct acceptor {
  struct evconnlistener *listener; /* NULL: closed */
  struct event *resume;
  const char *program;
  int last_error; /* that accepting failed with, since it last succeeded; 0: none */
  evconnlistener_cb callback;
  void *arg;
};

/* Listens on the first address of host:port that can be had and announces it in `file`. Accepted
 * sockets go to `callback`. 0, or -1: then standard error says why and the acceptor is closed. */
int acceptor_open(struct acceptor *acceptor, struct event_base *base, const char *program,
                  const char *host, const char *port, FILE *file, evconnlistener_cb callback,
                  void *arg);

/* May be called again, and on an acceptor of zeros. The callback may do it. */
void acceptor_close(struct acceptor *acceptor);

#endif

#include "samples/acceptor.h"

#include <string.h>

#include <event2/event.h>
#include <event2/util.h>

#include "samples/address.h"

enum { kBacklog = 1024 };
static const struct timeval kPause = {0, 50 * 1000};

static void on_pause_over(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  struct acceptor *acceptor = arg;
  if (evconnlistener_enable(acceptor->listener) < 0) event_add(acceptor->resume, &kPause);
}

/* Out of descriptors, mostly: trying again at once would only find the same, and spin. */
static void on_error(struct evconnlistener *listener, void *arg) {
  struct acceptor *acceptor = arg;
  int error = EVUTIL_SOCKET_ERROR();
  if (error != acceptor->last_error)
    fprintf(stderr, "%s: cannot accept: %s\n", acceptor->program,
            evutil_socket_error_to_string(error));
  acceptor->last_error = error;
  evconnlistener_disable(listener);
  event_add(acceptor->resume, &kPause);
}

/* The error callback has the same argument: it is the acceptor for both. */
static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg) {
  struct acceptor *acceptor = arg;
  acceptor->last_error = 0; /* the next shortage is another one */
  acceptor->callback(listener, fd, address, address_len, acceptor->arg);
}

static struct evconnlistener *listen_on_one_of(const struct evutil_addrinfo *addresses,
                                               struct event_base *base, struct acceptor *acceptor) {
  struct evconnlistener *listener = NULL;
  for (; addresses != NULL && listener == NULL; addresses = addresses->ai_next)
    listener =
        evconnlistener_new_bind(base, on_accept, acceptor,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                kBacklog, addresses->ai_addr, (int)addresses->ai_addrlen);
  return listener;
}

int acceptor_open(struct acceptor *acceptor, struct event_base *base, const char *program,
                  const char *host, const char *port, FILE *file, evconnlistener_cb callback,
                  void *arg) {
  memset(acceptor, 0, sizeof(*acceptor));
  acceptor->program = program;
  acceptor->callback = callback;
  acceptor->arg = arg;
  struct evutil_addrinfo *addresses = address_resolve(program, host, port);
  if (addresses == NULL) return -1;
  acceptor->listener = listen_on_one_of(addresses, base, acceptor);
  acceptor->resume = evtimer_new(base, on_pause_over, acceptor);
  int error = EVUTIL_SOCKET_ERROR();
  evutil_freeaddrinfo(addresses);
  if (acceptor->listener == NULL || acceptor->resume == NULL) {
    fprintf(stderr, "%s: cannot listen on %s:%s: %s\n", program, host, port,
            evutil_socket_error_to_string(error));
    acceptor_close(acceptor);
    return -1;
  }
  evconnlistener_set_error_cb(acceptor->listener, on_error);
  if (address_announce(evconnlistener_get_fd(acceptor->listener), file) == 0) return 0;
  acceptor_close(acceptor);
  return -1;
}

void acceptor_close(struct acceptor *acceptor) {
  if (acceptor->resume != NULL) event_free(acceptor->resume);
  if (acceptor->listener != NULL) evconnlistener_free(acceptor->listener);
  acceptor->resume = NULL;
  acceptor->listener = NULL;
}

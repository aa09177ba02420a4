#include <event2/listener.h>

#include <errno.h>
#include <string.h>

#include <event2/util.h>

#include "loop/finalize.h"
#include "loop/readiness.h"
#include "net/listener_internal.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/socket.h"

#define DEFAULT_BACKLOG 128
/* So many connections at once, before others get their turn. */
#define ACCEPTS_PER_TURN 32
/* How long to leave the backlog alone after an error that stays. */
#define PAUSE_USEC 100000
/* Between pauses the timer stays set, so that a pause needs no memory: it may be for want of that.
 * Its end then does nothing. */
#define NO_PAUSE_SEC 86400

void strata_listener_close_socket(struct evconnlistener *listener) {
  if (listener->flags & LEV_OPT_CLOSE_ON_FREE) evutil_closesocket(listener->fd);
  listener->flags &= ~LEV_OPT_CLOSE_ON_FREE;
}

static void destroy(struct event_callback *end, void *arg) {
  struct evconnlistener *listener = arg;
  (void)end;
  strata_accepts_free(listener);
  strata_listener_close_socket(listener);
  strata_lock_destroy(&listener->lock, EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_free(listener);
}

bool strata_listener_hold(struct evconnlistener *listener) {
  strata_lock_acquire(listener->lock);
  if (listener->num_refs) {
    listener->num_refs++;
    return true;
  }
  strata_lock_release(listener->lock);
  return false;
}

void strata_listener_release(struct evconnlistener *listener) {
  bool is_last = --listener->num_refs == 0;
  if (is_last) {
    event_io_source_detach(&listener->source);
    event_del_noblock(&listener->pause);
    event_debug_unassign(&listener->pause);
  }
  strata_lock_release(listener->lock);
  if (is_last) event_base_finalize_callback(listener->base, &listener->end, destroy, listener);
}

int strata_listener_update(struct evconnlistener *listener) {
  bool accepts = strata_listener_accepts(listener);
  if (listener->uses_port) return strata_accepts_update(listener, accepts);
  if (!accepts) return event_io_source_set_want(&listener->source, 0);
  if (!event_io_source_is_attached(&listener->source) &&
      event_io_source_attach(&listener->source, listener->base, listener->fd) < 0)
    return -1;
  return event_io_source_set_want(&listener->source, EV_READ);
}

/* 0; the first time, which makes the timer's place, -1 when there is no memory. */
static int set_paused(struct evconnlistener *listener, bool is_paused) {
  struct timeval until_end = {0, PAUSE_USEC}, no_pause = {NO_PAUSE_SEC, 0};
  int by = is_paused - listener->is_paused;
  if (event_add(&listener->pause, is_paused ? &until_end : &no_pause) < 0) return -1;
  listener->is_paused = is_paused;
  if (by) event_base_keep_going(listener->base, by);
  return 0;
}

static void resume(struct evconnlistener *listener) {
  if (listener->is_paused) (void)set_paused(listener, false); /* the timer has its place */
}

void strata_listener_resume(struct evconnlistener *listener) {
  if (!strata_listener_hold(listener)) return;
  bool was_paused = listener->is_paused;
  resume(listener);
  if (was_paused && strata_listener_update(listener) < 0) {
    strata_log_errno(STRATA_LOG_WARN, "listener: resuming");
    strata_listener_pause(listener);
  }
  strata_listener_release(listener);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)what;
  strata_listener_resume(arg);
}

/* Nothing is lost: the kernel keeps the connections, and the readiness is remembered. */
void strata_listener_pause(struct evconnlistener *listener) {
  (void)set_paused(listener, true); /* the timer has its place */
  (void)strata_listener_update(listener);
}

/* As one that neither counts as an event of the program's nor keeps the loop going. 0 or -1. */
static int start_timer(struct evconnlistener *listener) {
  event_assign(&listener->pause, listener->base, -1, EV_PERSIST, on_pause_over, listener);
  listener->pause.ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
  return set_paused(listener, false);
}

/* Whether an error that stays is reported again and again. */
static bool is_repeated(const struct evconnlistener *listener) {
  return listener->uses_port || !(event_base_get_features(listener->base) & EV_FEATURE_ET);
}

static bool is_relieved(struct evconnlistener *listener, int error) {
  strata_listener_relief relief = listener->relief;
  void *arg = listener->relief_arg;
  bool is_in_vain = listener->is_relieved;
  listener->is_relieved = false;
  if (!relief || !strata_error_exhausted(error) || is_in_vain) return false;
  /* Before the call, which may have the listener accept again. */
  listener->is_relieved = true;
  strata_lock_release(listener->lock);
  bool result = relief(listener, arg) != 0;
  strata_lock_acquire(listener->lock);
  if (!result) listener->is_relieved = false;
  return result;
}

void strata_listener_report_error(struct evconnlistener *listener, int error) {
  if (strata_error_exhausted(error) || is_repeated(listener)) strata_listener_pause(listener);
  if (is_relieved(listener, error)) return;
  evconnlistener_errorcb callback = listener->error_callback;
  void *arg = listener->arg;
  if (!callback) {
    strata_log(STRATA_LOG_WARN, "listener: accept: %s", evutil_socket_error_to_string(error));
    return;
  }
  strata_lock_release(listener->lock);
  EVUTIL_SET_SOCKET_ERROR(error);
  callback(listener, arg);
  strata_lock_acquire(listener->lock);
}

void strata_listener_hand_over(struct evconnlistener *listener, evutil_socket_t fd,
                               struct sockaddr *address, int address_len) {
  evconnlistener_cb callback = listener->callback;
  void *arg = listener->arg;
  listener->is_relieved = false;
  strata_lock_release(listener->lock);
  callback(listener, fd, address, address_len, arg);
  strata_lock_acquire(listener->lock);
}

int strata_listener_socket_flags(const struct evconnlistener *listener) {
  int flags = 0;
  if (!(listener->flags & LEV_OPT_LEAVE_SOCKETS_BLOCKING)) flags |= STRATA_SOCK_NONBLOCK;
  if (listener->flags & LEV_OPT_CLOSE_ON_EXEC) flags |= STRATA_SOCK_CLOEXEC;
  return flags;
}

/* Accepts one connection. False when the turn is over for this listener. */
static bool accept_one(struct evconnlistener *listener) {
  struct sockaddr_storage address;
  ev_socklen_t address_len = sizeof(address);
  /* An unnamed AF_UNIX peer leaves most of it unset. */
  memset(&address, 0, sizeof(address));
  evutil_socket_t fd = strata_accept4(listener->fd, (struct sockaddr *)&address, &address_len,
                                      strata_listener_socket_flags(listener));
  if (fd >= 0) {
    strata_listener_hand_over(listener, fd, (struct sockaddr *)&address, (int)address_len);
    return true;
  }
  int error = EVUTIL_SOCKET_ERROR();
  if (strata_error_would_block(error)) {
    event_io_source_clear_ready(&listener->source, EV_READ | STRATA_EV_HANGUP);
    return false;
  }
  if (strata_error_accept_retriable(error)) return true;
  /* An error that stays must not spin: it is told once for each report of the kernel, or pause. */
  event_io_source_clear_ready(&listener->source,
                              strata_error_exhausted(error) ? 0 : EV_READ | STRATA_EV_HANGUP);
  strata_listener_report_error(listener, error);
  return false;
}

static void serve_readiness(struct evconnlistener *listener) {
  for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
    if (!(listener->source.want & EV_READ) || !accept_one(listener)) break;
  }
  /* What is left in the backlog has its turn after the others. */
  if (event_io_source_is_attached(&listener->source)) (void)strata_listener_update(listener);
}

static void serve(struct event_callback *task, void *arg) {
  struct evconnlistener *listener = arg;
  (void)task;
  if (!strata_listener_hold(listener)) return;
  if (listener->uses_port)
    strata_accepts_serve(listener);
  else
    serve_readiness(listener);
  strata_listener_release(listener);
}

struct evconnlistener *evconnlistener_new(struct event_base *base, evconnlistener_cb callback,
                                          void *arg, unsigned flags, int backlog,
                                          evutil_socket_t fd) {
  if (backlog && listen(fd, backlog > 0 ? backlog : DEFAULT_BACKLOG) < 0) return NULL;
  struct evconnlistener *listener = strata_calloc(1, sizeof(*listener));
  if (!listener) {
    strata_errno_to_socket_error();
    return NULL;
  }
  listener->base = base;
  listener->fd = fd;
  listener->callback = callback;
  listener->arg = arg;
  listener->flags = flags;
  listener->num_refs = 1;
  listener->source.fd = -1;
  listener->uses_port = event_base_port_features(base) != 0;
  if (flags & LEV_OPT_THREADSAFE &&
      strata_lock_init(&listener->lock, EVTHREAD_LOCKTYPE_RECURSIVE) < 0) {
    strata_free(listener);
    return NULL;
  }
  event_callback_init(&listener->source.task, event_base_get_npriorities(base) / 2, serve,
                      listener);
  if (start_timer(listener) < 0 ||
      (!(flags & LEV_OPT_DISABLED) && evconnlistener_enable(listener) < 0)) {
    int error = strata_error_from_errno(errno);
    listener->flags &= ~LEV_OPT_CLOSE_ON_FREE; /* the caller still owns it */
    evconnlistener_free(listener);
    EVUTIL_SET_SOCKET_ERROR(error);
    return NULL;
  }
  return listener;
}

#ifdef _WIN32
/* Keeps others from the port until all connections that were accepted on it are gone, as Unix does
 * of itself. Otherwise any program could bind it anew by force, and a listener's successor at once
 * ("Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE" in Microsoft's documentation). */
static int make_exclusive(evutil_socket_t fd) {
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (void *)&on, sizeof(on));
}
#else
static int make_exclusive(evutil_socket_t fd) {
  (void)fd;
  return 0;
}
#endif

static int set_port_options(evutil_socket_t fd, unsigned flags) {
  int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, (void *)&on, sizeof(on)) < 0) return -1;
  if (flags & (LEV_OPT_REUSEABLE | LEV_OPT_REUSEABLE_PORT)) return 0;
  return make_exclusive(fd);
}

static int set_bind_options(evutil_socket_t fd, int family, unsigned flags) {
  if (family != AF_UNIX && set_port_options(fd, flags) < 0) return -1;
  if (flags & LEV_OPT_REUSEABLE && evutil_make_listen_socket_reuseable(fd) < 0) return -1;
  if (flags & LEV_OPT_REUSEABLE_PORT && evutil_make_listen_socket_reuseable_port(fd) < 0) return -1;
  if (flags & LEV_OPT_DEFERRED_ACCEPT && evutil_make_tcp_listen_socket_deferred(fd) < 0) return -1;
  if (flags & LEV_OPT_BIND_IPV6ONLY && evutil_make_listen_socket_ipv6only(fd) < 0) return -1;
  if (flags & LEV_OPT_BIND_IPV4_AND_IPV6 && evutil_make_listen_socket_not_ipv6only(fd) < 0)
    return -1;
  return 0;
}

struct evconnlistener *evconnlistener_new_bind(struct event_base *base, evconnlistener_cb callback,
                                               void *arg, unsigned flags, int backlog,
                                               const struct sockaddr *address, int address_len) {
  if (backlog == 0) return NULL;
  int family = address ? address->sa_family : AF_UNSPEC;
  int socket_flags = STRATA_SOCK_NONBLOCK;
  if (flags & LEV_OPT_CLOSE_ON_EXEC) socket_flags |= STRATA_SOCK_CLOEXEC;
  evutil_socket_t fd = strata_socket_new(family, SOCK_STREAM, 0, socket_flags);
  if (fd < 0) return NULL;
  struct evconnlistener *listener = NULL;
  if (set_bind_options(fd, family, flags) == 0 &&
      (!address || bind(fd, address, (ev_socklen_t)address_len) == 0))
    listener = evconnlistener_new(base, callback, arg, flags, backlog, fd);
  if (!listener) {
    int error = EVUTIL_SOCKET_ERROR();
    evutil_closesocket(fd);
    EVUTIL_SET_SOCKET_ERROR(error);
  }
  return listener;
}

void evconnlistener_free(struct evconnlistener *listener) {
  strata_lock_acquire(listener->lock);
  listener->callback = NULL;
  listener->error_callback = NULL;
  listener->relief = NULL;
  resume(listener);
  if (listener->uses_port) strata_accepts_end(listener);
  /* At once, though a running callback may hold the object a little longer: the caller may close
   * the descriptor now, and its number have a new owner before that. */
  event_io_source_detach(&listener->source);
  strata_listener_release(listener);
}

static int set_enabled(struct evconnlistener *listener, bool is_enabled) {
  strata_lock_acquire(listener->lock);
  listener->is_enabled = is_enabled;
  if (!is_enabled) resume(listener);
  int result = strata_listener_update(listener);
  if (result < 0) listener->is_enabled = false;
  strata_lock_release(listener->lock);
  return result;
}

int evconnlistener_enable(struct evconnlistener *listener) {
  return set_enabled(listener, true);
}

int evconnlistener_disable(struct evconnlistener *listener) {
  return set_enabled(listener, false);
}

struct event_base *evconnlistener_get_base(struct evconnlistener *listener) {
  return listener->base;
}

evutil_socket_t evconnlistener_get_fd(struct evconnlistener *listener) {
  return listener->fd;
}

void evconnlistener_set_cb(struct evconnlistener *listener, evconnlistener_cb callback, void *arg) {
  strata_lock_acquire(listener->lock);
  listener->callback = callback;
  listener->arg = arg;
  if (strata_listener_update(listener) < 0)
    strata_log_errno(STRATA_LOG_WARN, "evconnlistener_set_cb");
  strata_lock_release(listener->lock);
}

void evconnlistener_set_error_cb(struct evconnlistener *listener, evconnlistener_errorcb errorcb) {
  strata_lock_acquire(listener->lock);
  listener->error_callback = errorcb;
  strata_lock_release(listener->lock);
}

void strata_listener_set_relief(struct evconnlistener *listener, strata_listener_relief relief,
                                void *arg) {
  strata_lock_acquire(listener->lock);
  listener->relief = relief;
  listener->relief_arg = arg;
  strata_lock_release(listener->lock);
}

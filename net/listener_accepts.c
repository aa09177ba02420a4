#include <errno.h>
#include <string.h>

#include <event2/util.h>

#include "net/listener_internal.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/socket.h"

/* A listener over a completion port (loop/completion.h). How many accepts are outstanding adapts
 * to the rush: whenever all of them were used up before the first could be launched again, there
 * will be twice as many. Each brings one connection a turn, which bounds what a turn accepts.
 *
 * Connections that come while the listener is disabled wait here, and are closed when it is freed.
 */

#define MAX_ACCEPTS 16

struct listener_accept {
  struct event_operation operation;
  struct listener_accept *next;
  struct evconnlistener *listener;
  evutil_socket_t fd; /* of a connection that waits, or -1 */
  ev_socklen_t address_len;
  bool is_in_flight, is_cancelled;
  struct sockaddr_storage address;
};

static void close_waiting(struct listener_accept *accept) {
  if (accept->fd >= 0) evutil_closesocket(accept->fd);
  accept->fd = -1;
}

static void hand_over(struct listener_accept *accept) {
  evutil_socket_t fd = accept->fd;
  accept->fd = -1;
  strata_listener_hand_over(accept->listener, fd, (struct sockaddr *)&accept->address,
                            (int)accept->address_len);
}

static int launch(struct listener_accept *accept) {
  struct evconnlistener *listener = accept->listener;
  struct event_operation *operation = &accept->operation;
  /* An unnamed AF_UNIX peer leaves most of it unset. */
  memset(&accept->address, 0, sizeof(accept->address));
  operation->fd = listener->fd;
  operation->address = (struct sockaddr *)&accept->address;
  operation->address_len = sizeof(accept->address);
  accept->is_cancelled = false;
  if (event_operation_launch(operation, listener->base) < 0) return -1;
  accept->is_in_flight = true;
  listener->num_in_flight++;
  listener->num_refs++;
  return 0;
}

static void cancel_all(struct evconnlistener *listener) {
  for (struct listener_accept *accept = listener->accepts; accept; accept = accept->next) {
    if (!accept->is_in_flight || accept->is_cancelled) continue;
    accept->is_cancelled = true;
    event_operation_cancel(&accept->operation);
  }
}

static void on_accepted(struct event_operation *operation);

static int add_accept(struct evconnlistener *listener) {
  struct listener_accept *accept = strata_calloc(1, sizeof(*accept));
  if (!accept) return -1;
  event_operation_init(&accept->operation, listener->source.task.evcb_pri, on_accepted);
  accept->operation.kind = EVENT_OPERATION_ACCEPT;
  accept->listener = listener;
  accept->fd = -1;
  accept->next = listener->accepts;
  listener->accepts = accept;
  listener->num_accepts++;
  return 0;
}

/* They have completed, though the functions of some are still to run. */
static bool are_all_used_up(const struct evconnlistener *listener) {
  const struct listener_accept *accept = listener->accepts;
  while (accept && !event_operation_is_in_flight(&accept->operation)) accept = accept->next;
  return !accept;
}

/* Goes on with fewer when there is no memory. */
static void add_accepts(struct evconnlistener *listener) {
  int num_wanted = 2 * listener->num_accepts;
  if (num_wanted > MAX_ACCEPTS) num_wanted = MAX_ACCEPTS;
  while (listener->num_accepts < num_wanted && add_accept(listener) == 0) continue;
}

/* --- Completions --- */

static void take_connection(struct listener_accept *accept) {
  struct evconnlistener *listener = accept->listener;
  accept->fd = (evutil_socket_t)accept->operation.result;
  accept->address_len = accept->operation.address_len;
  if (strata_socket_drop_flags(accept->fd, strata_listener_socket_flags(listener)) < 0 ||
      listener->has_ended)
    close_waiting(accept);
  else if (strata_listener_accepts(listener) && event_base_port_features(listener->base))
    hand_over(accept);
}

static void take_error(struct listener_accept *accept) {
  struct evconnlistener *listener = accept->listener;
  int error = accept->operation.error;
  if (error == STRATA_OPERATION_CANCELLED || strata_error_accept_retriable(error)) return;
  /* While it is paused the others fail for the same reason. */
  if (strata_listener_accepts(listener) && event_base_port_features(listener->base))
    strata_listener_report_error(listener, error);
}

static void on_accepted(struct event_operation *operation) {
  struct listener_accept *accept =
      STRATA_CONTAINER_OF(operation, struct listener_accept, operation);
  struct evconnlistener *listener = accept->listener;
  strata_lock_acquire(listener->lock);
  bool is_rush = operation->result >= 0 && are_all_used_up(listener);
  accept->is_in_flight = false;
  listener->num_in_flight--;
  if (operation->result >= 0)
    take_connection(accept);
  else
    take_error(accept);
  if (is_rush) add_accepts(listener);
  if (!listener->has_ended && event_base_port_features(listener->base) &&
      strata_listener_update(listener) < 0) {
    strata_log_errno(STRATA_LOG_WARN, "listener: accepting");
    strata_listener_pause(listener);
  }
  strata_listener_release(listener);
}

/* --- What is wanted --- */

static int launch_all(struct evconnlistener *listener) {
  bool waits = false;
  for (struct listener_accept *accept = listener->accepts; accept; accept = accept->next) {
    waits |= accept->fd >= 0;
    if (accept->fd >= 0 || accept->is_in_flight || launch(accept) == 0) continue;
    /* One is enough; nothing is accepted any more when the base is being freed. */
    if (!listener->num_in_flight && errno != ECANCELED) return -1;
  }
  if (waits)
    event_executor_schedule((struct event_executor *)listener->base, &listener->source.task);
  return 0;
}

static void set_keeps_going(struct evconnlistener *listener, bool keeps_going) {
  if (listener->keeps_going == keeps_going) return;
  listener->keeps_going = keeps_going;
  event_base_keep_going(listener->base, keeps_going ? 1 : -1);
}

int strata_accepts_update(struct evconnlistener *listener, bool accepts) {
  set_keeps_going(listener, accepts);
  if (!accepts) {
    cancel_all(listener);
    return 0;
  }
  if ((listener->accepts || add_accept(listener) == 0) && launch_all(listener) == 0) return 0;
  int error = errno;
  set_keeps_going(listener, false);
  errno = error;
  return -1;
}

void strata_accepts_serve(struct evconnlistener *listener) {
  for (struct listener_accept *accept = listener->accepts; accept; accept = accept->next)
    if (accept->fd >= 0 && strata_listener_accepts(listener)) hand_over(accept);
  if (!listener->has_ended && strata_listener_update(listener) < 0) strata_listener_pause(listener);
}

/* --- The end --- */

void strata_accepts_end(struct evconnlistener *listener) {
  listener->has_ended = true;
  set_keeps_going(listener, false);
  cancel_all(listener);
  event_executor_cancel((struct event_executor *)listener->base, &listener->source.task);
  for (struct listener_accept *accept = listener->accepts; accept; accept = accept->next)
    close_waiting(accept);
  /* Cancelled accepts hold the listener, whose end would close it, until the loop turns again:
   * nobody is to be taken into its backlog until then. */
  if (listener->num_in_flight) strata_listener_close_socket(listener);
}

void strata_accepts_free(struct evconnlistener *listener) {
  struct listener_accept *accept = listener->accepts;
  while (accept) {
    struct listener_accept *next = accept->next;
    close_waiting(accept);
    strata_free(accept);
    accept = next;
  }
}

#include <errno.h>
#include <string.h>

#include "loop/active.h"
#include "loop/base.h"
#include "loop/completion.h"
#include "loop/operations.h"

/* Without memory, when a base is freed. */
#define MAX_FAILED_WAITS 100

/* event_operation_is_pending() looks at it without the lock. */
static void set_link(struct event_operation *operation, struct event_operation **link) {
  __atomic_store_n(&operation->link, link, __ATOMIC_RELAXED);
}

static void link_operation(struct event_operation *operation) {
  struct event_base *base = operation->base;
  operation->next = base->operations;
  if (operation->next) set_link(operation->next, &operation->next);
  set_link(operation, &base->operations);
  base->operations = operation;
}

static void unlink_operation(struct event_operation *operation) {
  *operation->link = operation->next;
  if (operation->next) set_link(operation->next, operation->link);
  set_link(operation, NULL);
}

static void append_result(struct event_operation *operation, struct event_received *received) {
  received->next = NULL;
  if (!operation->first_result) operation->last_result = &operation->first_result;
  *operation->last_result = received;
  operation->last_result = &received->next;
}

/* The oldest result, which the function will see. The task is queued again for the next one, behind
 * what waits there. */
static void take_result(struct event_operation *operation) {
  struct event_received *received = operation->first_result;
  operation->first_result = received->next;
  operation->received = received;
  operation->result = (ev_ssize_t)received->len;
  operation->error = 0;
  operation->is_last = false;
  struct event_base *base = operation->base;
  if (operation->is_in_flight && base->port->taken)
    base->port->taken(base->backend_state, operation);
  if (operation->first_result || !operation->is_in_flight)
    event_active_queue_push(base, &operation->task);
}

/* Base lock held; the function runs next. */
static void begin_function(struct event_operation *operation) {
  if (operation->first_result) {
    take_result(operation);
    return;
  }
  operation->is_last = true;
  if (operation->repeats) {
    operation->received = NULL;
    operation->error = operation->end_error;
    operation->result = operation->error ? -1 : 0;
  }
  unlink_operation(operation);
}

static void run(struct event_callback *task, void *arg) {
  (void)task;
  struct event_operation *operation = arg;
  struct event_base *base = operation->base;
  event_base_lock(base);
  begin_function(operation);
  event_base_unlock(base);
  operation->function(operation);
}

void event_operation_init(struct event_operation *operation, int priority,
                          event_operation_fn function) {
  memset(operation, 0, sizeof(*operation));
  event_callback_init(&operation->task, priority, run, operation);
  operation->function = function;
  event_operation_forget_socket(operation);
}

static int launch(struct event_operation *operation, struct event_base *base) {
  if (!base->port || base->is_closing) {
    errno = base->port ? ECANCELED : ENOTSUP;
    return -1;
  }
  /* Another thread may be cancelling it, and finds the same base. */
  if (operation->base != base) operation->base = base;
  operation->received = NULL;
  operation->is_last = true;
  operation->is_in_flight = true;
  if (base->port->launch(base->backend_state, operation) < 0) {
    operation->is_in_flight = false;
    return -1;
  }
  link_operation(operation);
  /* Another thread's wait may have begun without it. */
  event_base_notify(base);
  return 0;
}

int event_operation_launch(struct event_operation *operation, struct event_base *base) {
  event_base_lock(base);
  int result = launch(operation, base);
  event_base_unlock(base);
  return result;
}

void event_operation_cancel(struct event_operation *operation) {
  if (!event_operation_is_pending(operation)) return; /* the base may be gone */
  struct event_base *base = operation->base;
  event_base_lock(base);
  if (operation->is_in_flight) {
    base->port->cancel(base->backend_state, operation);
    event_base_notify(base);
  }
  event_base_unlock(base);
}

bool event_operation_is_in_flight(const struct event_operation *operation) {
  if (!event_operation_is_pending(operation)) return false; /* the base may be gone */
  event_base_lock(operation->base);
  bool is_in_flight = operation->is_in_flight;
  event_base_unlock(operation->base);
  return is_in_flight;
}

void event_base_keep_going(struct event_base *base, int by) {
  event_base_lock(base);
  event_base_add_virtual(base, by);
  event_base_unlock(base);
}

unsigned event_base_port_features(const struct event_base *base) {
  return base->port && !base->is_closing ? base->port->features | STRATA_PORT_PRESENT : 0;
}

void event_operation_complete(struct event_base *base, struct event_operation *operation) {
  operation->is_in_flight = false;
  event_active_queue_push(base, &operation->task);
}

void event_operation_add_result(struct event_base *base, struct event_operation *operation,
                                struct event_received *received) {
  append_result(operation, received);
  event_active_queue_push(base, &operation->task);
}

static void end_as_cancelled(struct event_base *base, struct event_operation *operation) {
  memset(operation->port_words, 0, sizeof(operation->port_words));
  operation->received = NULL;
  event_operation_set_end(operation, -1, STRATA_OPERATION_CANCELLED);
  event_operation_complete(base, operation);
}

/* In a child of fork(2) what is in flight is the parent's, and its memory there. Otherwise memory
 * may be short for a moment; after another failure, which leaves the kernel with what it has, -1.
 */
static int wait_for_kernel(struct event_base *base) {
  bool is_the_parents = base->port->is_inherited && base->port->is_inherited(base->backend_state);
  int num_failed = 0;
  struct event_operation *operation = base->operations;
  while (operation) {
    if (!operation->is_in_flight)
      operation = operation->next;
    else if (is_the_parents)
      end_as_cancelled(base, operation);
    else if (base->backend->wait(base->backend_state, 0, INT64_MAX, &base->sink) < 0 &&
             (errno != ENOMEM || ++num_failed == MAX_FAILED_WAITS))
      return -1;
  }
  return 0;
}

void event_operations_end_all(struct event_base *base) {
  base->is_closing = true;
  for (struct event_operation *operation = base->operations; operation; operation = operation->next)
    if (operation->is_in_flight) base->port->cancel(base->backend_state, operation);
  if (!base->operations || wait_for_kernel(base) < 0) return;
  /* Those that were complete already as well. Nothing new can be launched. */
  while (base->operations) {
    struct event_operation *operation = base->operations;
    event_active_queue_remove(base, &operation->task);
    begin_function(operation);
    event_base_unlock(base);
    operation->function(operation);
    event_base_lock(base);
  }
}

static bool only_takes(const struct event_operation *operation) {
  return operation->kind == EVENT_OPERATION_RECV || operation->kind == EVENT_OPERATION_ACCEPT;
}

void event_operations_begin_again(struct event_base *base) {
  struct event_operation *operation = base->operations;
  for (; operation; operation = operation->next) {
    if (!operation->is_in_flight) continue;
    if (only_takes(operation) && base->port->launch(base->backend_state, operation) == 0) continue;
    end_as_cancelled(base, operation);
  }
}

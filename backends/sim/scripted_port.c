#include "backends/sim/scripted_port.h"

#include <errno.h>
#include <string.h>

#include "loop/readiness.h"
#include "util/log.h"
#include "util/memory.h"

/* The port's words in an operation. */
enum { WORD_STATE, WORD_IS_CANCELLED, WORD_NUMBER };
enum { NOT_LAUNCHED, PENDING, ENDED };

struct operation_list {
  struct event_operation *first, **last;
};

struct scripted_received;

struct strata_scripted_port {
  struct strata_sim *sim;
  unsigned features;
  struct operation_list pending, ended;
  struct scripted_received *first_result, **last_result; /* of operations that repeat */
  int refusal;
  bool has_refused;
  long num_launched, num_received;
};

/* What init() makes. */
struct scripted_state {
  struct strata_scripted_port *port;
  void *sim_state;
};

struct scripted_received {
  struct event_received received; /* first */
  struct strata_scripted_port *port;
  struct event_operation *operation; /* while it is a result that was not reported */
  struct scripted_received *next;
  char bytes[];
};

static _Thread_local struct strata_scripted_port *current_port;

/* --- Lists --- */

static void clear(struct operation_list *list) {
  list->first = NULL;
  list->last = &list->first;
}

static void append(struct operation_list *list, struct event_operation *operation) {
  operation->next_waiting = NULL;
  *list->last = operation;
  list->last = &operation->next_waiting;
}

static void take_out(struct operation_list *list, struct event_operation *operation) {
  struct event_operation **link = &list->first;
  while (*link != operation) link = &(*link)->next_waiting;
  *link = operation->next_waiting;
  if (!*link) list->last = link;
}

/* --- The test's side --- */

struct strata_scripted_port *strata_scripted_port_new(struct strata_sim *sim, unsigned features) {
  struct strata_scripted_port *port = strata_calloc(1, sizeof(*port));
  if (!port) return NULL;
  port->sim = sim;
  port->features = features;
  clear(&port->pending);
  clear(&port->ended);
  port->last_result = &port->first_result;
  return port;
}

void strata_scripted_port_free(struct strata_scripted_port *port) {
  strata_assert(!port->pending.first && !port->ended.first && !port->num_received);
  strata_free(port);
}

struct event_operation *strata_scripted_first(const struct strata_scripted_port *port) {
  return port->pending.first;
}

struct event_operation *strata_scripted_next(const struct event_operation *operation) {
  return operation->next_waiting;
}

long strata_scripted_number(const struct event_operation *operation) {
  return (long)operation->port_words[WORD_NUMBER];
}

bool strata_scripted_is_cancelled(const struct event_operation *operation) {
  return operation->port_words[WORD_IS_CANCELLED] != 0;
}

void strata_scripted_finish(struct strata_scripted_port *port, struct event_operation *operation,
                            ev_ssize_t result, int error) {
  strata_assert(operation->port_words[WORD_STATE] == PENDING);
  strata_assert(!operation->repeats || result <= 0);
  take_out(&port->pending, operation);
  operation->port_words[WORD_STATE] = ENDED;
  event_operation_set_end(operation, result, error);
  append(&port->ended, operation);
}

static void release(struct event_received *received) {
  struct scripted_received *own = (struct scripted_received *)received;
  own->port->num_received--;
  strata_free(own);
}

int strata_scripted_receive(struct strata_scripted_port *port, struct event_operation *operation,
                            const void *data, size_t len) {
  strata_assert(operation->kind == EVENT_OPERATION_RECV && !operation->num_spans && len);
  strata_assert(!operation->max_len || len <= operation->max_len);
  struct scripted_received *own = strata_calloc(1, sizeof(*own) + len);
  if (!own) return -1;
  memcpy(own->bytes, data, len);
  own->received.data = own->bytes;
  own->received.len = len;
  own->received.release = release;
  own->port = port;
  port->num_received++;
  if (operation->repeats) {
    own->operation = operation;
    *port->last_result = own;
    port->last_result = &own->next;
  } else {
    operation->received = &own->received;
    strata_scripted_finish(port, operation, (ev_ssize_t)len, 0);
  }
  return 0;
}

void strata_scripted_refuse(struct strata_scripted_port *port, int error) {
  port->refusal = error;
}

bool strata_scripted_has_refused(const struct strata_scripted_port *port) {
  return port->has_refused;
}

long strata_scripted_num_received(const struct strata_scripted_port *port) {
  return port->num_received;
}

/* --- The loop's side: the port --- */

static int scripted_launch(void *opaque, struct event_operation *operation) {
  struct strata_scripted_port *port = ((struct scripted_state *)opaque)->port;
  strata_assert(operation->port_words[WORD_STATE] == NOT_LAUNCHED);
  strata_assert(!operation->repeats ||
                (port->features & STRATA_PORT_REPEATS && !operation->max_len));
  strata_assert(operation->num_spans || operation->kind != EVENT_OPERATION_RECV ||
                port->features & STRATA_PORT_PROVIDES_MEMORY);
  if (port->refusal) {
    port->has_refused = true;
    errno = port->refusal;
    return -1;
  }
  operation->port_words[WORD_STATE] = PENDING;
  operation->port_words[WORD_NUMBER] = ++port->num_launched;
  append(&port->pending, operation);
  return 0;
}

static void scripted_cancel(void *opaque, struct event_operation *operation) {
  (void)opaque;
  if (operation->port_words[WORD_STATE] == PENDING) operation->port_words[WORD_IS_CANCELLED] = 1;
}

static void end_cancelled(struct strata_scripted_port *port) {
  struct event_operation *operation = port->pending.first;
  while (operation) {
    struct event_operation *next = operation->next_waiting;
    if (strata_scripted_is_cancelled(operation))
      strata_scripted_finish(port, operation, -1, STRATA_OPERATION_CANCELLED);
    operation = next;
  }
}

static void report_results(struct strata_scripted_port *port, struct event_readiness_sink *sink) {
  struct scripted_received *own;
  while ((own = port->first_result) != NULL) {
    port->first_result = own->next;
    sink->add_result(sink, own->operation, &own->received);
  }
  port->last_result = &port->first_result;
}

static bool report(struct strata_scripted_port *port, struct event_readiness_sink *sink) {
  struct event_operation *operation;
  bool has_any = port->ended.first || port->first_result;
  report_results(port, sink);
  while ((operation = port->ended.first) != NULL) {
    take_out(&port->ended, operation);
    operation->next_waiting = NULL;
    memset(operation->port_words, 0, sizeof(operation->port_words));
    sink->complete(sink, operation);
  }
  return has_any;
}

/* --- The backend: the sim's, and the port beside it --- */

static void *scripted_init(int config_flags) {
  if (!current_port) return NULL;
  struct scripted_state *state = strata_malloc(sizeof(*state));
  if (!state) return NULL;
  state->port = current_port;
  state->sim_state = event_sim_ops.init(config_flags);
  if (state->sim_state) return state;
  strata_free(state);
  return NULL;
}

static void scripted_destroy(void *opaque) {
  struct scripted_state *state = opaque;
  event_sim_ops.destroy(state->sim_state);
  strata_free(state);
}

static int64_t scripted_now(void *opaque) {
  return event_sim_ops.now(((struct scripted_state *)opaque)->sim_state);
}

static int scripted_change(void *opaque, const struct event_readiness_change *change) {
  return event_sim_ops.change(((struct scripted_state *)opaque)->sim_state, change);
}

static int scripted_wait(void *opaque, int64_t now_ns, int64_t deadline_ns,
                         struct event_readiness_sink *sink) {
  struct scripted_state *state = opaque;
  if (!state->port->ended.first && !state->port->first_result && deadline_ns > now_ns)
    end_cancelled(state->port);
  if (report(state->port, sink)) deadline_ns = now_ns;
  return event_sim_ops.wait(state->sim_state, now_ns, deadline_ns, sink);
}

#define FEATURES                                                             \
  (EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_FDS | EV_FEATURE_EARLY_CLOSE | \
   STRATA_READINESS_LIVE_CHANGES)

#define PORT_OPS(port_features) \
  { .features = (port_features), .launch = scripted_launch, .cancel = scripted_cancel }
#define BACKEND_OPS(index)                                                                      \
  {                                                                                             \
    .name = "scripted", .features = FEATURES, .init = scripted_init, .change = scripted_change, \
    .wait = scripted_wait, .destroy = scripted_destroy, .now = scripted_now,                    \
    .port = &port_ops[index]                                                                    \
  }

/* By features_index(): each set of features is a table of its own. */
#define SENDS STRATA_PORT_SENDS_AT_ONCE
#define REPEATS STRATA_PORT_REPEATS
#define MEMORY STRATA_PORT_PROVIDES_MEMORY
static const struct event_port_ops port_ops[] = {PORT_OPS(0),
                                                 PORT_OPS(MEMORY),
                                                 PORT_OPS(SENDS),
                                                 PORT_OPS(SENDS | MEMORY),
                                                 PORT_OPS(REPEATS),
                                                 PORT_OPS(REPEATS | MEMORY),
                                                 PORT_OPS(REPEATS | SENDS),
                                                 PORT_OPS(REPEATS | SENDS | MEMORY)};
static const struct event_readiness_ops backend_ops[] = {
    BACKEND_OPS(0), BACKEND_OPS(1), BACKEND_OPS(2), BACKEND_OPS(3),
    BACKEND_OPS(4), BACKEND_OPS(5), BACKEND_OPS(6), BACKEND_OPS(7)};

static int features_index(unsigned features) {
  return (features & MEMORY ? 1 : 0) + (features & SENDS ? 2 : 0) + (features & REPEATS ? 4 : 0);
}

struct event_base *strata_scripted_base_new(struct strata_scripted_port *port) {
  const struct event_readiness_ops *const backends[] = {
      &backend_ops[features_index(port->features)], NULL};
  struct event_config *config = event_config_new();
  if (!config) return NULL;
  (void)event_config_set_flag(config, EVENT_BASE_FLAG_COMPLETION | EVENT_BASE_FLAG_IGNORE_ENV);
  strata_sim_make_current(port->sim);
  current_port = port;
  struct event_base *base = event_base_new_with_backends(config, backends);
  current_port = NULL;
  event_config_free(config);
  return base;
}

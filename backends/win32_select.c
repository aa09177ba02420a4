/* An fd_set of Winsock is a count and an array of sockets; FD_SETSIZE is only how long the array is
 * in the declaration ("select function", "winsock2.h header"). */
#include "backends/win32_select.h"

#include <winsock2.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "backends/socket_table.h"
#include "util/clock.h"
#include "util/memory.h"

#define MAX_WAIT_MS 1000000000

/* As fd_set, of any length. */
struct socket_set {
  u_int num;
  SOCKET sockets[];
};

/* What is waited for: the copy that wait() works on while the lock is released. */
struct waited {
  struct socket_table table;
  struct socket_set *read, *write, *failed; /* as many sockets as the table has places */
};

struct win32_select_state {
  bool has_changed;          /* `asked` is not what `waited` was copied from */
  struct socket_table asked; /* as change() leaves it */
  struct waited waited;
  struct waited roomier; /* takes the place of `waited` before the next wait; or empty */
};

static struct socket_set *set_new(int capacity) {
  return strata_malloc(sizeof(struct socket_set) + (size_t)capacity * sizeof(SOCKET));
}

static void waited_free(struct waited *waited) {
  struct socket_set *sets[] = {waited->read, waited->write, waited->failed};
  for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
    if (sets[i]) strata_free(sets[i]);
  socket_table_clear(&waited->table);
  memset(waited, 0, sizeof(*waited));
}

static int waited_alloc(struct waited *out_waited, const struct socket_table *from) {
  memset(out_waited, 0, sizeof(*out_waited));
  if (socket_table_make_roomier(&out_waited->table, from) < 0) return -1;
  int capacity = out_waited->table.capacity;
  out_waited->read = set_new(capacity);
  out_waited->write = set_new(capacity);
  out_waited->failed = set_new(capacity);
  if (out_waited->read && out_waited->write && out_waited->failed) return 0;
  waited_free(out_waited);
  return -1;
}

static void win32_select_destroy(void *opaque) {
  struct win32_select_state *state = opaque;
  socket_table_clear(&state->asked);
  waited_free(&state->waited);
  waited_free(&state->roomier);
  strata_free(state);
}

static void *win32_select_init(int config_flags) {
  (void)config_flags; /* there is nothing more precise */
  return strata_calloc(1, sizeof(struct win32_select_state));
}

/* Makes the room for the copy here as well, so that wait() cannot fail for want of memory. The old
 * copy may be in the system's hands. */
static int grow(struct win32_select_state *state) {
  struct socket_table asked;
  struct waited roomier;
  if (socket_table_make_roomier(&asked, &state->asked) < 0) return -1;
  if (waited_alloc(&roomier, &state->asked) < 0) {
    socket_table_clear(&asked);
    return -1;
  }
  socket_table_clear(&state->asked);
  waited_free(&state->roomier);
  state->asked = asked;
  state->roomier = roomier;
  return 0;
}

static bool is_socket(evutil_socket_t fd) {
  int type, type_len = sizeof(type);
  return getsockopt((SOCKET)fd, SOL_SOCKET, SO_TYPE, (char *)&type, &type_len) == 0 ||
         WSAGetLastError() != WSAENOTSOCK;
}

static struct socket_entry *find_or_add(struct win32_select_state *state, evutil_socket_t fd) {
  struct socket_entry *entry = socket_table_find(&state->asked, fd);
  if (entry && entry->mask) return entry;
  if (!is_socket(fd)) {
    errno = EBADF;
    return NULL;
  }
  if (entry) return entry;
  if (socket_table_is_full(&state->asked) && grow(state) < 0) return NULL;
  return socket_table_put(&state->asked, fd);
}

static void forget(struct win32_select_state *state, evutil_socket_t fd) {
  struct socket_entry *entry = socket_table_find(&state->asked, fd);
  if (!entry) return;
  entry->mask = 0;
  state->has_changed = true;
}

static int win32_select_change(void *opaque, const struct event_readiness_change *change) {
  struct win32_select_state *state = opaque;
  short mask = change->new_mask & (EV_READ | EV_WRITE);
  if (!mask) {
    forget(state, change->fd);
    return 0;
  }
  struct socket_entry *entry = find_or_add(state, change->fd);
  if (!entry) return -1;
  if (!entry->mask || entry->generation != change->generation) entry->is_connected = false;
  entry->mask = mask;
  entry->generation = change->generation;
  state->has_changed = true;
  return 0;
}

static void copy_asked(struct win32_select_state *state) {
  if (!state->has_changed) return;
  if (state->roomier.table.capacity) {
    waited_free(&state->waited);
    state->waited = state->roomier;
    memset(&state->roomier, 0, sizeof(state->roomier));
  }
  socket_table_copy(&state->waited.table, &state->asked);
  state->has_changed = false;
}

static void put(struct socket_set *set, evutil_socket_t fd) {
  set->sockets[set->num++] = (SOCKET)fd;
}

/* select() answers in the sets that it is asked with. False when nothing is asked. */
static bool fill_sets(struct waited *waited) {
  if (!waited->table.capacity) return false;
  waited->read->num = waited->write->num = waited->failed->num = 0;
  for (int i = 0; i < waited->table.capacity; i++) {
    struct socket_entry *entry = &waited->table.entries[i];
    entry->ready = 0;
    if (entry->mask & EV_READ) put(waited->read, entry->fd_plus_one - 1);
    if (!(entry->mask & EV_WRITE)) continue;
    put(waited->write, entry->fd_plus_one - 1);
    if (!entry->is_connected) put(waited->failed, entry->fd_plus_one - 1);
  }
  return waited->read->num || waited->write->num;
}

static int to_ms(int64_t timeout_ns) {
  int64_t ms = timeout_ns / STRATA_NS_PER_MS + (timeout_ns % STRATA_NS_PER_MS != 0);
  return ms > MAX_WAIT_MS ? MAX_WAIT_MS : (int)ms;
}

/* A timeout below 0 is none. The number of ready sockets, or -1 with a Winsock error. */
static int wait_for(struct waited *waited, int64_t timeout_ns) {
  /* Whole milliseconds: what select() makes of a part of one is not said, and rounding it down
   * would have the loop spin. */
  int timeout_ms = timeout_ns < 0 ? 0 : to_ms(timeout_ns);
  if (!fill_sets(waited)) {
    /* select() refuses three empty sets. */
    Sleep(timeout_ns < 0 ? INFINITE : (DWORD)timeout_ms);
    return 0;
  }
  struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
  return select(0, (fd_set *)(void *)waited->read, (fd_set *)(void *)waited->write,
                (fd_set *)(void *)waited->failed, timeout_ns < 0 ? NULL : &timeout);
}

static void note_ready(struct waited *waited, const struct socket_set *set, short what) {
  for (u_int i = 0; i < set->num; i++)
    socket_table_find(&waited->table, (evutil_socket_t)set->sockets[i])->ready |= what;
}

static bool is_connected(evutil_socket_t fd) {
  struct sockaddr_storage peer;
  int len = sizeof(peer);
  return getpeername((SOCKET)fd, (struct sockaddr *)&peer, &len) == 0;
}

/* "Failed" are also those with out-of-band data (select, Remarks). They are connected, and would
 * end each wait at once: nobody looks at them there any more. */
static void note_failed(struct win32_select_state *state) {
  struct waited *waited = &state->waited;
  for (u_int i = 0; i < waited->failed->num; i++) {
    evutil_socket_t fd = (evutil_socket_t)waited->failed->sockets[i];
    struct socket_entry *entry = socket_table_find(&waited->table, fd);
    struct socket_entry *asked = socket_table_find(&state->asked, fd);
    entry->is_connected = entry->ready & EV_WRITE || is_connected(fd);
    if (!entry->is_connected)
      entry->ready |= EV_READ | EV_WRITE | STRATA_EV_HANGUP;
    else if (asked && asked->generation == entry->generation)
      asked->is_connected = true;
  }
}

static void report_ready(struct win32_select_state *state, struct event_readiness_sink *sink) {
  struct waited *waited = &state->waited;
  note_ready(waited, waited->read, EV_READ);
  note_ready(waited, waited->write, EV_WRITE);
  note_failed(state);
  for (int i = 0; i < waited->table.capacity; i++) {
    const struct socket_entry *entry = &waited->table.entries[i];
    if (entry->ready) sink->ready(sink, entry->fd_plus_one - 1, entry->generation, entry->ready);
  }
}

/* select() refuses to look at any socket when one is closed. Forgets the closed ones and looks at
 * the others. */
static int report_without_closed(struct win32_select_state *state,
                                 struct event_readiness_sink *sink) {
  struct waited *waited = &state->waited;
  for (int i = 0; i < waited->table.capacity; i++) {
    struct socket_entry *entry = &waited->table.entries[i];
    if (!entry->mask || is_socket(entry->fd_plus_one - 1)) continue;
    struct socket_entry *asked = socket_table_find(&state->asked, entry->fd_plus_one - 1);
    if (asked && asked->generation == entry->generation) asked->mask = 0;
    entry->mask = 0;
  }
  int num_ready = wait_for(waited, 0);
  if (num_ready > 0) report_ready(state, sink);
  /* Closed since, by another thread: seen in the next wait. */
  return num_ready >= 0 || WSAGetLastError() == WSAENOTSOCK ? 0 : -1;
}

static int win32_select_wait(void *opaque, int64_t now_ns, int64_t deadline_ns,
                             struct event_readiness_sink *sink) {
  struct win32_select_state *state = opaque;
  int64_t timeout_ns = event_readiness_timeout_ns(now_ns, deadline_ns);
  copy_asked(state);
  sink->unlock(sink);
  int num_ready = wait_for(&state->waited, timeout_ns);
  int error = num_ready < 0 ? WSAGetLastError() : 0;
  sink->lock(sink);
  if (num_ready > 0) report_ready(state, sink);
  if (num_ready >= 0 || error == WSAEINTR) return 0;
  if (error == WSAENOTSOCK && report_without_closed(state, sink) == 0) return 0;
  errno = error == WSAENOBUFS ? ENOMEM : EIO;
  return -1;
}

const struct event_readiness_ops event_win32_select_ops = {
    .name = "win32",
    .features = 0,
    .fork_needs_reinit = 0,
    .init = win32_select_init,
    .change = win32_select_change,
    .wait = win32_select_wait,
    .destroy = win32_select_destroy,
};

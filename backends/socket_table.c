#include "backends/socket_table.h"

#include <stddef.h>
#include <string.h>

#include "util/memory.h"
#include "util/socket.h"

#define MIN_CAPACITY 64

/* The socket's entry, or the free place where it would be. */
static struct socket_entry *place_of(const struct socket_table *table, evutil_socket_t fd) {
  const size_t last = (size_t)table->capacity - 1;
  size_t i = strata_socket_hash(fd) & last;
  while (table->entries[i].fd_plus_one && table->entries[i].fd_plus_one != fd + 1)
    i = (i + 1) & last;
  return &table->entries[i];
}

struct socket_entry *socket_table_find(const struct socket_table *table, evutil_socket_t fd) {
  if (!table->capacity) return NULL;
  struct socket_entry *entry = place_of(table, fd);
  return entry->fd_plus_one ? entry : NULL;
}

struct socket_entry *socket_table_put(struct socket_table *table, evutil_socket_t fd) {
  struct socket_entry *entry = place_of(table, fd);
  entry->fd_plus_one = fd + 1;
  table->num_used++;
  return entry;
}

int socket_table_is_full(const struct socket_table *table) {
  return table->num_used >= table->capacity / 2;
}

static int count_asked(const struct socket_table *table) {
  int num_asked = 0;
  for (int i = 0; i < table->capacity; i++) num_asked += table->entries[i].mask != 0;
  return num_asked;
}

int socket_table_make_roomier(struct socket_table *out_table, const struct socket_table *from) {
  struct socket_table table = {NULL, MIN_CAPACITY, 0};
  int num_asked = count_asked(from);
  while (table.capacity / 4 <= num_asked) table.capacity *= 2;
  table.entries = strata_calloc((size_t)table.capacity, sizeof(*table.entries));
  if (!table.entries) return -1;
  for (int i = 0; i < from->capacity; i++) {
    const struct socket_entry *entry = &from->entries[i];
    if (entry->mask) *socket_table_put(&table, entry->fd_plus_one - 1) = *entry;
  }
  *out_table = table;
  return 0;
}

void socket_table_copy(struct socket_table *to, const struct socket_table *from) {
  if (from->capacity)
    memcpy(to->entries, from->entries, (size_t)from->capacity * sizeof(*from->entries));
  to->num_used = from->num_used;
}

void socket_table_clear(struct socket_table *table) {
  if (table->entries) strata_free(table->entries);
  memset(table, 0, sizeof(*table));
}

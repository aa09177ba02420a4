#ifndef STRATA_BACKENDS_SOCKET_TABLE_H_
#define STRATA_BACKENDS_SOCKET_TABLE_H_

#include <stdbool.h>
#include <stdint.h>

#include <event2/util.h>

/* What is asked of sockets whose numbers are handles: a hash table with linear probing, in one
 * block that can be copied. */

struct socket_entry {
  evutil_socket_t fd_plus_one; /* 0: this place is free */
  uint32_t generation;
  short mask;  /* 0: forgotten; the place is taken until the table is made anew */
  short ready; /* the user's, and the next */
  bool is_connected;
};

/* A zeroed table is empty and valid. */
struct socket_table {
  struct socket_entry *entries;
  int capacity; /* a power of two, at least twice num_used; or 0 */
  int num_used; /* places that are not free */
};

/* NULL when there is none. */
struct socket_entry *socket_table_find(const struct socket_table *table, evutil_socket_t fd);
/* For a socket that the table does not have, and has room for: its entry, with mask 0. */
struct socket_entry *socket_table_put(struct socket_table *table, evutil_socket_t fd);
/* Whether that needs a roomier table. */
int socket_table_is_full(const struct socket_table *table);
/* A copy without the forgotten sockets and with room for as many again. 0, or -1 with ENOMEM. */
int socket_table_make_roomier(struct socket_table *out_table, const struct socket_table *from);
/* Makes `to`, which has the same capacity, equal to `from`. */
void socket_table_copy(struct socket_table *to, const struct socket_table *from);
void socket_table_clear(struct socket_table *table);

#endif

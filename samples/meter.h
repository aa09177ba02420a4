#ifndef SAMPLES_METER_H_
#define SAMPLES_METER_H_

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

/* How fast a program moves bytes, on standard error: once a second while there is something to
 * tell, and in all at the end, with the CPU time that it took. */

struct meter_flow {
  const char *what;   /* "sent"; NULL: not used */
  uint64_t total_len; /* the program adds to it */
  uint64_t told_len;  /* the total as of the last line */
};

struct meter {
  const char *program;
  struct meter_flow flows[2];
  unsigned num_connections; /* open now; printed if `has_connections` */
  bool has_connections, is_quiet;
  struct event *tick;
  int64_t start_ns, told_ns;
};

/* The program sets `program`, the flows' names and the flags of a zeroed meter first. 0, or -1 with
 * errno. */
int meter_start(struct meter *meter, struct event_base *base);

/* Prints the totals. May be called on a meter that was not started. */
void meter_stop(struct meter *meter);

/* A number of bytes with a unit, "12.3 MB", in `out` of at least 16 bytes, which is returned. */
char *meter_format(char out[16], double len);

#endif

#ifndef STRATA_BENCH_TAP_CLIENTS_H_
#define STRATA_BENCH_TAP_CLIENTS_H_

#include <stdbool.h>
#include <stdint.h>

struct tap_load {
  int port;
  uint32_t num;  /* connections at a time */
  bool is_churn; /* each message on a connection of its own */
  uint32_t message_len;
  double seconds;

  uint64_t out_num_messages;
  double out_elapsed_seconds;
  double out_idle_seconds; /* with every message in the server's hands */
};

/* Runs clients of a server that listens on all addresses of this network namespace, as if they were
 * on other machines: what TCP costs them is neither the server's CPU time nor much of this
 * thread's. (On loopback the receiver's half of TCP runs within the sender's send().) They are as
 * much of RFC 9293 as clients need when no segment is lost, and none is: the device has room for
 * all.
 *
 * The thread never sleeps, so that the server has nobody to wake up. 0, or -1 with errno: the
 * device can't be had. Ends the program when the server doesn't do as it should. */
int tap_clients_run(struct tap_load *load);

#endif

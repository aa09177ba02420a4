#ifndef STRATA_BACKENDS_IOCP_STATE_H_
#define STRATA_BACKENDS_IOCP_STATE_H_

#include <stdbool.h>
#include <stdint.h>

#include <event2/util.h>

#include "loop/completion.h"
#include "loop/readiness.h"

/* After winsock2.h, which comes with the headers above. */
#include <mswsock.h>

struct afd_watch;
struct iocp_received_pool;
struct iocp_workers;

/* What the readiness side (afd.c) and the completion side (iocp.c) share: one completion port, and
 * its waits. Guarded by the base's lock. */
struct iocp_state {
  HANDLE port;
  bool is_waiting;

  HANDLE operations;            /* where they complete: `port`, or another one, the workers' */
  struct iocp_workers *workers; /* NULL: none */

  HANDLE afd;                /* through which polls are asked for */
  struct afd_watch *watches; /* all of them */
  struct afd_watch *unarmed; /* those that the next wait looks at */
  int64_t refused_ns;        /* when one of these was last told that it can't be polled */
  size_t num_polls;          /* that the kernel has */

  unsigned id;             /* never that of another state of this process; above 0 */
  struct iocp_state *next; /* of the process (iocp_attach.c) */
  struct event_operation *first_ended, **last_ended; /* in their launch; not reported yet */
  struct iocp_received_pool *pool;                   /* NULL until bytes have to go there */
  LPFN_ACCEPTEX accept_ex;                           /* NULL until they are needed */
  LPFN_CONNECTEX connect_ex;
  LPFN_GETACCEPTEXSOCKADDRS get_addresses;
};

/* What a packet of the port is about (its key). */
enum { STRATA_IOCP_WAKE, STRATA_IOCP_POLL, STRATA_IOCP_OPERATION };

/* The socket of the provider at the bottom, which the kernel knows: programs that put themselves
 * into Winsock (layered providers) may give out others. -1 with WSAGetLastError() when it is no
 * socket. */
evutil_socket_t strata_iocp_base_socket(evutil_socket_t fd);

/* Makes completions of a socket's operations come to the port, where the system can do that. 0, or
 * a socket error. */
int strata_iocp_attach(const struct iocp_state *state, evutil_socket_t fd, unsigned *out_known_by);
/* Gets from a socket what the state has pointers for. 0, or a socket error. */
int strata_iocp_load_functions(struct iocp_state *state, evutil_socket_t fd);
/* How many sockets of this number evutil_closesocket() has closed. Two answers that differ are of
 * different sockets. Counted since the number was first attached. */
unsigned strata_iocp_num_closed(evutil_socket_t fd);
/* What can't be asked is taken for one. */
bool strata_iocp_is_stream(evutil_socket_t fd);
/* Bits in known_by of an operation, beside the id: what ends in its launch brings no packet; all
 * packets go to another port. */
#define STRATA_IOCP_SKIPS 1u
#define STRATA_IOCP_FOREIGN 2u
#define STRATA_IOCP_FLAGS 3u
/* At the beginning of a state, which gets its number, and at its end. */
void strata_iocp_open_attachments(struct iocp_state *state);
void strata_iocp_close_attachments(struct iocp_state *state);

/* Posts a packet that must not get lost: tries again while the system is short of memory. */
void strata_iocp_post(HANDLE port, ULONG_PTR key, OVERLAPPED *overlapped);

extern const struct event_port_ops strata_iocp_port_ops;

void strata_iocp_port_init(struct iocp_state *state);
void strata_iocp_port_destroy(struct iocp_state *state);
/* A packet tells that the operation which `overlapped` is in has ended. First the kernel's part of
 * that, for which no lock is needed, */
void strata_iocp_port_take(struct iocp_state *state, OVERLAPPED *overlapped);
/* and then, with the base's lock, what the base is told. */
void strata_iocp_port_report(struct iocp_state *state, OVERLAPPED *overlapped,
                             struct event_readiness_sink *sink);
/* Takes those that ended in their launch. */
void strata_iocp_port_report_ended(struct iocp_state *state, struct event_readiness_sink *sink);

#endif

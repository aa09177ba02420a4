#include "backends/iocp_workers.h"

#include "util/memory.h"

/* A worker takes so many at once; what comes meanwhile is for the others. */
#define NUM_PACKETS 32

/* What a worker needs. */
#define STACK_LEN (256 * 1024)

struct iocp_workers {
  struct iocp_state *state;
  struct event_readiness_sink *sink;
  HANDLE port;
  int num_threads;
  HANDLE threads[STRATA_IOCP_MAX_WORKERS];
};

void strata_iocp_post(HANDLE port, ULONG_PTR key, OVERLAPPED *overlapped) {
  while (!PostQueuedCompletionStatus(port, 0, key, overlapped)) Sleep(1);
}

/* Moves the operations to the front, and returns how many there are. A worker that finds the packet
 * which asks for its end has no other than those it took with it. */
static ULONG sort_out(OVERLAPPED_ENTRY *packets, ULONG num_packets, int *out_num_ends) {
  ULONG num_operations = 0;
  *out_num_ends = 0;
  for (ULONG i = 0; i < num_packets; i++) {
    if (packets[i].lpCompletionKey == STRATA_IOCP_OPERATION)
      packets[num_operations++] = packets[i];
    else
      ++*out_num_ends;
  }
  return num_operations;
}

static void report(struct iocp_workers *workers, const OVERLAPPED_ENTRY *packets,
                   ULONG num_packets) {
  struct event_readiness_sink *sink = workers->sink;
  for (ULONG i = 0; i < num_packets; i++)
    strata_iocp_port_take(workers->state, packets[i].lpOverlapped);
  sink->begin_report(sink);
  for (ULONG i = 0; i < num_packets; i++)
    strata_iocp_port_report(workers->state, packets[i].lpOverlapped, sink);
  sink->end_report(sink);
}

static DWORD WINAPI work(void *arg) {
  struct iocp_workers *workers = arg;
  OVERLAPPED_ENTRY packets[NUM_PACKETS];
  int num_ends = 0;
  while (!num_ends) {
    ULONG num_packets = 0;
    if (!GetQueuedCompletionStatusEx(workers->port, packets, NUM_PACKETS, &num_packets, INFINITE,
                                     FALSE))
      return 1;
    num_packets = sort_out(packets, num_packets, &num_ends);
    if (num_packets) report(workers, packets, num_packets);
  }
  /* Each worker ends by one: the rest is the others'. */
  while (--num_ends) strata_iocp_post(workers->port, STRATA_IOCP_WAKE, NULL);
  return 0;
}

static void start_threads(struct iocp_workers *workers, int num) {
  for (; workers->num_threads < num; workers->num_threads++) {
    HANDLE thread =
        CreateThread(NULL, STACK_LEN, work, workers, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (!thread) return;
    workers->threads[workers->num_threads] = thread;
  }
}

struct iocp_workers *strata_iocp_workers_start(struct iocp_state *state,
                                               struct event_readiness_sink *sink, int num_workers) {
  if (num_workers > STRATA_IOCP_MAX_WORKERS) num_workers = STRATA_IOCP_MAX_WORKERS;
  struct iocp_workers *workers = strata_calloc(1, sizeof(*workers));
  if (!workers) return NULL;
  workers->state = state;
  workers->sink = sink;
  workers->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, (DWORD)num_workers);
  if (workers->port) start_threads(workers, num_workers);
  if (!workers->num_threads) {
    strata_iocp_workers_stop(workers);
    return NULL;
  }
  state->operations = workers->port;
  return workers;
}

void strata_iocp_workers_stop(struct iocp_workers *workers) {
  for (int i = 0; i < workers->num_threads; i++)
    strata_iocp_post(workers->port, STRATA_IOCP_WAKE, NULL);
  for (int i = 0; i < workers->num_threads; i++) {
    WaitForSingleObject(workers->threads[i], INFINITE);
    CloseHandle(workers->threads[i]);
  }
  if (workers->port) CloseHandle(workers->port);
  strata_free(workers);
}

#ifndef STRATA_BENCH_TAP_INBOX_H_
#define STRATA_BENCH_TAP_INBOX_H_

#include <stdbool.h>
#include <stdint.h>

/* What TCP needs to know of a segment that came out of a tap device. */
struct tap_segment {
  uint32_t address; /* whom it is for */
  uint32_t sequence;
  uint16_t port;
  uint8_t flags;
  uint32_t payload_len;
};

/* The segments that the kernel sends into the device. A BPF program on the device notes them in
 * memory that is ours too: they are had without a system call, and without a packet passed from
 * core to core, which would cost more than all else here. Where BPF is not allowed (it takes root)
 * they are read from the device. */
struct tap_inbox {
  int fd;                  /* the device */
  struct tap_notes *notes; /* NULL: reads */
  uint64_t num_taken;
};

void tap_inbox_open(struct tap_inbox *inbox, int tap_fd);
void tap_inbox_close(struct tap_inbox *inbox);

/* The next segment. False: there is none yet. What is no TCP is skipped. */
bool tap_inbox_take(struct tap_inbox *inbox, struct tap_segment *out_segment);

#endif

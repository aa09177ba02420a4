#ifndef SAMPLES_HTTPD_COUNTERS_H_
#define SAMPLES_HTTPD_COUNTERS_H_

#include <stdatomic.h>
#include <stdint.h>

/* Replies by the time that they took: in bucket i less than 2^(i + kFirstBucketBits) microseconds,
 * in the last one any longer. */
enum { kNumBuckets = 20, kFirstBucketBits = 5 };
/* Replies by status: 1xx to 5xx. */
enum { kNumClasses = 5 };

/* What one loop has done. Written by its thread only, read by any: a number is always a whole one,
 * but numbers read one after the other need not agree. */
struct counters {
  _Atomic uint64_t accepted; /* connections */
  _Atomic uint64_t open;     /* connections, as of at most a second ago */
  _Atomic uint64_t by_class[kNumClasses];
  _Atomic uint64_t cut_short; /* of these replies, those that the client did not get all of */
  _Atomic uint64_t body_len;  /* bytes of the bodies sent */
  _Atomic uint64_t by_latency[kNumBuckets]; /* of the replies sent in full */
};

/* The same as plain numbers. */
struct counts {
  uint64_t accepted, open, by_class[kNumClasses], cut_short, body_len, by_latency[kNumBuckets];
};

/* One writer: no locked instruction is needed. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t amount) {
  uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
  atomic_store_explicit(counter, now + amount, memory_order_relaxed);
}

static inline void counter_set(_Atomic uint64_t *counter, uint64_t value) {
  atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* Counts a reply that has ended: of `body_len` bytes, or cut short where that is negative. */
void counters_add_reply(struct counters *counters, int status, int64_t body_len,
                        int64_t latency_us);

/* Adds up the counters of all loops. */
void counters_sum(const struct counters *counters, int num_loops, struct counts *out_counts);

#endif

#include "samples/httpd/counters.h"

#include <string.h>

static int bucket_of(int64_t latency_us) {
  int bucket = 0;
  while (bucket < kNumBuckets - 1 && latency_us >= (int64_t)1 << (bucket + kFirstBucketBits))
    bucket++;
  return bucket;
}

void counters_add_reply(struct counters *counters, int status, int64_t body_len,
                        int64_t latency_us) {
  counter_add(&counters->by_class[status / 100 - 1], 1);
  if (body_len < 0) {
    counter_add(&counters->cut_short, 1);
    return;
  }
  counter_add(&counters->body_len, (uint64_t)body_len);
  counter_add(&counters->by_latency[bucket_of(latency_us)], 1);
}

static void add(uint64_t *sum, const _Atomic uint64_t *counter) {
  *sum += atomic_load_explicit(counter, memory_order_relaxed);
}

void counters_sum(const struct counters *counters, int num_loops, struct counts *out_counts) {
  memset(out_counts, 0, sizeof(*out_counts));
  for (int i = 0; i < num_loops; i++) {
    add(&out_counts->accepted, &counters[i].accepted);
    add(&out_counts->open, &counters[i].open);
    add(&out_counts->cut_short, &counters[i].cut_short);
    add(&out_counts->body_len, &counters[i].body_len);
    for (int j = 0; j < kNumClasses; j++) add(&out_counts->by_class[j], &counters[i].by_class[j]);
    for (int j = 0; j < kNumBuckets; j++)
      add(&out_counts->by_latency[j], &counters[i].by_latency[j]);
  }
}

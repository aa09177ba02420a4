#include "net/token_bucket.h"

#include <stdbool.h>

#include "util/clock.h"
#include "util/memory.h"

/* event_base_init_common_timeout() keeps notes of its own above these bits. */
#define USEC_MASK 0x000fffff

/* Whole milliseconds; 0 for what is no tick. */
static int64_t tick_ns_of(const struct timeval *tick_len) {
  if (!tick_len) return STRATA_NS_PER_SECOND;
  if (tick_len->tv_sec < 0 || tick_len->tv_usec < 0) return 0;
  struct timeval plain = {tick_len->tv_sec, tick_len->tv_usec & USEC_MASK};
  int64_t ns = strata_timeval_to_ns(&plain);
  return ns - ns % STRATA_NS_PER_MS;
}

static bool is_valid(size_t rate, size_t burst) {
  return rate >= 1 && rate <= burst && burst <= EV_RATE_LIMIT_MAX;
}

struct ev_token_bucket_cfg *ev_token_bucket_cfg_new(size_t read_rate, size_t read_burst,
                                                    size_t write_rate, size_t write_burst,
                                                    const struct timeval *tick_len) {
  int64_t tick_ns = tick_ns_of(tick_len);
  if (!is_valid(read_rate, read_burst) || !is_valid(write_rate, write_burst) || !tick_ns)
    return NULL;
  struct ev_token_bucket_cfg *cfg = strata_malloc(sizeof(*cfg));
  if (!cfg) return NULL;
  cfg->rate[TOKENS_READ] = (int64_t)read_rate;
  cfg->burst[TOKENS_READ] = (int64_t)read_burst;
  cfg->rate[TOKENS_WRITE] = (int64_t)write_rate;
  cfg->burst[TOKENS_WRITE] = (int64_t)write_burst;
  cfg->tick_ns = tick_ns;
  return cfg;
}

void ev_token_bucket_cfg_free(struct ev_token_bucket_cfg *cfg) {
  if (cfg) strata_free(cfg);
}

void strata_token_bucket_start(struct token_bucket *bucket, const struct ev_token_bucket_cfg *cfg,
                               int64_t now_ns) {
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) bucket->tokens[d] = cfg->rate[d];
  bucket->since_ns = now_ns;
}

static int64_t refilled(int64_t tokens, int64_t rate, int64_t burst, int64_t num_ticks) {
  if (tokens >= burst) return burst;
  /* From far below zero to the burst may be more than 63 bits. */
  uint64_t room = (uint64_t)burst - (uint64_t)tokens;
  if ((uint64_t)num_ticks > room / (uint64_t)rate) return burst;
  return (int64_t)((uint64_t)tokens + (uint64_t)num_ticks * (uint64_t)rate);
}

void strata_token_bucket_update(struct token_bucket *bucket, const struct ev_token_bucket_cfg *cfg,
                                int64_t now_ns) {
  if (now_ns < bucket->since_ns) return;
  int64_t num_ticks = (now_ns - bucket->since_ns) / cfg->tick_ns;
  if (!num_ticks) return;
  for (int d = 0; d < TOKENS_DIRECTIONS; d++)
    bucket->tokens[d] = refilled(bucket->tokens[d], cfg->rate[d], cfg->burst[d], num_ticks);
  bucket->since_ns += num_ticks * cfg->tick_ns;
}

void strata_token_bucket_change(struct token_bucket *bucket,
                                const struct ev_token_bucket_cfg *old_cfg,
                                const struct ev_token_bucket_cfg *new_cfg, int64_t now_ns) {
  strata_token_bucket_update(bucket, old_cfg, now_ns);
  for (int d = 0; d < TOKENS_DIRECTIONS; d++)
    if (bucket->tokens[d] > new_cfg->burst[d]) bucket->tokens[d] = new_cfg->burst[d];
  /* What has passed of an old, longer tick is worth no ticks of the new length. */
  if (now_ns > bucket->since_ns)
    bucket->since_ns = now_ns - (now_ns - bucket->since_ns) % new_cfg->tick_ns;
}

void strata_token_bucket_take(struct token_bucket *bucket, enum token_direction direction,
                              int64_t amount) {
  int64_t *tokens = &bucket->tokens[direction];
  if (amount > 0 && *tokens < -INT64_MAX + amount)
    *tokens = -INT64_MAX;
  else if (amount < 0 && *tokens > INT64_MAX + amount)
    *tokens = INT64_MAX;
  else
    *tokens -= amount;
}

int64_t strata_token_bucket_when_ns(const struct token_bucket *bucket,
                                    const struct ev_token_bucket_cfg *cfg,
                                    enum token_direction direction, int64_t tokens) {
  if (bucket->tokens[direction] >= tokens) return bucket->since_ns;
  uint64_t missing = (uint64_t)tokens - (uint64_t)bucket->tokens[direction];
  uint64_t num_ticks = (missing - 1) / (uint64_t)cfg->rate[direction] + 1;
  if (num_ticks > (uint64_t)(INT64_MAX / cfg->tick_ns)) return INT64_MAX;
  return strata_ns_add(bucket->since_ns, (int64_t)num_ticks * cfg->tick_ns);
}

ev_ssize_t strata_token_bucket_tokens(const struct token_bucket *bucket,
                                      enum token_direction direction) {
  int64_t tokens = bucket->tokens[direction];
  if (tokens > EV_SSIZE_MAX) return EV_SSIZE_MAX;
  return tokens < -EV_SSIZE_MAX ? -EV_SSIZE_MAX : (ev_ssize_t)tokens;
}

#ifndef STRATA_NET_TOKEN_BUCKET_H_
#define STRATA_NET_TOKEN_BUCKET_H_

#include <stdint.h>

#include <event2/bufferevent.h>

/* Tokens, one a byte, that come with the ticks of a clock. A bucket starts with one tick's tokens.
 * n ticks after that exactly n times the rate has come, as far as the burst left room; how often,
 * or how late, somebody looked makes no difference. Times are nanoseconds on the clock of one
 * base. */

enum token_direction { TOKENS_READ, TOKENS_WRITE, TOKENS_DIRECTIONS };

struct ev_token_bucket_cfg {
  int64_t rate[TOKENS_DIRECTIONS];  /* a tick, at least 1 */
  int64_t burst[TOKENS_DIRECTIONS]; /* at least the rate */
  int64_t tick_ns;                  /* whole milliseconds, at least one */
};

struct token_bucket {
  int64_t tokens[TOKENS_DIRECTIONS]; /* below zero after more was taken than there was */
  int64_t since_ns;                  /* the last tick that is counted */
};

void strata_token_bucket_start(struct token_bucket *bucket, const struct ev_token_bucket_cfg *cfg,
                               int64_t now_ns);
/* Counts the ticks up to now. */
void strata_token_bucket_update(struct token_bucket *bucket, const struct ev_token_bucket_cfg *cfg,
                                int64_t now_ns);
/* From now on the bucket fills by the new configuration. It keeps its tokens, down to the new
 * bursts, and its place in the running tick. */
void strata_token_bucket_change(struct token_bucket *bucket,
                                const struct ev_token_bucket_cfg *old_cfg,
                                const struct ev_token_bucket_cfg *new_cfg, int64_t now_ns);
/* Takes tokens, or for less than zero puts them back. */
void strata_token_bucket_take(struct token_bucket *bucket, enum token_direction direction,
                              int64_t amount);
/* When there will be `tokens` (not above the burst) in an updated bucket: the time of a tick. */
int64_t strata_token_bucket_when_ns(const struct token_bucket *bucket,
                                    const struct ev_token_bucket_cfg *cfg,
                                    enum token_direction direction, int64_t tokens);
/* For the getters. */
ev_ssize_t strata_token_bucket_tokens(const struct token_bucket *bucket,
                                      enum token_direction direction);

#endif

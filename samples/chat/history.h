#ifndef SAMPLES_CHAT_HISTORY_H_
#define SAMPLES_CHAT_HISTORY_H_

#include <stddef.h>

enum { kHistoryLen = 50 };

/* The latest lines, for those who come later. All zeros is an empty one. */
struct history {
  char *lines[kHistoryLen];
  size_t first, num_lines;
};

/* Copies a line in; the oldest makes room. Without memory the line is not kept. */
void history_add(struct history *history, const char *line);
/* The i-th oldest. */
const char *history_get(const struct history *history, size_t i);
void history_clear(struct history *history);

#endif

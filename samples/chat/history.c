#define _POSIX_C_SOURCE 200809L /* strdup() */
#include "samples/chat/history.h"

#include <stdlib.h>
#include <string.h>

void history_add(struct history *history, const char *line) {
  char *copy = strdup(line);
  if (copy == NULL) return;
  if (history->num_lines == kHistoryLen) {
    free(history->lines[history->first]);
    history->lines[history->first] = copy;
    history->first = (history->first + 1) % kHistoryLen;
  } else {
    history->lines[(history->first + history->num_lines++) % kHistoryLen] = copy;
  }
}

const char *history_get(const struct history *history, size_t i) {
  return history->lines[(history->first + i) % kHistoryLen];
}

void history_clear(struct history *history) {
  for (size_t i = 0; i < history->num_lines; i++)
    free(history->lines[(history->first + i) % kHistoryLen]);
  history->num_lines = 0;
}

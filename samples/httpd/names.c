#include "samples/httpd/names.h"

#include <stdlib.h>
#include <string.h>

int names_add(struct names *names, const char *name, bool is_directory) {
  if (names->num_items == names->capacity) {
    size_t capacity = names->capacity == 0 ? 32 : names->capacity * 2;
    char **items = realloc(names->items, capacity * sizeof(*items));
    if (items == NULL) return -1;
    names->items = items;
    names->capacity = capacity;
  }
  size_t name_len = strlen(name);
  char *item = malloc(name_len + 2);
  if (item == NULL) return -1;
  memcpy(item, name, name_len);
  memcpy(item + name_len, is_directory ? "/" : "", is_directory ? 2 : 1);
  names->items[names->num_items++] = item;
  return 0;
}

static int compare(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_sort(struct names *names) {
  if (names->num_items > 0) qsort(names->items, names->num_items, sizeof(*names->items), compare);
}

void names_clear(struct names *names) {
  for (size_t i = 0; i < names->num_items; i++) free(names->items[i]);
  free(names->items);
}

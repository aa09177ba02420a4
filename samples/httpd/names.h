#ifndef SAMPLES_HTTPD_NAMES_H_
#define SAMPLES_HTTPD_NAMES_H_

#include <stdbool.h>
#include <stddef.h>

/* The names in a directory, those of directories with a slash at the end. Zeros are an empty list.
 */
struct names {
  char **items;
  size_t num_items;
  size_t capacity;
};

/* Adds a copy of `name`. 0, or -1 when memory ran out. */
int names_add(struct names *names, const char *name, bool is_directory);

/* By their bytes. */
void names_sort(struct names *names);

void names_clear(struct names *names);

#endif

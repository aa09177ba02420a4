#include "util/memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *(*malloc_hook)(size_t);
static void *(*realloc_hook)(void *, size_t);
static void (*free_hook)(void *);

void strata_set_mem_functions(void *(*malloc_fn)(size_t), void *(*realloc_fn)(void *, size_t),
                              void (*free_fn)(void *)) {
  malloc_hook = malloc_fn;
  realloc_hook = realloc_fn;
  free_hook = free_fn;
}

/* A program's allocator need not set errno. */
static void *checked(void *block) {
  if (!block) errno = ENOMEM;
  return block;
}

void *strata_malloc(size_t size) {
  if (size == 0) size = 1;
  return checked(malloc_hook ? malloc_hook(size) : malloc(size));
}

void *strata_calloc(size_t num, size_t size) {
  size_t total = num * size;
  if (size != 0 && num > SIZE_MAX / size) return checked(NULL);
  if (total == 0) total = 1;
  if (!malloc_hook) return checked(calloc(1, total));
  void *block = checked(malloc_hook(total));
  if (block) memset(block, 0, total);
  return block;
}

void *strata_realloc(void *block, size_t size) {
  if (size == 0) size = 1;
  return checked(realloc_hook ? realloc_hook(block, size) : realloc(block, size));
}

char *strata_strndup(const char *bytes, size_t len) {
  if (len == SIZE_MAX) return checked(NULL);
  char *copy = strata_malloc(len + 1);
  if (!copy) return NULL;
  if (len) memcpy(copy, bytes, len);
  copy[len] = '\0';
  return copy;
}

char *strata_strdup(const char *string) {
  return strata_strndup(string, strlen(string));
}

void strata_free(void *block) {
  if (!block) return;
  if (free_hook)
    free_hook(block);
  else
    free(block);
}

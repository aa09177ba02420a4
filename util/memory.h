#ifndef STRATA_UTIL_MEMORY_H_
#define STRATA_UTIL_MEMORY_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All memory of the library comes from here, so that event_set_mem_functions() replaces it and
 * a test can make the n-th allocation fail. Each function returns NULL with errno = ENOMEM on
 * failure; a caller reports that as an operating error and never crashes on it. A size of 0 counts
 * as 1, so that NULL always means failure. */

void *strata_malloc(size_t size);
/* Zeroed; fails when num * size overflows. */
void *strata_calloc(size_t num, size_t size);
/* On failure the old block is untouched and still the caller's. */
void *strata_realloc(void *block, size_t size);
char *strata_strdup(const char *string);
/* Copies len bytes and adds a NUL. */
char *strata_strndup(const char *bytes, size_t len);
void strata_free(void *block);

/* Replaces the allocator; NULL restores the C library's function for that slot. Call before
 * anything is allocated: a block must be freed by the allocator that made it. */
void strata_set_mem_functions(void *(*malloc_fn)(size_t), void *(*realloc_fn)(void *, size_t),
                              void (*free_fn)(void *));

#ifdef __cplusplus
}
#endif

#endif

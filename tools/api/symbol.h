#ifndef STRATA_TOOLS_API_SYMBOL_H_
#define STRATA_TOOLS_API_SYMBOL_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A function or object of the public API. */
struct api_symbol {
  const char *name;
  uintptr_t address;
};

/* What a program finds that includes this header alone. */
struct api_header {
  const char *name;
  const struct api_symbol *symbols;
  size_t num_symbols;
};

/* All of them; NULL ends it. Written by generate.py. */
extern const struct api_header *const api_headers[];

#ifdef __cplusplus
}
#endif
#endif

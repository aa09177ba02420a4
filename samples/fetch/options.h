#ifndef SAMPLES_FETCH_OPTIONS_H_
#define SAMPLES_FETCH_OPTIONS_H_

#include <stdbool.h>
#include <stddef.h>

#include "samples/fetch/url.h"

/* A field of the request's head. */
struct field {
  const char *name, *value;
};

/* What the command line asks for. The strings point into argv. */
struct options {
  struct url *urls;
  size_t num_urls;
  const char **output_paths; /* of the first `num_outputs` URLs */
  size_t num_outputs;
  bool is_named_by_url; /* the others' files are named by their URLs */
  struct field *fields;
  size_t num_fields;
  const char *upload_path; /* NULL: nothing is sent; "-": standard input */
  bool asks_for_head;
  bool shows_head;
  bool is_verbose, is_quiet;
  int num_connections; /* at a time */
  int timeout_s;       /* 0: the library's */
};

enum options_outcome {
  OPTIONS_RUN,  /* `out_options` is filled in */
  OPTIONS_HELP, /* help was asked for and is printed to standard output */
  OPTIONS_BAD,  /* the error is explained on standard error */
};

/* Whatever it returns, options_clear() follows. */
enum options_outcome options_parse(int argc, char **argv, struct options *out_options);
void options_clear(struct options *options);

/* The file for what the n-th URL brings; NULL: standard output. */
const char *options_output_path(const struct options *options, size_t n);

#endif

#ifndef SAMPLES_HTTPD_OPTIONS_H_
#define SAMPLES_HTTPD_OPTIONS_H_

#include <stdbool.h>
#include <stdint.h>

/* What the command line asks for. The strings point into argv. */
struct options {
  const char *bind_address;
  uint16_t port; /* 0: the system chooses */
  const char *root;
  bool follow_symlinks;
  bool quiet;                  /* no access log on standard output */
  const char *access_log_path; /* NULL: standard output */
  int num_threads;             /* 1: everything in the main thread */
  const char *status_path;     /* of the status page; NULL: there is none */
};

enum options_outcome {
  OPTIONS_RUN,  /* `out_options` is filled in */
  OPTIONS_HELP, /* help was asked for and is printed to standard output */
  OPTIONS_BAD,  /* the error is explained on standard error */
};

enum options_outcome options_parse(int argc, char **argv, struct options *out_options);

#endif

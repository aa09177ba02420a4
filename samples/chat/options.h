#ifndef SAMPLES_CHAT_OPTIONS_H_
#define SAMPLES_CHAT_OPTIONS_H_

#include <stdint.h>

struct options {
  const char *bind_address;
  uint16_t port;
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_BAD };

/* Reads the command line; says on standard error what is wrong with it. */
enum options_outcome options_parse(int argc, char **argv, struct options *out_options);

#endif

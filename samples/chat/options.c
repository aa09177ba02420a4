#include "samples/chat/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char kHelp[] =
    "usage: chat [options]\n"
    "\n"
    "Serves a web page on which everybody who has it open can talk.\n"
    "\n"
    "  -p, --port N     port to listen on, 0 for any free one (default: 8080)\n"
    "  -b, --bind ADDR  address to listen on (default: 127.0.0.1)\n"
    "  -h, --help       this text\n"
    "\n"
    "SIGINT and SIGTERM stop it.\n";

static const struct option kLongOptions[] = {
    {"port", required_argument, NULL, 'p'},
    {"bind", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static enum options_outcome bad(const char *problem, const char *value) {
  fprintf(stderr, "chat: %s: %s\nTry 'chat --help'.\n", problem, value);
  return OPTIONS_BAD;
}

static enum options_outcome parse_port(const char *text, uint16_t *out_port) {
  char *end;
  errno = 0;
  long port = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || errno != 0 || port < 0 || port > UINT16_MAX)
    return bad("not a port (0 to 65535)", text);
  *out_port = (uint16_t)port;
  return OPTIONS_RUN;
}

static enum options_outcome apply(int option, struct options *options) {
  switch (option) {
    case 'p':
      return parse_port(optarg, &options->port);
    case 'b':
      options->bind_address = optarg;
      return OPTIONS_RUN;
    case 'h':
      fputs(kHelp, stdout);
      return OPTIONS_HELP;
    default: /* getopt_long has named the culprit */
      fprintf(stderr, "Try 'chat --help'.\n");
      return OPTIONS_BAD;
  }
}

enum options_outcome options_parse(int argc, char **argv, struct options *out_options) {
  *out_options = (struct options){.bind_address = "127.0.0.1", .port = 8080};
  int option;
  while ((option = getopt_long(argc, argv, "p:b:h", kLongOptions, NULL)) != -1) {
    enum options_outcome outcome = apply(option, out_options);
    if (outcome != OPTIONS_RUN) return outcome;
  }
  return optind == argc ? OPTIONS_RUN : bad("unexpected argument", argv[optind]);
}

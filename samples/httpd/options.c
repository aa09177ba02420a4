#include "samples/httpd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char kHelp[] =
    "usage: httpd [options]\n"
    "\n"
    "Serves the files of a directory over HTTP.\n"
    "\n"
    "  -r, --root DIR         the directory (default: the current one)\n"
    "  -p, --port N           port to listen on, 0 for any free one (default: 8080)\n"
    "  -b, --bind ADDR        address to listen on (default: 127.0.0.1)\n"
    "      --follow-symlinks  follow symbolic links, even out of the directory\n"
    "      --access-log FILE  append the access log to FILE (default: standard output)\n"
    "  -q, --quiet            no access log on standard output\n"
    "  -t, --threads N        serve with N threads (default: 1)\n"
    "      --status PATH      show what the server does at PATH, \"/status\" for example,\n"
    "                         to everybody; as JSON at PATH?json\n"
    "  -h, --help             this text\n"
    "\n"
    "SIGINT and SIGTERM stop it after the replies in progress; a second one, at once.\n";

enum long_only { OPTION_FOLLOW_SYMLINKS = 256, OPTION_ACCESS_LOG, OPTION_STATUS };

enum { kMaxThreads = 1024 };

static const struct option kLongOptions[] = {
    {"root", required_argument, NULL, 'r'},
    {"port", required_argument, NULL, 'p'},
    {"bind", required_argument, NULL, 'b'},
    {"follow-symlinks", no_argument, NULL, OPTION_FOLLOW_SYMLINKS},
    {"access-log", required_argument, NULL, OPTION_ACCESS_LOG},
    {"quiet", no_argument, NULL, 'q'},
    {"threads", required_argument, NULL, 't'},
    {"status", required_argument, NULL, OPTION_STATUS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static enum options_outcome bad(const char *problem, const char *value) {
  fprintf(stderr, "httpd: %s: %s\n", problem, value);
  fprintf(stderr, "Try 'httpd --help'.\n");
  return OPTIONS_BAD;
}

/* Returns -1 for what is not a number up to `most`. */
static long parse_number(const char *text, long most) {
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  bool is_number = *text != '\0' && *end == '\0' && errno == 0;
  return is_number && number >= 0 && number <= most ? number : -1;
}

static enum options_outcome parse_port(const char *text, uint16_t *out_port) {
  long port = parse_number(text, UINT16_MAX);
  if (port < 0) return bad("not a port (0 to 65535)", text);
  *out_port = (uint16_t)port;
  return OPTIONS_RUN;
}

static enum options_outcome parse_threads(const char *text, int *out_num_threads) {
  long num_threads = parse_number(text, kMaxThreads);
  if (num_threads < 1) return bad("not a number of threads (1 to 1024)", text);
  *out_num_threads = (int)num_threads;
  return OPTIONS_RUN;
}

static enum options_outcome parse_status(const char *text, const char **out_path) {
  if (*text != '/') return bad("not a path that begins with '/'", text);
  *out_path = text;
  return OPTIONS_RUN;
}

static enum options_outcome apply(int option, struct options *options) {
  switch (option) {
    case 'r':
      options->root = optarg;
      return OPTIONS_RUN;
    case 'p':
      return parse_port(optarg, &options->port);
    case 'b':
      options->bind_address = optarg;
      return OPTIONS_RUN;
    case OPTION_FOLLOW_SYMLINKS:
      options->follow_symlinks = true;
      return OPTIONS_RUN;
    case OPTION_ACCESS_LOG:
      options->access_log_path = optarg;
      return OPTIONS_RUN;
    case 'q':
      options->quiet = true;
      return OPTIONS_RUN;
    case 't':
      return parse_threads(optarg, &options->num_threads);
    case OPTION_STATUS:
      return parse_status(optarg, &options->status_path);
    case 'h':
      fputs(kHelp, stdout);
      return OPTIONS_HELP;
    default: /* getopt_long has named the culprit */
      fprintf(stderr, "Try 'httpd --help'.\n");
      return OPTIONS_BAD;
  }
}

enum options_outcome options_parse(int argc, char **argv, struct options *out_options) {
  *out_options =
      (struct options){.bind_address = "127.0.0.1", .port = 8080, .root = ".", .num_threads = 1};
  int option;
  while ((option = getopt_long(argc, argv, "r:p:b:qt:h", kLongOptions, NULL)) != -1) {
    enum options_outcome outcome = apply(option, out_options);
    if (outcome != OPTIONS_RUN) return outcome;
  }
  return optind == argc ? OPTIONS_RUN : bad("unexpected argument", argv[optind]);
}

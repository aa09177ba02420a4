#include "samples/fetch/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kHelp[] =
    "usage: fetch [options] URL...\n"
    "\n"
    "Gets http URLs, or sends a file to them, and writes what they answer to standard output.\n"
    "\n"
    "  -o, --output FILE    write to FILE instead; once for each URL, in their order\n"
    "  -O, --remote-name    URLs without -o: write to a file named as the end of the URL's path\n"
    "  -k, --parallel N     over N connections at a time (default: 1); needs files for all\n"
    "  -T, --upload FILE    PUT FILE (-: standard input, for one URL)\n"
    "  -I, --head           ask for the heads alone (HEAD)\n"
    "  -i, --include        write the heads too\n"
    "  -H, --header FIELD   send \"NAME: VALUE\" too\n"
    "  -m, --timeout S      give up after S seconds without news from the server\n"
    "  -v, --verbose        a line for each answer on standard error\n"
    "  -q, --quiet          no rates on standard error\n"
    "  -h, --help           this text\n"
    "\n"
    "To a file goes the body of an answer with status 2xx alone. Redirections are not followed:\n"
    "it is told where to.\n"
    "\n"
    "It ends with 0 when all answers had status 2xx; with 3, 4 or 5, the first digit of the\n"
    "greatest other status; with 1 when there was no answer or not all of it, or by SIGINT and\n"
    "SIGTERM.\n";

enum { kMaxConnections = 256, kMaxTimeoutSeconds = 24 * 3600 };

static const struct option kLongOptions[] = {
    {"output", required_argument, NULL, 'o'},   {"remote-name", no_argument, NULL, 'O'},
    {"parallel", required_argument, NULL, 'k'}, {"upload", required_argument, NULL, 'T'},
    {"head", no_argument, NULL, 'I'},           {"include", no_argument, NULL, 'i'},
    {"header", required_argument, NULL, 'H'},   {"timeout", required_argument, NULL, 'm'},
    {"verbose", no_argument, NULL, 'v'},        {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

static enum options_outcome bad(const char *problem, const char *value) {
  fprintf(stderr, value == NULL ? "fetch: %s\n" : "fetch: %s: %s\n", problem, value);
  fputs("Try 'fetch --help'.\n", stderr);
  return OPTIONS_BAD;
}

static enum options_outcome parse_number(const char *what, const char *text, long most,
                                         int *out_number) {
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || errno != 0 || number < 1 || number > most)
    return bad(what, text);
  *out_number = (int)number;
  return OPTIONS_RUN;
}

/* Ends the name in `text` itself. */
static enum options_outcome parse_field(char *text, struct options *options) {
  char *colon = strchr(text, ':');
  if (colon == NULL) return bad("not NAME: VALUE", text);
  *colon = '\0';
  const char *value = colon + 1 + strspn(colon + 1, " \t");
  options->fields[options->num_fields++] = (struct field){text, value};
  return OPTIONS_RUN;
}

static enum options_outcome apply(int option, struct options *options) {
  switch (option) {
    case 'o':
      options->output_paths[options->num_outputs++] = strcmp(optarg, "-") == 0 ? NULL : optarg;
      return OPTIONS_RUN;
    case 'O':
      options->is_named_by_url = true;
      return OPTIONS_RUN;
    case 'k':
      return parse_number("not a number of connections (1 to 256)", optarg, kMaxConnections,
                          &options->num_connections);
    case 'T':
      options->upload_path = optarg;
      return OPTIONS_RUN;
    case 'I':
      options->asks_for_head = options->shows_head = true;
      return OPTIONS_RUN;
    case 'i':
      options->shows_head = true;
      return OPTIONS_RUN;
    case 'H':
      return parse_field(optarg, options);
    case 'm':
      return parse_number("not a number of seconds (1 to 86400)", optarg, kMaxTimeoutSeconds,
                          &options->timeout_s);
    case 'v':
      options->is_verbose = true;
      return OPTIONS_RUN;
    case 'q':
      options->is_quiet = true;
      return OPTIONS_RUN;
    case 'h':
      fputs(kHelp, stdout);
      return OPTIONS_HELP;
    default: /* getopt_long has named the culprit */
      fputs("Try 'fetch --help'.\n", stderr);
      return OPTIONS_BAD;
  }
}

static enum options_outcome parse_urls(char **texts, struct options *options) {
  for (; *texts != NULL; texts++) {
    struct url *url = &options->urls[options->num_urls];
    if (url_parse(*texts, url) != 0) return bad("not an http URL", *texts);
    options->num_urls++;
    if (options->is_named_by_url && options->num_urls > options->num_outputs &&
        *url->file_name == '\0')
      return bad("no name for a file in it", *texts);
  }
  return OPTIONS_RUN;
}

/* What can't go together. */
static enum options_outcome check(const struct options *options) {
  if (options->num_urls == 0) return bad("no URL", NULL);
  if (options->num_outputs > options->num_urls) return bad("more outputs than URLs", NULL);
  if (options->upload_path != NULL && options->asks_for_head)
    return bad("either --upload or --head", NULL);
  if (options->num_urls == 1) return OPTIONS_RUN;
  if (options->upload_path != NULL && strcmp(options->upload_path, "-") == 0)
    return bad("standard input can be sent to one URL only", NULL);
  for (size_t n = 0; n < options->num_urls && options->num_connections > 1; n++) {
    if (options_output_path(options, n) == NULL)
      return bad("--parallel needs --output or --remote-name", options->urls[n].text);
  }
  return OPTIONS_RUN;
}

enum options_outcome options_parse(int argc, char **argv, struct options *out_options) {
  size_t num_arguments = (size_t)argc;
  *out_options = (struct options){.num_connections = 1};
  out_options->urls = calloc(num_arguments, sizeof(*out_options->urls));
  out_options->output_paths = calloc(num_arguments, sizeof(*out_options->output_paths));
  out_options->fields = calloc(num_arguments, sizeof(*out_options->fields));
  if (out_options->urls == NULL || out_options->output_paths == NULL || out_options->fields == NULL)
    return bad("out of memory", NULL);
  int option;
  while ((option = getopt_long(argc, argv, "o:Ok:T:IiH:m:vqh", kLongOptions, NULL)) != -1) {
    enum options_outcome outcome = apply(option, out_options);
    if (outcome != OPTIONS_RUN) return outcome;
  }
  enum options_outcome outcome = parse_urls(argv + optind, out_options);
  return outcome == OPTIONS_RUN ? check(out_options) : outcome;
}

void options_clear(struct options *options) {
  for (size_t n = 0; n < options->num_urls; n++) url_clear(&options->urls[n]);
  free(options->urls);
  free(options->output_paths);
  free(options->fields);
}

const char *options_output_path(const struct options *options, size_t n) {
  if (n < options->num_outputs) return options->output_paths[n];
  return options->is_named_by_url ? options->urls[n].file_name : NULL;
}

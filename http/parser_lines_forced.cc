// Linked into a test with STRATA_HTTP_LINES defined to a name: the whole test reads lines that way.
// On a machine that cannot, there is nothing to test.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "http/parser_lines.h"

#define QUOTE(name) #name
#define NAME_OF(macro) QUOTE(macro)

namespace {

constexpr char kName[] = NAME_OF(STRATA_HTTP_LINES);

bool ForceLines() {
  for (unsigned i = 0; strata_http_lines_get(i); ++i) {
    if (strcmp(strata_http_lines_get(i)->name, kName) != 0) continue;
    strata_http_lines_use(strata_http_lines_get(i));
    return true;
  }
  printf("this machine does not run \"%s\": skipped\n", kName);
  exit(0);
}

const bool g_is_forced = ForceLines();

}  // namespace

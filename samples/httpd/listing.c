#include "samples/httpd/listing.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "samples/httpd/directory.h"
#include "samples/httpd/names.h"

/* `text`, escaped for HTML, between two pieces that are HTML already. */
static int add_escaped(struct evbuffer *output, const char *before, const char *text,
                       const char *after) {
  char *escaped = evhttp_htmlescape(text);
  if (escaped == NULL) return -1;
  int result = evbuffer_add_printf(output, "%s%s%s", before, escaped, after);
  free(escaped);
  return result < 0 ? -1 : 0;
}

/* The link is relative and fully encoded, so that a name like "javascript:x" stays a name. */
static int add_link(struct evbuffer *output, const char *item) {
  size_t item_len = strlen(item);
  bool is_directory = item[item_len - 1] == '/';
  char *encoded = evhttp_uriencode(item, (ev_ssize_t)(item_len - is_directory), 0);
  if (encoded == NULL) return -1;
  int result =
      evbuffer_add_printf(output, "<li><a href=\"%s%s\">", encoded, is_directory ? "/" : "");
  free(encoded);
  return result < 0 ? -1 : add_escaped(output, "", item, "</a></li>\n");
}

static int write_page(const char *name, const struct names *names, struct evbuffer *output) {
  static const char kStart[] = "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n";
  const char *slash = *name == '\0' ? "" : "/";
  if (evbuffer_add(output, kStart, sizeof(kStart) - 1) != 0 ||
      add_escaped(output, "<title>Index of /", name, slash) != 0 ||
      add_escaped(output, "</title>\n</head>\n<body>\n<h1>Index of /", name, slash) != 0 ||
      evbuffer_add_printf(output, "</h1>\n<ul>\n") < 0)
    return -1;
  if (*name != '\0' && evbuffer_add_printf(output, "<li><a href=\"../\">../</a></li>\n") < 0)
    return -1;
  for (size_t i = 0; i < names->num_items; i++)
    if (add_link(output, names->items[i]) != 0) return -1;
  return evbuffer_add_printf(output, "</ul>\n</body>\n</html>\n") < 0 ? -1 : 0;
}

int listing_write(int directory_fd, const char *name, bool follow_symlinks,
                  struct evbuffer *output) {
  struct names names = {NULL, 0, 0};
  int result = directory_read(directory_fd, follow_symlinks, &names);
  if (result == 0) {
    names_sort(&names);
    result = write_page(name, &names, output);
  }
  names_clear(&names);
  return result;
}

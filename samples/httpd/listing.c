#define _GNU_SOURCE 1 /* fdopendir(), fstatat() under -std=c11 */
#include "samples/httpd/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>

/* The names found so far, directories with a slash at the end. */
struct names {
  char **items;
  size_t num_items;
  size_t capacity;
};

static void names_clear(struct names *names) {
  for (size_t i = 0; i < names->num_items; i++) free(names->items[i]);
  free(names->items);
}

static int names_add(struct names *names, const char *name, bool is_directory) {
  if (names->num_items == names->capacity) {
    size_t capacity = names->capacity == 0 ? 32 : names->capacity * 2;
    char **items = realloc(names->items, capacity * sizeof(*items));
    if (items == NULL) return -1;
    names->items = items;
    names->capacity = capacity;
  }
  size_t name_len = strlen(name);
  char *item = malloc(name_len + 2);
  if (item == NULL) return -1;
  memcpy(item, name, name_len);
  memcpy(item + name_len, is_directory ? "/" : "", is_directory ? 2 : 1);
  names->items[names->num_items++] = item;
  return 0;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect_entry(DIR *directory, const char *name, bool follow_symlinks,
                         struct names *names) {
  struct stat st;
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return 0;
  /* An entry that vanished meanwhile, or a dangling link, is no error of the listing's. */
  if (fstatat(dirfd(directory), name, &st, follow_symlinks ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
    return 0;
  if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) return 0;
  return names_add(names, name, S_ISDIR(st.st_mode));
}

static int collect(int directory_fd, bool follow_symlinks, struct names *names) {
  DIR *directory = fdopendir(directory_fd);
  if (directory == NULL) {
    close(directory_fd);
    return -1;
  }
  int result = 0;
  struct dirent *entry;
  while (result == 0 && (errno = 0, entry = readdir(directory)) != NULL)
    result = collect_entry(directory, entry->d_name, follow_symlinks, names);
  if (result == 0 && errno != 0) result = -1;
  closedir(directory);
  return result;
}

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
  int result = collect(directory_fd, follow_symlinks, &names);
  if (result == 0) {
    if (names.num_items > 0)
      qsort(names.items, names.num_items, sizeof(*names.items), compare_names);
    result = write_page(name, &names, output);
  }
  names_clear(&names);
  return result;
}

#ifndef SAMPLES_HTTPD_REQUEST_PATH_H_
#define SAMPLES_HTTPD_REQUEST_PATH_H_

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A request's path as the name of a file below the root. */
struct request_path {
  char *name; /* "docs/a b.txt": decoded, no slash at either end, none doubled; "" is the root */
  bool is_directory; /* the path ended in a slash (or in "/.") */
};

/*
 * Decodes `raw`, the path component of a request's URI (NULL and "" mean "/"), without touching the
 * file system. Returns 0, and the caller owes request_path_clear(), or else the HTTP status to
 * refuse with: 400 for a malformed escape, an encoded NUL or slash, a backslash in any spelling,
 * and
 * ".." in any spelling (clients resolve those before they send, RFC 3986 section 5.2.4); 500 when
 * memory ran out.
 */
int request_path_parse(const char *raw, struct request_path *out_path);

/* Frees the name. */
void request_path_clear(struct request_path *path);

/*
 * The inverse: `name` as an absolute path for a URI, "/docs/a%20b.txt", each segment
 * percent-encoded. It begins with exactly one slash, so it never reads as "//host". Returns a
 * string to free(), or NULL when memory ran out.
 */
char *request_path_encode(const char *name);

#ifdef __cplusplus
}
#endif

#endif

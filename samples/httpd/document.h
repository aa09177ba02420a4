#ifndef SAMPLES_HTTPD_DOCUMENT_H_
#define SAMPLES_HTTPD_DOCUMENT_H_

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The directory that is served. Everything is opened relative to `fd`. */
struct document_root {
  int fd;
  bool follow_symlinks;
};

/* An open file or directory below the root. */
struct document {
  int fd; /* the holder closes it */
  bool is_directory;
  uint64_t size;
  struct timespec modified;
};

/* Opens `path` as the root. Returns 0, or -1 with errno. */
int document_root_open(struct document_root *out_root, const char *path, bool follow_symlinks);

void document_root_close(struct document_root *root);

/*
 * Opens `name` ("" for the root itself, otherwise as made by request_path_parse(): relative and
 * without "..") for reading. Unless the root follows symbolic links, one anywhere in the name is
 * refused by the kernel while it resolves the name, so nobody can swap one in between a check and
 * its use. Opening never blocks. Returns 0, or the HTTP status to refuse with: 403 for links, for
 * what is neither a file nor a directory, and for lack of permission; 404; 503 when descriptors or
 * memory ran out; 500.
 */
int document_open(const struct document_root *root, const char *name,
                  struct document *out_document);

#endif

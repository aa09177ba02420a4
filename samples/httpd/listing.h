#ifndef SAMPLES_HTTPD_LISTING_H_
#define SAMPLES_HTTPD_LISTING_H_

#include <stdbool.h>

struct evbuffer;

/*
 * Appends an HTML page that lists the directory `directory_fd`, called `name` below the root: a
 * link for each file and each directory (those with a slash at the end), sorted by name, and one to
 * the parent unless `name` is "". What the server would refuse to serve is left out (directory.h).
 * Closes `directory_fd` in any case. Returns 0, or -1 when the directory cannot be read or memory
 * ran out.
 */
int listing_write(int directory_fd, const char *name, bool follow_symlinks,
                  struct evbuffer *output);

#endif

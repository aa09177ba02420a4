#ifndef SAMPLES_HTTPD_DIRECTORY_H_
#define SAMPLES_HTTPD_DIRECTORY_H_

#include <stdbool.h>

#include "samples/httpd/names.h"

/* Adds what is in the directory `directory_fd` and would be served: files and directories, not
 * sockets, devices and, unless `follow_symlinks`, symbolic links. Closes `directory_fd` in any
 * case. 0, or -1 when the directory cannot be read or memory ran out. */
int directory_read(int directory_fd, bool follow_symlinks, struct names *names);

#endif

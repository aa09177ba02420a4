#define _GNU_SOURCE 1 /* fdopendir(), fstatat() under -std=c11 */
#include "samples/httpd/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int add_entry(DIR *directory, const char *name, bool follow_symlinks, struct names *names) {
  struct stat st;
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return 0;
  /* An entry that vanished meanwhile, or a dangling link, is no error of the listing's. */
  if (fstatat(dirfd(directory), name, &st, follow_symlinks ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
    return 0;
  if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) return 0;
  return names_add(names, name, S_ISDIR(st.st_mode));
}

int directory_read(int directory_fd, bool follow_symlinks, struct names *names) {
  DIR *directory = fdopendir(directory_fd);
  if (directory == NULL) {
    close(directory_fd);
    return -1;
  }
  int result = 0;
  struct dirent *entry;
  while (result == 0 && (errno = 0, entry = readdir(directory)) != NULL)
    result = add_entry(directory, entry->d_name, follow_symlinks, names);
  if (result == 0 && errno != 0) result = -1;
  closedir(directory);
  return result;
}

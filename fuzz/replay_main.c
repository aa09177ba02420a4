/* The main of a fuzz target where there is no libFuzzer: runs the target once over each file that
 * is named, and over each file in a directory that is named. Exits 1 when an input cannot be read
 * or when there was none, so that a lost corpus is not a passing test. */

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

/* NULL when the file cannot be read whole. A separate allocation of exactly the file's size lets
 * ASan see a read past the input's end. */
static uint8_t *read_file(const char *path, size_t *out_len) {
  uint8_t *data = NULL;
  long len = -1;
  FILE *file = fopen(path, "rb");
  if (file == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) == 0) len = ftell(file);
  if (len >= 0 && fseek(file, 0, SEEK_SET) == 0) data = malloc(len > 0 ? (size_t)len : 1);
  if (data != NULL && fread(data, 1, (size_t)len, file) != (size_t)len) {
    free(data);
    data = NULL;
  }
  fclose(file);
  *out_len = (size_t)len;
  return data;
}

/* The number of inputs run, or -1. */
static long replay_file(const char *path) {
  size_t data_len;
  uint8_t *data = read_file(path, &data_len);
  if (data == NULL) {
    fprintf(stderr, "cannot read %s\n", path);
    return -1;
  }
  fprintf(stderr, "running %s (%zu bytes)\n", path, data_len);
  (void)LLVMFuzzerTestOneInput(data, data_len);
  free(data);
  return 1;
}

static long replay_path(const char *path);

static long replay_directory(const char *path) {
  char child[PATH_MAX];
  struct dirent *entry;
  long num_inputs = 0;
  DIR *directory = opendir(path);
  if (directory == NULL) return -1;
  while (num_inputs >= 0 && (entry = readdir(directory)) != NULL) {
    long num_run;
    if (entry->d_name[0] == '.') continue;
    if (snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) >= (int)sizeof(child)) {
      fprintf(stderr, "name too long below %s\n", path);
      num_run = -1;
    } else {
      num_run = replay_path(child);
    }
    num_inputs = num_run < 0 ? -1 : num_inputs + num_run;
  }
  closedir(directory);
  return num_inputs;
}

static long replay_path(const char *path) {
  struct stat status;
  if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) return replay_directory(path);
  return replay_file(path);
}

int main(int argc, char **argv) {
  long num_inputs = 0;
  for (int i = 1; i < argc; ++i) {
    long num_run;
    if (argv[i][0] == '-') continue; /* an option of libFuzzer's */
    num_run = replay_path(argv[i]);
    if (num_run < 0) return 1;
    num_inputs += num_run;
  }
  fprintf(stderr, "%ld inputs\n", num_inputs);
  if (num_inputs == 0) fprintf(stderr, "no input found: usage: %s FILE|DIRECTORY...\n", argv[0]);
  return num_inputs > 0 ? 0 : 1;
}

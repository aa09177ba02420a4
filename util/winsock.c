#include "util/winsock.h"

#include <winsock2.h>

static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

static BOOL CALLBACK start(INIT_ONCE *init_once, void *arg, void **out_context) {
  WSADATA data;
  (void)init_once;
  (void)out_context;
  int *out_error = arg;
  *out_error = WSAStartup(MAKEWORD(2, 2), &data);
  return *out_error == 0;
}

int strata_winsock_start(void) {
  int error = 0;
  if (InitOnceExecuteOnce(&once, start, &error, NULL)) return 0;
  /* WSAStartup returns its error: without Winsock there is no place for the last one. */
  WSASetLastError(error);
  return -1;
}

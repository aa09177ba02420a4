#include <stdatomic.h>
#include <stdio.h>

#include "util/cleanup.h"
#include "util/memory.h"
#include "util/socket.h"

/* ---- what a number means ---- */

int strata_error_would_block(int error) {
  return error == WSAEWOULDBLOCK;
}

int strata_error_rw_retriable(int error) {
  return error == WSAEINTR || strata_error_would_block(error);
}

/* Winsock says WSAEWOULDBLOCK where POSIX says EINPROGRESS (connect). */
int strata_error_connect_retriable(int error) {
  return error == WSAEWOULDBLOCK || error == WSAEINPROGRESS || error == WSAEINTR;
}

int strata_error_connect_refused(int error) {
  return error == WSAECONNREFUSED;
}

/* A peer that has gone before it was accepted: WSAECONNRESET (accept). */
int strata_error_accept_retriable(int error) {
  return error == WSAECONNRESET || error == WSAECONNABORTED || strata_error_rw_retriable(error);
}

int strata_error_exhausted(int error) {
  return error == WSAEMFILE || error == WSAENOBUFS || error == WSA_NOT_ENOUGH_MEMORY;
}

/* ---- the last error ---- */

/* A non-blocking call may say WSAEWOULDBLOCK while the socket has a real error pending. */
int evutil_socket_geterror(evutil_socket_t sock) {
  int error = WSAGetLastError();
  if (error != WSAEWOULDBLOCK || sock < 0) return error;
  int pending = 0;
  int pending_len = sizeof(pending);
  if (getsockopt(sock, SOL_SOCKET, SO_ERROR, (char *)&pending, &pending_len)) pending = 0;
  WSASetLastError(error); /* the call above may have changed it */
  return pending ? pending : error;
}

/* ---- texts ---- */

#define TEXT_LEN 256

/* A text is made when it is first asked for and kept until libevent_global_shutdown(), because
 * callers keep the pointer. The list only ever grows at its head, so that it needs no lock, which a
 * program without threads set up would not have. */
struct error_text {
  int error;
  struct error_text *next;
  char text[];
};

static _Atomic(struct error_text *) newest;

static void free_texts(void) {
  struct error_text *text = atomic_exchange(&newest, NULL);
  while (text) {
    struct error_text *next = text->next;
    strata_free(text);
    text = next;
  }
}

static const struct error_text *find_text(int error) {
  const struct error_text *text = atomic_load(&newest);
  while (text && text->error != error) text = text->next;
  return text;
}

/* The system's sentence without its full stop and end of line, so that it can stand within a line.
 */
static void format_text(int error, char *out_text) {
  DWORD len = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                             (DWORD)error, 0, out_text, TEXT_LEN, NULL);
  while (len > 0 && strchr("\r\n .", out_text[len - 1])) --len;
  out_text[len] = '\0';
  if (len == 0) snprintf(out_text, TEXT_LEN, "Unknown error %d", error);
}

const char *evutil_socket_error_to_string(int errcode) {
  static struct strata_cleanup cleanup = STRATA_CLEANUP_INIT(free_texts);
  const struct error_text *known = find_text(errcode);
  if (known) return known->text;
  char text[TEXT_LEN];
  int last_error = WSAGetLastError();
  format_text(errcode, text);
  WSASetLastError(last_error);
  size_t len = strlen(text);
  struct error_text *made = strata_malloc(sizeof(*made) + len + 1);
  if (!made) return "Unknown error (out of memory)";
  made->error = errcode;
  memcpy(made->text, text, len + 1);
  strata_cleanup_register(&cleanup);
  /* Another thread may add the same text meanwhile; one of the two is then never found. */
  made->next = atomic_load(&newest);
  while (!atomic_compare_exchange_weak(&newest, &made->next, made)) {
  }
  return made->text;
}

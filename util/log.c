#include "util/log.h"

#include <event2/util.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_LEN 1024

uint32_t strata_debug_logging_mask;

static strata_log_fn log_callback;
static strata_fatal_fn fatal_callback;

void strata_set_log_callback(strata_log_fn callback) {
  log_callback = callback;
}

void strata_set_fatal_callback(strata_fatal_fn callback) {
  fatal_callback = callback;
}

void strata_set_debug_logging(uint32_t mask) {
  strata_debug_logging_mask = mask;
}

static const char *severity_name(int severity) {
  switch (severity) {
    case STRATA_LOG_DEBUG:
      return "debug";
    case STRATA_LOG_MSG:
      return "msg";
    case STRATA_LOG_WARN:
      return "warn";
    case STRATA_LOG_ERR:
      return "err";
    default:
      return "???";
  }
}

/* error_text may be NULL. */
static void deliver(int severity, const char *error_text, const char *format, va_list args) {
  char message[MESSAGE_LEN];
  int len = vsnprintf(message, sizeof(message), format, args);
  if (len < 0) len = snprintf(message, sizeof(message), "(bad format)");
  if (error_text && (size_t)len < sizeof(message) - 3)
    snprintf(message + len, sizeof(message) - (size_t)len, ": %s", error_text);
  if (log_callback)
    log_callback(severity, message);
  else
    fprintf(stderr, "[%s] %s\n", severity_name(severity), message);
}

/* Reporting an error must not hide it: the caller may look again. */
struct last_errors {
  int errno_value;
  int socket_error; /* the same on POSIX */
};

static struct last_errors errors_save(void) {
  return (struct last_errors){errno, EVUTIL_SOCKET_ERROR()};
}

static void errors_restore(const struct last_errors *errors) {
  EVUTIL_SET_SOCKET_ERROR(errors->socket_error);
  errno = errors->errno_value;
}

void strata_log(int severity, const char *format, ...) {
  struct last_errors saved = errors_save();
  va_list args;
  va_start(args, format);
  deliver(severity, NULL, format, args);
  va_end(args);
  errors_restore(&saved);
}

void strata_log_errno(int severity, const char *format, ...) {
  struct last_errors saved = errors_save();
  va_list args;
  va_start(args, format);
  deliver(severity, evutil_socket_error_to_string(saved.socket_error), format, args);
  va_end(args);
  errors_restore(&saved);
}

/* The callback may leave by longjmp or by ending the program; a return is not accepted. */
static STRATA_NORETURN void end_program(int error) {
  if (fatal_callback) fatal_callback(error);
  if (error == STRATA_ERR_ABORT) abort();
  exit(error);
}

void strata_fatal(int error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  deliver(STRATA_LOG_ERR, NULL, format, args);
  va_end(args);
  end_program(error);
}

void strata_assert_failed(const char *file, int line, const char *condition, const char *function) {
  strata_fatal(STRATA_ERR_ABORT, "%s:%d: Assertion %s failed in %s", file, line, condition,
               function);
}

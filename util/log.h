#ifndef STRATA_UTIL_LOG_H_
#define STRATA_UTIL_LOG_H_

#include <event2/util.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Messages for the person who runs the program. Severities are libevent's EVENT_LOG_* values.
 * Without a callback they go to stderr; debug messages only when the mask asks for them. */
enum strata_log_severity {
  STRATA_LOG_DEBUG = 0,
  STRATA_LOG_MSG = 1,
  STRATA_LOG_WARN = 2,
  STRATA_LOG_ERR = 3,
};

typedef void (*strata_log_fn)(int severity, const char *message);
typedef void (*strata_fatal_fn)(int error);

/* NULL restores the default. */
void strata_set_log_callback(strata_log_fn callback);
void strata_set_fatal_callback(strata_fatal_fn callback);
/* 0: none; anything else: debug messages are produced. */
void strata_set_debug_logging(uint32_t mask);

#define STRATA_PRINTF(format_index, first_arg) EVENT2_PRINTF_(format_index, first_arg)
#if defined(__GNUC__)
#define STRATA_NORETURN __attribute__((noreturn))
#else
#define STRATA_NORETURN
#endif

void strata_log(int severity, const char *format, ...) STRATA_PRINTF(2, 3);
/* Appends ": " and the text of EVUTIL_SOCKET_ERROR(): errno, save on Windows. */
void strata_log_errno(int severity, const char *format, ...) STRATA_PRINTF(2, 3);
/* Reports at severity ERR and calls the fatal callback with `error`. Should that return or be
 * absent: aborts on STRATA_ERR_ABORT, else exits with `error` as status. */
#define STRATA_ERR_ABORT ((int)0xdeaddead) /* EVENT_ERR_ABORT_ of event2/event.h */
void strata_fatal(int error, const char *format, ...) STRATA_PRINTF(2, 3) STRATA_NORETURN;

extern uint32_t strata_debug_logging_mask;
#define strata_log_debug(...)                                                 \
  do {                                                                        \
    if (strata_debug_logging_mask) strata_log(STRATA_LOG_DEBUG, __VA_ARGS__); \
  } while (0)

void strata_assert_failed(const char *file, int line, const char *condition,
                          const char *function) STRATA_NORETURN;
/* Caller bugs and broken invariants, in every build. */
#define strata_assert(condition)                                                      \
  do {                                                                                \
    if (!(condition)) strata_assert_failed(__FILE__, __LINE__, #condition, __func__); \
  } while (0)

#ifdef __cplusplus
}
#endif

#endif

#ifndef SAMPLES_HTTPD_ACCESS_LOG_H_
#define SAMPLES_HTTPD_ACCESS_LOG_H_

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evhttp_request;

/*
 * The access log, in the "combined" format that log analysers read:
 *
 *   127.0.0.1 - - [01/Mar/2024:12:00:00 +0100] "GET /a HTTP/1.1" 200 5 "referer" "user agent"
 *
 * Lines are buffered, and written out within a second and when the file is closed. What a client
 * sent is escaped (\" \\ \xHH), so that it cannot forge a line. Requests that evhttp refuses by
 * itself, malformed ones for example, never reach the program and are not in the log.
 */
struct access_log;

/* Opens the file `path` to append to it, or standard output for NULL. Returns NULL with errno. */
FILE *access_log_open(const char *path);

/* Closes what access_log_open() has opened, with everything written out. NULL is allowed. */
void access_log_close(FILE *file);

/* The log of one loop. Several may write to one file, each from its own thread: lines stay whole.
 * The file must outlive it. Returns NULL with errno. */
struct access_log *access_log_new(struct event_base *base, FILE *file);

/* To be called before the base goes: from now on, lines are written out when the file is closed. */
void access_log_detach(struct access_log *log);

/* No line of the log may be left; NULL is allowed. */
void access_log_free(struct access_log *log);

/* What the log will say about one request: a copy, since the request may be gone by then. */
struct access_line;

/* Returns NULL if `log` is NULL or memory ran out: that line will be missing from the log. */
struct access_line *access_line_new(struct access_log *log, struct evhttp_request *req);

/*
 * Logs the line with the reply's status and body length, and frees it. A negative `body_len` says
 * that the client did not get all of the reply, and is logged as "-". NULL is allowed.
 */
void access_line_write(struct access_line *line, int status, int64_t body_len);

#ifdef __cplusplus
}
#endif

#endif

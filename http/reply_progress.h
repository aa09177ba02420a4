#ifndef STRATA_HTTP_REPLY_PROGRESS_H_
#define STRATA_HTTP_REPLY_PROGRESS_H_

#include <stdint.h>

struct evbuffer_cb_entry;
struct strata_http_server_connection;

/* Whether a client takes its replies fast enough (evhttp_set_min_reply_rate()). A bufferevent's
 * write timeout starts anew with every byte taken, so one byte now and then would hold a connection
 * for ever.
 *
 * Replies are not counted before they have waited for a write timeout: most never do. From then on
 * each write timeout's length is judged on its own. */
struct strata_http_reply_progress {
  int64_t check_ns;                /* When to look; 0: nothing is being taken. */
  struct evbuffer_cb_entry *watch; /* Counts what leaves the output; NULL at first. */
  uint64_t taken;
  unsigned caught_up : 1; /* The output was empty for a moment. */
};

/* When to look at the connection's output next; NEVER when it has none, or none is asked for. */
int64_t strata_http_reply_progress_deadline(struct strata_http_server_connection *con,
                                            int64_t now_ns);

/* Whether the connection's deadline, which has come, is that. */
int strata_http_reply_progress_is_due(const struct strata_http_server_connection *con);

/* Looks. Returns whether the client may go on. */
int strata_http_reply_progress_check(struct strata_http_server_connection *con);

/* Stops counting. */
void strata_http_reply_progress_stop(struct strata_http_server_connection *con);

#endif

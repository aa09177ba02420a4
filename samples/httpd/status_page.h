#ifndef SAMPLES_HTTPD_STATUS_PAGE_H_
#define SAMPLES_HTTPD_STATUS_PAGE_H_

#include <stdbool.h>
#include <time.h>

struct counters;
struct evbuffer;
struct evhttp_request;

/* What the status page tells of. */
struct status_page {
  const char *path; /* NULL: there is no such page */
  const struct counters *counters;
  int num_loops;
  time_t started;
};

/* Whether the request asks for the page: its path is that of the page. */
bool status_page_is_asked_for(const struct status_page *page, struct evhttp_request *req);

/* Whether it asks for it as JSON: with the query "json", or an Accept header that names
 * application/json and not text/html. */
bool status_page_wants_json(struct evhttp_request *req);

/* Writes the page. Returns 0, or -1 when memory ran out. */
int status_page_write(const struct status_page *page, bool json, struct evbuffer *output);

#endif

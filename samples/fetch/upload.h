#ifndef SAMPLES_FETCH_UPLOAD_H_
#define SAMPLES_FETCH_UPLOAD_H_

#include <stdint.h>

#include <event2/event.h>
#include <event2/http.h>

/* Has `req` sent with a file's bytes as its body, or with standard input ("-"), which are read as
 * the server takes them; `inout_len` counts them up, and lives as long as the request. 0; -1 with
 * errno: the file can't be read. */
int upload_attach(struct evhttp_request *req, struct event_base *base, const char *path,
                  uint64_t *inout_len);

#endif

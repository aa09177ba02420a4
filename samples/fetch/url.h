#ifndef SAMPLES_FETCH_URL_H_
#define SAMPLES_FETCH_URL_H_

#include <stdbool.h>
#include <stdint.h>

/* An http URL, taken apart for a request. */
struct url {
  const char *text; /* as it was given; not owned */
  char *host;       /* a name or an address, which has no brackets */
  uint16_t port;
  char *target;    /* what the request asks for: the path and the query */
  char *file_name; /* the last part of the path, or "" */
};

/* 0; -1 when it is no URL with the scheme http (or out of memory): then nothing is to be cleared.
 */
int url_parse(const char *text, struct url *out_url);
void url_clear(struct url *url);

/* Whether both can be asked for over one connection. */
bool url_has_same_origin(const struct url *url, const struct url *other);

#endif

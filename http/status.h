#ifndef STRATA_HTTP_STATUS_H_
#define STRATA_HTTP_STATUS_H_

/* Status codes that the server itself sends, beyond those of event2/http.h. */
enum {
  STRATA_HTTP_REQUEST_TIMEOUT = 408,
};

/* The usual reason phrase of a status code (RFC 9110 15 and the IANA registry), a static string;
 * for a code that has none a general word for its class. Never NULL. */
const char *strata_http_status_phrase(int code);

#endif

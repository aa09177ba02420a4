#ifndef STRATA_HTTP_BODY_PROVIDER_H_
#define STRATA_HTTP_BODY_PROVIDER_H_

#include <stdint.h>

#include <event2/http.h>

struct evbuffer;
struct strata_http_request;

/* The body of a reply or of a client's request, written as the user provides it: see
 * evhttp_body_cb in event2/http.h. */

/* Bytes of output at which asking stops, and at which it goes on. A connection gives its
 * bufferevent the second as low write watermark while it has a provider. */
enum { STRATA_HTTP_PROVIDED_HIGH = 256 * 1024, STRATA_HTTP_PROVIDED_LOW = 64 * 1024 };

enum strata_http_delimiter {
  STRATA_HTTP_BY_LENGTH, /* As many bytes as were announced. */
  STRATA_HTTP_BY_CHUNKS, /* RFC 9112 7.1 */
  STRATA_HTTP_BY_CLOSE,  /* The end of the connection. */
};

struct strata_http_body_provider {
  evhttp_body_cb cb; /* NULL: there is none, or no longer. */
  void *arg;
  int64_t len; /* As the user gave it: -1 when unknown. */

  uint64_t left; /* Bytes still owed, when their number is known. */
  enum strata_http_delimiter delimiter;
  unsigned started : 1; /* The head is written: it may be asked. */
  unsigned waiting : 1; /* It had nothing: evhttp_request_body_ready() has it asked again. */
  unsigned asking : 1;  /* It is on the stack. */
  unsigned woken : 1;   /* evhttp_request_body_ready() was called meanwhile. */
};

enum strata_http_provided {
  STRATA_HTTP_PROVIDED_SOME,      /* Enough for now, or it has nothing now. */
  STRATA_HTTP_PROVIDED_ALL,       /* The body is complete, its end written. */
  STRATA_HTTP_PROVIDED_ABORT,     /* It broke off, or gave less than was announced: the connection
                                     has to close without a proper end. */
  STRATA_HTTP_PROVIDED_NO_MEMORY, /* Likewise. */
  STRATA_HTTP_PROVIDED_GONE,      /* The callback has freed or completed the request, or freed its
                                     connection. Nothing more is to be done with it. */
};

/* Gives a request a provider; it is asked only once it is started. */
void strata_http_body_provider_set(struct strata_http_request *request, ev_int64_t len,
                                   evhttp_body_cb cb, void *arg);

/* The head has been written: the body follows, delimited like this; BY_LENGTH it has `len` bytes
 * (0 also for a body that is not to be sent), BY_CHUNKS as many as the user announced. Bytes in the
 * request's output buffer come first. */
void strata_http_body_provider_start(struct strata_http_request *request,
                                     enum strata_http_delimiter delimiter, uint64_t len);

/* Whether there is something to ask it for. */
static inline int strata_http_body_provider_is_ready(
    const struct strata_http_body_provider *provider) {
  return provider->cb && provider->started && !provider->waiting && !provider->asking;
}

/* Asks until `output`, that of the request's connection, has HIGH bytes or the provider has no
 * more. Called between strata_http_request_enter() and leave(). With any result but SOME the
 * provider is gone. */
enum strata_http_provided strata_http_body_provider_fill(struct strata_http_request *request,
                                                         struct evbuffer *output);

/* Lets go of the provider, if there is one: tells the callback that it is over. Within a call of
 * the callback this waits for its return. strata_http_request_release() does it too. */
void strata_http_body_provider_end(struct strata_http_request *request);

#endif

#include "http/body_provider.h"

#include <event2/buffer.h>

#include "http/chunk_writer.h"
#include "http/connection.h"
#include "http/request.h"
#include "util/log.h"

void strata_http_body_provider_set(struct strata_http_request *request, ev_int64_t len,
                                   evhttp_body_cb cb, void *arg) {
  struct strata_http_body_provider *provider = &request->provider;
  strata_assert(cb && !provider->cb);
  provider->cb = cb;
  provider->arg = arg;
  provider->len = len < 0 ? -1 : len;
  provider->started = provider->waiting = provider->asking = provider->woken = 0;
}

void strata_http_body_provider_start(struct strata_http_request *request,
                                     enum strata_http_delimiter delimiter, uint64_t len) {
  struct strata_http_body_provider *provider = &request->provider;
  provider->delimiter = delimiter;
  provider->left =
      delimiter == STRATA_HTTP_BY_CHUNKS && provider->len >= 0 ? (uint64_t)provider->len : len;
  provider->started = 1;
}

void strata_http_body_provider_end(struct strata_http_request *request) {
  struct strata_http_body_provider *provider = &request->provider;
  evhttp_body_cb cb = provider->cb;
  /* On the stack it still uses its argument: then fill() ends it. */
  if (!cb || provider->asking) return;
  provider->cb = NULL;
  cb(&request->pub, NULL, 0, provider->arg);
}

/* ---- Writing ---- */

/* Whether the body ends with the bytes that are left. */
static int is_counted(const struct strata_http_body_provider *provider) {
  return provider->delimiter == STRATA_HTTP_BY_LENGTH ||
         (provider->delimiter == STRATA_HTTP_BY_CHUNKS && provider->len >= 0);
}

/* Drops what is beyond the first `len` bytes. */
static int cut(struct evbuffer *piece, size_t len) {
  struct evbuffer *kept = evbuffer_new();
  int result = -1;
  if (kept && evbuffer_remove_buffer(piece, kept, len) == (int)len &&
      evbuffer_drain(piece, evbuffer_get_length(piece)) == 0)
    result = evbuffer_add_buffer(piece, kept);
  if (kept) evbuffer_free(kept);
  return result;
}

static int write_piece(struct strata_http_body_provider *provider, struct evbuffer *piece,
                       struct evbuffer *output) {
  size_t len = evbuffer_get_length(piece);
  if (is_counted(provider)) {
    /* More than was announced would be taken for the next message. */
    if (len > provider->left && cut(piece, len = (size_t)provider->left) < 0) return -1;
    provider->left -= len;
  }
  if (!len) return 0;
  return provider->delimiter == STRATA_HTTP_BY_CHUNKS ? strata_http_chunk_write(output, piece)
                                                      : evbuffer_add_buffer(output, piece);
}

/* ---- Asking ---- */

static int is_gone(const struct strata_http_request *request) {
  return !request->pub.evcon || request->pub.userdone ||
         (request->pub.flags & EVHTTP_REQ_NEEDS_FREE);
}

static int has_all(const struct strata_http_body_provider *provider) {
  return is_counted(provider) && provider->left == 0;
}

static enum strata_http_provided finish(struct strata_http_request *request,
                                        struct evbuffer *output) {
  struct strata_http_body_provider *provider = &request->provider;
  if (is_counted(provider) && provider->left) return STRATA_HTTP_PROVIDED_ABORT;
  if (provider->delimiter == STRATA_HTTP_BY_CHUNKS && strata_http_chunk_write_last(output) < 0)
    return STRATA_HTTP_PROVIDED_NO_MEMORY;
  return STRATA_HTTP_PROVIDED_ALL;
}

static int ask(struct strata_http_request *request, size_t room) {
  struct strata_http_body_provider *provider = &request->provider;
  int result;
  provider->asking = 1;
  provider->woken = 0;
  result = provider->cb(&request->pub, request->pub.output_buffer, room, provider->arg);
  provider->asking = 0;
  return result;
}

/* The provider had nothing. */
static enum strata_http_provided wait(struct strata_http_request *request) {
  struct strata_http_body_provider *provider = &request->provider;
  if (provider->woken)
    strata_http_connection_defer(request->pub.evcon);
  else
    provider->waiting = 1;
  return STRATA_HTTP_PROVIDED_SOME;
}

static enum strata_http_provided fill(struct strata_http_request *request,
                                      struct evbuffer *output) {
  struct strata_http_body_provider *provider = &request->provider;
  struct evbuffer *piece = request->pub.output_buffer;
  size_t len;
  if (write_piece(provider, piece, output) < 0) return STRATA_HTTP_PROVIDED_NO_MEMORY;
  while (!has_all(provider) && (len = evbuffer_get_length(output)) < STRATA_HTTP_PROVIDED_HIGH) {
    int result = ask(request, STRATA_HTTP_PROVIDED_HIGH - len);
    int nothing;
    if (is_gone(request)) return STRATA_HTTP_PROVIDED_GONE;
    nothing = evbuffer_get_length(piece) == 0;
    if (write_piece(provider, piece, output) < 0) return STRATA_HTTP_PROVIDED_NO_MEMORY;
    if (result < 0) return STRATA_HTTP_PROVIDED_ABORT;
    if (result == EVHTTP_BODY_LAST) return finish(request, output);
    if (nothing) return wait(request);
  }
  return has_all(provider) ? finish(request, output) : STRATA_HTTP_PROVIDED_SOME;
}

enum strata_http_provided strata_http_body_provider_fill(struct strata_http_request *request,
                                                         struct evbuffer *output) {
  enum strata_http_provided result;
  if (evbuffer_get_length(output) >= STRATA_HTTP_PROVIDED_HIGH) return STRATA_HTTP_PROVIDED_SOME;
  result = fill(request, output);
  if (result != STRATA_HTTP_PROVIDED_SOME) strata_http_body_provider_end(request);
  return result;
}

void evhttp_request_body_ready(struct evhttp_request *req) {
  struct strata_http_body_provider *provider = &strata_http_request_of(req)->provider;
  provider->woken = 1;
  if (!provider->waiting) return;
  provider->waiting = 0;
  if (req->evcon) strata_http_connection_resume(req->evcon);
}

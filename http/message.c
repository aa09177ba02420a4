#include "http/message.h"

#include <event2/buffer.h>

#include "buffer/evbuffer_internal.h"
#include "http/trailers.h"

/* Makes more of the input lie together: twice as much as now, so that a message which trickles in
 * is not copied over and over. */
static int join_bytes(struct evbuffer *input, struct evbuffer_iovec *first) {
  size_t total = evbuffer_length(input);
  size_t want = first->iov_len < 2048 ? 4096 : first->iov_len * 2;
  if (want > total) want = total;
  first->iov_base = evbuffer_pullup(input, (ev_ssize_t)want);
  first->iov_len = want;
  return first->iov_base ? 0 : -1;
}

int strata_http_message_parse_head(struct strata_http_request *request, struct evbuffer *input,
                                   const char **out_data) {
  struct evbuffer_iovec first = evbuffer_first_bytes(input);
  enum evhttp_parse_result result =
      evhttp_head_parse(&request->parser, first.iov_base, first.iov_len);
  while (result == EVHTTP_PARSE_PARTIAL && first.iov_len < evbuffer_length(input)) {
    if (join_bytes(input, &first) < 0) return -1;
    result = evhttp_head_parse(&request->parser, first.iov_base, first.iov_len);
  }
  *out_data = first.iov_base;
  return (int)result;
}

/* ---- The body ---- */

void strata_http_message_begin_body(struct strata_http_request *request, uint64_t max_len,
                                    int discard) {
  struct evhttp_chunk_limits limits = evhttp_chunk_default_limits;
  request->max_body_len = max_len;
  request->discard_excess = discard ? 1 : 0;
  if (request->framing.body != EVHTTP_BODY_CHUNKED) return;
  if (!discard) limits.body_len = max_len;
  /* The head is taken care of: its fields' places serve for the trailer's. */
  if (request->parser.fields && request->parser.limits.num_fields < limits.trailer.num_fields)
    limits.trailer.num_fields = request->parser.limits.num_fields;
  evhttp_chunk_decoder_init(&request->chunks, request->parser.fields, &limits);
}

/* Moves `len` bytes of the input, which has them, to the body. */
static int take_body(struct strata_http_request *request, struct evbuffer *input, size_t len) {
  request->pub.body_size += len;
  if (request->pub.body_size > request->max_body_len) {
    if (!request->discard_excess) return EVHTTP_PARSE_BODY_TOO_LARGE;
    request->discard_body = 1;
  }
  if (request->discard_body)
    evbuffer_drain(input, len);
  else if (evbuffer_remove_buffer(input, request->pub.input_buffer, len) != (int)len)
    return -1;
  return EVHTTP_PARSE_PARTIAL;
}

static int read_counted(struct strata_http_request *request, struct evbuffer *input) {
  size_t len = evbuffer_length(input);
  int result;
  if ((uint64_t)len > (uint64_t)request->pub.ntoread) len = (size_t)request->pub.ntoread;
  result = len ? take_body(request, input, len) : EVHTTP_PARSE_PARTIAL;
  if (result != EVHTTP_PARSE_PARTIAL) return result;
  request->pub.ntoread -= (ev_int64_t)len;
  return request->pub.ntoread ? EVHTTP_PARSE_PARTIAL : EVHTTP_PARSE_DONE;
}

/* One step of the decoder, on `first`, which is then what comes next of the input; empty: there is
 * nothing to go on with. */
static int step_chunked(struct strata_http_request *request, struct evbuffer *input,
                        struct evbuffer_iovec *first) {
  struct evhttp_chunk_event event;
  size_t used = evhttp_chunk_step(&request->chunks, first->iov_base, first->iov_len, &event);
  if (event.kind == EVHTTP_CHUNK_DATA) {
    int result;
    evbuffer_drain(input, used - event.data_len);
    result = take_body(request, input, event.data_len);
    *first = evbuffer_first_bytes(input);
    return result;
  }
  if (event.kind == EVHTTP_CHUNK_DONE && request->parser.fields &&
      strata_http_trailers_take(&request->trailers, &request->chunks.trailer, event.data) < 0)
    return -1;
  evbuffer_drain(input, used);
  if (event.kind != EVHTTP_CHUNK_MORE) return (int)event.error;
  if (used == first->iov_len) {
    *first = evbuffer_first_bytes(input);
  } else if (first->iov_len == evbuffer_length(input) + used) {
    first->iov_len = 0;
  } else {
    /* The beginning of a trailer section: it wants to see more of it at once. */
    *first = evbuffer_first_bytes(input);
    if (join_bytes(input, first) < 0) return -1;
  }
  return EVHTTP_PARSE_PARTIAL;
}

static int read_chunked(struct strata_http_request *request, struct evbuffer *input) {
  struct evbuffer_iovec first = evbuffer_first_bytes(input);
  int result = EVHTTP_PARSE_PARTIAL;
  while (result == EVHTTP_PARSE_PARTIAL && first.iov_len)
    result = step_chunked(request, input, &first);
  return result;
}

static int read_until_close(struct strata_http_request *request, struct evbuffer *input) {
  size_t len = evbuffer_length(input);
  return len ? take_body(request, input, len) : EVHTTP_PARSE_PARTIAL;
}

int strata_http_message_read_body(struct strata_http_request *request, struct evbuffer *input) {
  switch (request->framing.body) {
    case EVHTTP_BODY_CHUNKED:
      return read_chunked(request, input);
    case EVHTTP_BODY_UNTIL_CLOSE:
      return read_until_close(request, input);
    default:
      return read_counted(request, input);
  }
}

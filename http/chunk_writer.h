#ifndef STRATA_HTTP_CHUNK_WRITER_H_
#define STRATA_HTTP_CHUNK_WRITER_H_

struct evbuffer;

/* Writes chunked bodies (RFC 9112 7.1). */

/* Moves what `piece` has to the end of `output`, as one chunk; nothing when it is empty. Returns 0;
 * or -1 when out of memory: what is in `output` then is of no use any more. */
int strata_http_chunk_write(struct evbuffer *output, struct evbuffer *piece);

/* Writes the end of a body without trailers. 0, or -1. */
int strata_http_chunk_write_last(struct evbuffer *output);

#endif

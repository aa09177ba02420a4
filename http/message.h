#ifndef STRATA_HTTP_MESSAGE_H_
#define STRATA_HTTP_MESSAGE_H_

#include "http/request.h"

struct evbuffer;

/* Reading messages, requests or responses, out of a connection's input. Both functions return an
 * enum evhttp_parse_result, or -1 when out of memory: the message cannot go on then. */

/* Goes on with the head that begins the input, by request->parser. The head stays in the input;
 * with DONE or an error *out_data is where it begins, contiguous as far as it was parsed. */
int strata_http_message_parse_head(struct strata_http_request *request, struct evbuffer *input,
                                   const char **out_data);

/* Prepares for the body that request->framing, a complete head's, announces. Of a body longer than
 * max_len: `discard` 0: is refused (BODY_TOO_LARGE) as soon as that is known; 1: nothing is kept,
 * request->discard_body is set, and reading goes on to its end. */
void strata_http_message_begin_body(struct strata_http_request *request, uint64_t max_len,
                                    int discard);

/* Moves what has come of the body from the input to the request's input buffer. PARTIAL: there is
 * more to come, with EVHTTP_BODY_UNTIL_CLOSE always. */
int strata_http_message_read_body(struct strata_http_request *request, struct evbuffer *input);

#endif

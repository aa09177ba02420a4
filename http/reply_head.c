#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "buffer/evbuffer_internal.h"
#include "http/headers.h"
#include "http/reply.h"
#include "http/scan.h"
#include "http/server.h"
#include "http/server_connection.h"
#include "http/status.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

/* Reply heads are put together by hand in the output's own memory: this is done for every
 * request. */

/* Which of the fields that delimit the body are sent. */
enum delimiter {
  DELIMIT_NONE,
  DELIMIT_LENGTH,
  DELIMIT_CHUNKED,    /* After whatever codings the user has applied. */
  DELIMIT_OWN_CODING, /* The user has encoded the body and says how. */
};

struct head {
  struct strata_http_request *request;
  const struct strata_http_reply *reply;
  size_t reason_len;
  /* Fields among the output headers that matter here; NULL when absent. */
  const char *date, *connection, *content_type, *content_length, *transfer_encoding;
  unsigned has_coding : 1;  /* There is a transfer coding. */
  unsigned has_codings : 1; /* There are some beside chunked. */
  size_t fields_len;
  enum delimiter delimiter;
  uint64_t length;
  const char *persistence; /* Value of our Connection field, or NULL. */
};

/* ---- What is there ---- */

/* Programs may have changed the strings of a pair since it was added, so their lengths are those of
 * now. */
static const char **head_slot(struct head *head, const char *key, size_t key_len) {
  switch (key_len) {
    case 4:
      return strata_http_equal_nocase(key, 4, "date") ? &head->date : NULL;
    case 10:
      return strata_http_equal_nocase(key, 10, "connection") ? &head->connection : NULL;
    case 12:
      return strata_http_equal_nocase(key, 12, "content-type") ? &head->content_type : NULL;
    case 14:
      return strata_http_equal_nocase(key, 14, "content-length") ? &head->content_length : NULL;
    case 17:
      return strata_http_equal_nocase(key, 17, "transfer-encoding") ? &head->transfer_encoding
                                                                    : NULL;
    default:
      return NULL;
  }
}

static int slot_delimits(struct head *head, const char **slot) {
  return slot == &head->content_length || slot == &head->transfer_encoding;
}

/* Where the last coding of a list begins that is `*len` bytes long, `*len` made to end with it. */
static size_t last_coding(const char *codings, size_t *len) {
  size_t start;
  while (*len && strchr(" \t,", codings[*len - 1])) --*len;
  for (start = *len; start && codings[start - 1] != ','; start--) continue;
  return start + strspn(codings + start, " \t");
}

/* The length of a list of codings without the chunked at its end. */
static size_t codings_len(const char *codings) {
  size_t len = strlen(codings), start = last_coding(codings, &len);
  while (strata_http_equal_nocase(codings + start, len - start, "chunked")) {
    len = start;
    start = last_coding(codings, &len);
  }
  return len;
}

/* The length of a list of codings; 0 when it names none. */
static size_t all_codings_len(const char *codings) {
  size_t len = strlen(codings);
  (void)last_coding(codings, &len);
  return len;
}

static void survey_codings(struct head *head, const char *codings) {
  size_t len = all_codings_len(codings);
  if (len || !head->transfer_encoding) head->transfer_encoding = codings;
  if (len) head->has_coding = 1;
  if (len && codings_len(codings)) head->has_codings = 1;
}

static void head_survey(struct head *head) {
  const struct evkeyval *pair;
  EV_TAILQ_FOREACH(pair, &head->request->output_headers, next) {
    size_t key_len = strlen(pair->key);
    const char **slot = head_slot(head, pair->key, key_len);
    if (slot == &head->transfer_encoding)
      survey_codings(head, pair->value);
    else if (slot)
      *slot = pair->value;
    if (slot == &head->connection && strata_http_value_lists(pair->value, "close"))
      head->request->close_after = 1;
    head->fields_len += key_len + strlen(pair->value) + 4;
  }
}

/* ---- What to say ---- */

int strata_http_reply_has_body(const struct strata_http_request *request, int code) {
  return code >= 200 && code != 204 && code != 205 && code != 304 &&
         request->pub.type != EVHTTP_REQ_HEAD;
}

/* What follows the head is not HTTP: the interim statuses announce another reply or protocol, and
 * after CONNECT comes the tunnel (RFC 9110 15.2, 9.3.6). */
static int leaves_http(const struct head *head) {
  int code = head->reply->code;
  return code < 200 || (code < 300 && head->request->pub.type == EVHTTP_REQ_CONNECT);
}

static int parse_length(const char *text, uint64_t *out_length) {
  uint64_t length = 0;
  if (!text || !*text) return 0;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || length > (INT64_MAX - 9) / 10) return 0;
    length = length * 10 + (uint64_t)(*text - '0');
  }
  *out_length = length;
  return 1;
}

/* Whether the codings that the user names are sent, which leaves no place for a length (RFC 9112
 * 6.2). An HTTP/1.0 client would not understand them (6.1). */
static int sends_codings(const struct head *head) {
  if (head->request->pub.minor < 1) return 0;
  return head->reply->kind == STRATA_HTTP_REPLY_WHOLE ? head->has_coding : head->has_codings;
}

/* A Content-Length without a body says what a GET would get (RFC 9110 8.6); with 205 it says that
 * there is none (15.3.6). */
static void delimit_bodiless(struct head *head) {
  const struct strata_http_reply *reply = head->reply;
  if (reply->code == 205) head->delimiter = DELIMIT_LENGTH;
  if (reply->code == 204 || reply->code == 205 || sends_codings(head)) return;
  if (parse_length(head->content_length, &head->length)) {
    head->delimiter = DELIMIT_LENGTH;
  } else if (reply->code != 304 && reply->kind != STRATA_HTTP_REPLY_STREAMED && reply->body_len) {
    head->length = reply->body_len;
    head->delimiter = DELIMIT_LENGTH;
  }
}

/* What the user says to be the length of the body that follows in pieces. */
static int known_length(struct head *head) {
  if (head->reply->kind != STRATA_HTTP_REPLY_COUNTED)
    return parse_length(head->content_length, &head->length);
  head->length = head->reply->body_len;
  return 1;
}

static void delimit_streamed(struct head *head) {
  struct strata_http_request *request = head->request;
  if (!sends_codings(head) && known_length(head)) {
    head->delimiter = DELIMIT_LENGTH;
    request->has_length = 1;
    request->body_left = head->length;
  } else if (request->pub.minor >= 1) {
    head->delimiter = DELIMIT_CHUNKED;
    request->pub.chunked = 1;
  } else {
    request->close_after = 1;
  }
}

/* Whether the coding applied last is chunked, which says where the body ends. */
static int ends_chunked(const char *codings) {
  size_t len = strlen(codings), start = last_coding(codings, &len);
  return strata_http_equal_nocase(codings + start, len - start, "chunked");
}

/* A Content-Length of the user's that disagrees with the body would make the rest of the
 * connection ambiguous: ours is sent instead. */
static void delimit_whole(struct head *head) {
  if (sends_codings(head)) {
    head->delimiter = DELIMIT_OWN_CODING;
    if (!ends_chunked(head->transfer_encoding)) head->request->close_after = 1;
  } else {
    head->delimiter = DELIMIT_LENGTH;
    head->length = head->reply->body_len;
  }
}

static void head_delimit(struct head *head) {
  if (leaves_http(head)) return;
  if (!strata_http_reply_has_body(head->request, head->reply->code))
    delimit_bodiless(head);
  else if (head->reply->kind != STRATA_HTTP_REPLY_WHOLE)
    delimit_streamed(head);
  else
    delimit_whole(head);
}

static void head_persist(struct head *head) {
  struct strata_http_request *request = head->request;
  const struct strata_http_server_connection *con =
      strata_http_server_connection_of(request->pub.evcon);
  /* A reply that overtakes the request's body leaves no way to find the next request. */
  if (con->state != STRATA_HTTP_HANDLER || !request->framing.keep_alive ||
      con->num_requests >= con->server->patience.max_requests)
    request->close_after = 1;
  if (leaves_http(head)) {
    request->close_after = 1;
  } else if (request->close_after) {
    if (!head->connection || !strata_http_value_lists(head->connection, "close"))
      head->persistence = "close";
  } else if (request->pub.minor == 0 && !head->connection) {
    head->persistence = "keep-alive";
  }
}

/* ---- Writing ---- */

static char *put(char *at, const char *bytes, size_t len) {
  memcpy(at, bytes, len);
  return at + len;
}

#define PUT_LITERAL(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_field(char *at, const char *name, size_t name_len, const char *value,
                       size_t value_len) {
  at = put(at, name, name_len);
  at = PUT_LITERAL(at, ": ");
  at = put(at, value, value_len);
  return PUT_LITERAL(at, "\r\n");
}

#define PUT_OUR_FIELD(at, name, value) put_field(at, name, sizeof(name) - 1, value, strlen(value))

static char *put_number(char *at, uint64_t number) {
  char digits[20];
  int i = 20;
  do {
    digits[--i] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  return put(at, digits + i, (size_t)(20 - i));
}

static char *put_status_line(char *at, const struct head *head) {
  int code = head->reply->code;
  at = PUT_LITERAL(at, "HTTP/1.");
  *at++ = head->request->pub.minor ? '1' : '0';
  *at++ = ' ';
  *at++ = (char)('0' + code / 100);
  *at++ = (char)('0' + code / 10 % 10);
  *at++ = (char)('0' + code % 10);
  *at++ = ' ';
  at = put(at, head->reply->reason, head->reason_len);
  return PUT_LITERAL(at, "\r\n");
}

static char *put_output_headers(char *at, struct head *head) {
  const struct evkeyval *pair;
  int has_delimiter = head->content_length || head->transfer_encoding;
  EV_TAILQ_FOREACH(pair, &head->request->output_headers, next) {
    size_t key_len = strlen(pair->key);
    if (!has_delimiter || !slot_delimits(head, head_slot(head, pair->key, key_len)))
      at = put_field(at, pair->key, key_len, pair->value, strlen(pair->value));
  }
  return at;
}

/* The user's codings, however many fields they are in, and ours behind them. */
static char *put_codings(char *at, struct head *head) {
  int is_own = head->delimiter == DELIMIT_OWN_CODING;
  const struct evkeyval *pair;
  const char *separator = "";
  at = PUT_LITERAL(at, "Transfer-Encoding: ");
  EV_TAILQ_FOREACH(pair, &head->request->output_headers, next) {
    size_t len;
    if (head_slot(head, pair->key, strlen(pair->key)) != &head->transfer_encoding) continue;
    len = is_own ? all_codings_len(pair->value) : codings_len(pair->value);
    if (!len) continue;
    at = put(at, separator, strlen(separator));
    at = put(at, pair->value, len);
    separator = ", ";
  }
  if (!is_own) {
    at = put(at, separator, strlen(separator));
    at = PUT_LITERAL(at, "chunked");
  }
  return PUT_LITERAL(at, "\r\n");
}

static char *put_delimiter(char *at, struct head *head) {
  switch (head->delimiter) {
    case DELIMIT_LENGTH:
      at = PUT_LITERAL(at, "Content-Length: ");
      at = put_number(at, head->length);
      return PUT_LITERAL(at, "\r\n");
    case DELIMIT_CHUNKED:
      if (!head->has_codings) return PUT_LITERAL(at, "Transfer-Encoding: chunked\r\n");
      return put_codings(at, head);
    case DELIMIT_OWN_CODING:
      return put_codings(at, head);
    case DELIMIT_NONE:
      break;
  }
  return at;
}

static char *put_head(char *at, struct head *head) {
  struct evhttp *http = evhttp_connection_get_server(head->request->pub.evcon);
  at = put_status_line(at, head);
  at = put_output_headers(at, head);
  if (!head->date)
    at = put(at, strata_http_date_line(&http->date, http->base), STRATA_HTTP_DATE_LINE_LEN);
  if (head->reply->content_type) at = PUT_OUR_FIELD(at, "Content-Type", head->reply->content_type);
  if (head->reply->allow) at = PUT_OUR_FIELD(at, "Allow", head->reply->allow);
  at = put_delimiter(at, head);
  if (head->persistence) at = PUT_OUR_FIELD(at, "Connection", head->persistence);
  return PUT_LITERAL(at, "\r\n");
}

/* Room for everything that put_head() may write. */
static size_t head_bound(const struct head *head) {
  const struct strata_http_reply *reply = head->reply;
  size_t fixed = sizeof(
      "HTTP/1.1 200 \r\nContent-Type: \r\nAllow: \r\nConnection: keep-alive\r\n"
      "Content-Length: 18446744073709551615\r\nTransfer-Encoding: chunked\r\n\r\n");
  return fixed + STRATA_HTTP_DATE_LINE_LEN + head->reason_len + head->fields_len +
         (reply->content_type ? strlen(reply->content_type) : 0) +
         (reply->allow ? strlen(reply->allow) : 0);
}

static int head_write(struct head *head, const char *extra, size_t extra_len) {
  struct evbuffer *output = strata_http_connection_output(head->request->pub.evcon);
  struct evbuffer_chain *chain = evbuffer_begin_add(output, head_bound(head) + extra_len);
  char *start, *end;
  if (!chain) return -1;
  start = (char *)strata_chain_end(chain);
  end = put_head(start, head);
  if (extra_len) end = put(end, extra, extra_len);
  evbuffer_end_add(output, chain, (size_t)(end - start));
  return 0;
}

/* Remembers status and reason in the request. A reason ends where it would begin another line;
 * only one that is not the usual phrase is copied. */
static void remember_status(struct head *head, const struct strata_http_reply *reply) {
  struct strata_http_request *request = head->request;
  const char *phrase = strata_http_status_phrase(reply->code);
  request->pub.response_code = reply->code;
  request->pub.kind = EVHTTP_RESPONSE;
  if (request->reason_is_own) strata_free(request->pub.response_code_line);
  request->reason_is_own = 0;
  request->pub.response_code_line = (char *)phrase;
  head->reason_len = strlen(phrase);
  if (reply->reason && strcmp(reply->reason, phrase) != 0) {
    size_t len = strcspn(reply->reason, "\r\n");
    char *copy = strata_strndup(reply->reason, len);
    if (!copy) return;
    request->pub.response_code_line = copy;
    request->reason_is_own = 1;
    head->reason_len = len;
  }
}

int strata_http_reply_head(struct strata_http_request *request,
                           const struct strata_http_reply *reply, const char *extra,
                           size_t extra_len) {
  struct strata_http_reply said = *reply;
  struct head head;
  strata_assert(reply->code >= 100 && reply->code <= 999);
  memset(&head, 0, sizeof(head));
  head.request = request;
  head.reply = &said;
  remember_status(&head, reply);
  said.reason = request->pub.response_code_line;
  if (!strata_http_reply_has_body(request, reply->code)) said.content_type = NULL;
  head_survey(&head);
  if (head.content_type) said.content_type = NULL;
  head_delimit(&head);
  head_persist(&head);
  request->started = 1;
  return head_write(&head, extra, extra_len);
}

#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "http/headers.h"
#include "http/parser.h"
#include "http/scan.h"
#include "http/ws_handshake.h"
#include "http/ws_session.h"
#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

/* What an answer may have. */
static const struct evhttp_head_limits kLimits = {8 * 1024, 64 * 1024, 100};
enum { MAX_FIELDS = 100 };

/* A session that is not open yet: its handshake. Freed when it is. */
struct strata_ws_client {
  struct bufferevent *bufev; /* The session's once it has started. */
  struct evbuffer *head;     /* The request; without the empty line until it is complete. */
  int is_complete;
  char *offered; /* Subprotocols; NULL for none. */
  char key[STRATA_WS_KEY_LEN + 1];
  int64_t timeout_ns;
  evws_event_cb opencb;
  void *opencb_arg;
  struct evhttp_head_parser parser;
  struct evhttp_head_field fields[MAX_FIELDS];
};

void strata_ws_client_free(struct strata_ws_client *client) {
  if (client->bufev) bufferevent_free(client->bufev);
  if (client->head) evbuffer_free(client->head);
  strata_free(client->offered);
  strata_free(client);
}

/* ---- The request ---- */

static int is_target(const char *path) {
  const char *end = path + strlen(path);
  return *path == '/' && strata_http_scan_target(path, end) == end;
}

static int is_text(const char *value) {
  const char *end = value + strlen(value);
  return strata_http_scan_text(value, end) == end;
}

static int is_host(const char *host) {
  const char *end = host + strlen(host);
  return *host && strata_http_scan_target(host, end) == end && !strpbrk(host, "/?@");
}

static int is_name(const char *name) {
  const char *end = name + strlen(name);
  return *name && strata_http_scan_token(name, end) == end;
}

static int write_head(struct strata_ws_client *client, const char *host, const char *path) {
  client->head = evbuffer_new();
  if (!client->head) return -1;
  return evbuffer_add_printf(client->head,
                             "GET %s HTTP/1.1\r\n"
                             "Host: %s\r\n"
                             "Upgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Key: %s\r\n"
                             "Sec-WebSocket-Version: 13\r\n",
                             path, host, client->key) < 0
             ? -1
             : 0;
}

static struct strata_ws_client *client_new(const char *host, const char *path) {
  struct strata_ws_client *client = strata_calloc(1, sizeof(*client));
  if (!client) return NULL;
  strata_ws_make_key(client->key);
  client->timeout_ns = (int64_t)STRATA_WS_DEFAULT_HANDSHAKE_S * STRATA_NS_PER_SECOND;
  evhttp_head_parser_init_response(&client->parser, client->fields, &kLimits);
  if (write_head(client, host, path) == 0) return client;
  strata_ws_client_free(client);
  return NULL;
}

struct evws_connection *evws_client_new(struct bufferevent *bufev, const char *host,
                                        const char *path, ws_on_msg_cb cb, void *arg, int options) {
  struct evws_connection *evws;
  struct strata_ws_client *client;
  if (!is_host(host) || !is_target(path)) return NULL;
  client = client_new(host, path);
  if (!client) return NULL;
  evws = strata_ws_new(bufferevent_get_base(bufev), STRATA_WS_CLIENT, cb, arg, options);
  if (!evws) {
    strata_ws_client_free(client);
    return NULL;
  }
  client->bufev = bufev;
  evws->client = client;
  return evws;
}

/* Offers of several fields are one list (RFC 6455 11.3.4). */
static int add_offer(struct strata_ws_client *client, const char *value) {
  size_t old_len = client->offered ? strlen(client->offered) : 0, len = strlen(value);
  char *offered = strata_realloc(client->offered, old_len + len + 2);
  if (!offered) return -1;
  client->offered = offered;
  if (old_len) offered[old_len++] = ',';
  memcpy(offered + old_len, value, len + 1);
  return 0;
}

int evws_client_add_header(struct evws_connection *evws, const char *name, const char *value) {
  struct strata_ws_client *client = evws->client;
  if (!client || evws->bufev || client->is_complete || !is_name(name) || !is_text(value)) return -1;
  if (!evutil_ascii_strcasecmp(name, "Sec-WebSocket-Protocol") && add_offer(client, value) < 0)
    return -1;
  return evbuffer_add_printf(client->head, "%s: %s\r\n", name, value) < 0 ? -1 : 0;
}

static int complete_head(struct strata_ws_client *client) {
  if (!client->is_complete && evbuffer_add(client->head, "\r\n", 2) < 0) return -1;
  client->is_complete = 1;
  return 0;
}

int evws_client_start(struct evws_connection *evws) {
  struct strata_ws_client *client = evws->client;
  struct timeval tv;
  if (!client || evws->bufev) return -1;
  tv = strata_ns_to_timeval(client->timeout_ns);
  if (complete_head(client) < 0 || event_add(&evws->timer, &tv) < 0) return -1;
  if (bufferevent_write_buffer(client->bufev, client->head) < 0) {
    event_del(&evws->timer);
    return -1;
  }
  strata_ws_start(evws, client->bufev, STRATA_WS_CONNECTING);
  client->bufev = NULL;
  return 0;
}

void evws_client_set_opencb(struct evws_connection *evws, evws_event_cb cb, void *arg) {
  if (!evws->client) return;
  evws->client->opencb = cb;
  evws->client->opencb_arg = arg;
}

void evws_client_set_handshake_timeout(struct evws_connection *evws, const struct timeval *tv) {
  int64_t timeout_ns =
      tv ? strata_timeval_to_ns(tv) : (int64_t)STRATA_WS_DEFAULT_HANDSHAKE_S * STRATA_NS_PER_SECOND;
  if (evws->client) evws->client->timeout_ns = timeout_ns > 0 ? timeout_ns : 1;
}

/* ---- The answer ---- */

static int copy_fields(const struct evhttp_head_parser *parser, const char *data,
                       struct evkeyvalq *out_headers) {
  for (uint32_t i = 0; i < parser->num_fields; i++) {
    const struct evhttp_head_field *field = &parser->fields[i];
    if (strata_http_headers_add(out_headers, data + field->name_off, field->name_len,
                                data + field->value_off, field->value_len) < 0)
      return -1;
  }
  return 0;
}

/* Whether the server agrees, and what to. */
static int check_answer(struct evws_connection *evws, const char *data) {
  struct strata_ws_client *client = evws->client;
  struct evkeyvalq headers;
  const char *subprotocol = NULL;
  int agreed;
  EV_TAILQ_INIT(&headers);
  agreed = copy_fields(&client->parser, data, &headers) == 0 &&
           strata_ws_response_check(&headers, client->key, client->offered, &subprotocol);
  if (agreed && subprotocol) {
    evws->subprotocol = strata_strdup(subprotocol);
    agreed = evws->subprotocol != NULL;
  }
  evhttp_clear_headers(&headers);
  return agreed;
}

static void open_session(struct evws_connection *evws) {
  struct strata_ws_client *client = evws->client;
  evws_event_cb opencb = client->opencb;
  void *arg = client->opencb_arg;
  strata_ws_client_free(client);
  evws->client = NULL;
  strata_ws_enter(evws, STRATA_WS_OPEN);
  evws->again = 1; /* What other threads have sent waits. */
  if (opencb) opencb(evws, arg);
}

/* A head is complete. */
static void take_answer(struct evws_connection *evws, const char *data) {
  struct strata_ws_client *client = evws->client;
  struct evbuffer *input = bufferevent_get_input(evws->bufev);
  uint32_t consumed = client->parser.consumed;
  int status = client->parser.status_code;
  evws->response_code = status;
  if (status == 101 && client->parser.version_minor >= 1 && check_answer(evws, data)) {
    evbuffer_drain(input, consumed);
    open_session(evws);
  } else if (status < 200 && status != 101) {
    /* RFC 9110 15.2: there is another answer to come. */
    evbuffer_drain(input, consumed);
    evhttp_head_parser_init_response(&client->parser, client->fields, &kLimits);
  } else {
    evws->broken = 1;
  }
}

int strata_ws_client_step(struct evws_connection *evws) {
  struct strata_ws_client *client = evws->client;
  struct evbuffer *input = bufferevent_get_input(evws->bufev);
  size_t len = evbuffer_get_length(input);
  const char *data;
  if (len == 0) return 0;
  data = (const char *)evbuffer_pullup(input, -1);
  if (!data) {
    evws->broken = 1;
    return 1;
  }
  switch (evhttp_head_parse(&client->parser, data, len)) {
    case EVHTTP_PARSE_PARTIAL:
      return 0;
    case EVHTTP_PARSE_DONE:
      take_answer(evws, data);
      return 1;
    default:
      evws->broken = 1;
      return 1;
  }
}

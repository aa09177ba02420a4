#include "http/ws_handshake.h"

#include <string.h>

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>

#include "http/headers.h"
#include "http/sha1.h"
#include "util/log.h"
#include "util/queue.h"

enum { RANDOM_LEN = 16 };

static const char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- Base64 (RFC 4648 4) ---- */

static void encode_base64(const uint8_t *bytes, size_t len, char *out_text) {
  for (size_t at = 0; at < len; at += 3) {
    size_t num = len - at < 3 ? len - at : 3;
    uint32_t bits = (uint32_t)bytes[at] << 16;
    if (num > 1) bits |= (uint32_t)bytes[at + 1] << 8;
    if (num > 2) bits |= bytes[at + 2];
    for (size_t i = 0; i < 4; i++)
      *out_text++ = i <= num ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
  }
  *out_text = '\0';
}

int strata_ws_is_key(const char *value) {
  size_t num_digits = strspn(value, kAlphabet);
  return num_digits == 22 && !strcmp(value + num_digits, "==");
}

/* ---- Fields ---- */

/* Whether any of the fields of that name lists the token. */
static int fields_list(const struct evkeyvalq *headers, const char *name, const char *token) {
  const struct evkeyval *header;
  EV_TAILQ_FOREACH(header, headers, next) {
    if (!evutil_ascii_strcasecmp(header->key, name) &&
        strata_http_value_lists(header->value, token))
      return 1;
  }
  return 0;
}

/* The value of a field that may be there once. Returns how often it is there. */
static int find_field(const struct evkeyvalq *headers, const char *name, const char **out_value) {
  const struct evkeyval *header;
  int count = 0;
  *out_value = NULL;
  EV_TAILQ_FOREACH(header, headers, next) {
    if (evutil_ascii_strcasecmp(header->key, name)) continue;
    if (!count++) *out_value = header->value;
  }
  return count;
}

int strata_ws_offers(const char *value, const char *name, size_t name_len) {
  while (*value) {
    size_t len;
    value += strspn(value, " \t,");
    len = strcspn(value, " \t,");
    if (len && len == name_len && !memcmp(value, name, len)) return 1;
    value += len;
  }
  return 0;
}

/* ---- The server's side ---- */

static int is_http_1_1(const struct evhttp_request *req) {
  return req->major > 1 || (req->major == 1 && req->minor >= 1);
}

enum strata_ws_request_kind strata_ws_request_check(const struct evhttp_request *req,
                                                    const char **out_key) {
  const struct evkeyvalq *headers = req->input_headers;
  const char *version, *host;
  *out_key = NULL;
  if (!fields_list(headers, "Upgrade", "websocket")) return STRATA_WS_REQUEST_NO_UPGRADE;
  if (req->type != EVHTTP_REQ_GET || !is_http_1_1(req)) return STRATA_WS_REQUEST_BAD;
  if (!fields_list(headers, "Connection", "upgrade")) return STRATA_WS_REQUEST_BAD;
  if (find_field(headers, "Host", &host) != 1) return STRATA_WS_REQUEST_BAD;
  if (find_field(headers, "Sec-WebSocket-Version", &version) > 1) return STRATA_WS_REQUEST_BAD;
  if (!version || strcmp(version, "13")) return STRATA_WS_REQUEST_OTHER_VERSION;
  if (find_field(headers, "Sec-WebSocket-Key", out_key) != 1 || !strata_ws_is_key(*out_key))
    return STRATA_WS_REQUEST_BAD;
  return STRATA_WS_REQUEST_OK;
}

void strata_ws_accept(const char *key, char out_accept[STRATA_WS_ACCEPT_LEN + 1]) {
  static const char kGuid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char text[STRATA_WS_KEY_LEN + sizeof(kGuid)];
  uint8_t digest[STRATA_SHA1_LEN];
  strata_assert(strlen(key) == STRATA_WS_KEY_LEN);
  memcpy(text, key, STRATA_WS_KEY_LEN);
  memcpy(text + STRATA_WS_KEY_LEN, kGuid, sizeof(kGuid));
  strata_sha1(text, sizeof(text) - 1, digest);
  encode_base64(digest, sizeof(digest), out_accept);
}

/* ---- The client's side ---- */

void strata_ws_make_key(char out_key[STRATA_WS_KEY_LEN + 1]) {
  uint8_t random[RANDOM_LEN];
  evutil_secure_rng_get_bytes(random, sizeof(random));
  encode_base64(random, sizeof(random), out_key);
}

int strata_ws_response_check(const struct evkeyvalq *headers, const char *key, const char *offered,
                             const char **out_protocol) {
  char expected[STRATA_WS_ACCEPT_LEN + 1];
  const char *accept, *extensions, *upgrade;
  int num_protocols = find_field(headers, "Sec-WebSocket-Protocol", out_protocol);
  strata_ws_accept(key, expected);
  if (find_field(headers, "Upgrade", &upgrade) != 1 ||
      evutil_ascii_strcasecmp(upgrade, "websocket"))
    return 0;
  if (!fields_list(headers, "Connection", "upgrade")) return 0;
  if (find_field(headers, "Sec-WebSocket-Accept", &accept) != 1 || strcmp(accept, expected))
    return 0;
  /* None was offered. */
  if (find_field(headers, "Sec-WebSocket-Extensions", &extensions)) return 0;
  if (num_protocols == 0) return 1;
  return num_protocols == 1 && offered &&
         strata_ws_offers(offered, *out_protocol, strlen(*out_protocol));
}

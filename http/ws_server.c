#include <string.h>

#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>

#include "http/upgrade.h"
#include "http/ws_handshake.h"
#include "http/ws_session.h"
#include "util/memory.h"
#include "util/queue.h"

/* A session that is one of a server's connections. */
struct server_session {
  struct strata_http_upgraded upgraded;
  struct evws_connection *evws;
};

static void on_session_end(void *arg) {
  struct server_session *session = arg;
  strata_http_upgraded_leave(&session->upgraded);
  strata_free(session);
}

static void on_server_end(struct strata_http_upgraded *upgraded) {
  evws_connection_free(STRATA_CONTAINER_OF(upgraded, struct server_session, upgraded)->evws);
}

/* ---- Refusals ---- */

static void refuse(struct evhttp_request *req, enum strata_ws_request_kind kind) {
  struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
  if (kind == STRATA_WS_REQUEST_BAD) {
    evhttp_send_error(req, HTTP_BADREQUEST, NULL);
    return;
  }
  /* RFC 9110 15.5.22, RFC 6455 4.4. */
  evhttp_add_header(headers, "Upgrade", "websocket");
  evhttp_add_header(headers, "Connection", "Upgrade");
  evhttp_add_header(headers, "Sec-WebSocket-Version", "13");
  evhttp_send_reply(req, 426, "Upgrade Required", NULL);
}

int evws_is_handshake(struct evhttp_request *req) {
  const char *key;
  return strata_ws_request_check(req, &key) != STRATA_WS_REQUEST_NO_UPGRADE;
}

/* ---- Agreement ---- */

static const char *find_supported(const char *name, size_t name_len, const char *const *supported,
                                  size_t num_supported) {
  for (size_t i = 0; i < num_supported; i++) {
    if (strlen(supported[i]) == name_len && !memcmp(supported[i], name, name_len))
      return supported[i];
  }
  return NULL;
}

static const char *first_supported(const char *offered, const char *const *supported,
                                   size_t num_supported) {
  while (*offered) {
    size_t len;
    const char *found;
    offered += strspn(offered, " \t,");
    len = strcspn(offered, " \t,");
    found = len ? find_supported(offered, len, supported, num_supported) : NULL;
    if (found) return found;
    offered += len;
  }
  return NULL;
}

const char *evws_select_subprotocol(struct evhttp_request *req, const char *const *supported,
                                    size_t num_supported) {
  const struct evkeyval *header;
  EV_TAILQ_FOREACH(header, req->input_headers, next) {
    const char *found;
    if (evutil_ascii_strcasecmp(header->key, "Sec-WebSocket-Protocol")) continue;
    found = first_supported(header->value, supported, num_supported);
    if (!found) continue;
    if (evhttp_add_header(req->output_headers, "Sec-WebSocket-Protocol", found) < 0) return NULL;
    return found;
  }
  return NULL;
}

static int add_answer(struct evhttp_request *req, const char *key) {
  char accept[STRATA_WS_ACCEPT_LEN + 1];
  struct evkeyvalq *headers = req->output_headers;
  strata_ws_accept(key, accept);
  /* The user's would contradict them. */
  while (evhttp_remove_header(headers, "Upgrade") == 0) continue;
  while (evhttp_remove_header(headers, "Connection") == 0) continue;
  if (evhttp_add_header(headers, "Upgrade", "websocket") < 0 ||
      evhttp_add_header(headers, "Connection", "Upgrade") < 0)
    return -1;
  return evhttp_add_header(headers, "Sec-WebSocket-Accept", accept);
}

static int copy_subprotocol(struct evws_connection *evws, struct evhttp_request *req) {
  const char *subprotocol = evhttp_find_header(req->output_headers, "Sec-WebSocket-Protocol");
  if (!subprotocol) return 0;
  evws->subprotocol = strata_strdup(subprotocol);
  return evws->subprotocol ? 0 : -1;
}

/* All that needs memory, before anything is sent. */
static struct server_session *prepare(struct evhttp_request *req, const char *key, ws_on_msg_cb cb,
                                      void *arg, int options) {
  struct server_session *session = strata_calloc(1, sizeof(*session));
  if (!session) return NULL;
  session->upgraded.end = on_server_end;
  session->evws = strata_ws_new(evhttp_connection_get_base(evhttp_request_get_connection(req)),
                                STRATA_WS_SERVER, cb, arg, options);
  if (session->evws && copy_subprotocol(session->evws, req) == 0 && add_answer(req, key) == 0)
    return session;
  if (session->evws) strata_ws_discard(session->evws);
  strata_free(session);
  return NULL;
}

/* NULL and *out_is_gone set: the connection's close callback has freed the server, and so the
 * request and the session. */
static struct evws_connection *begin(struct evhttp_request *req, const char *key, ws_on_msg_cb cb,
                                     void *arg, int options, int *out_is_gone) {
  struct server_session *session = prepare(req, key, cb, arg, options);
  struct evws_connection *evws;
  struct bufferevent *bufev;
  if (!session) return NULL;
  evws = session->evws;
  strata_ws_hold(evws);
  bufev = strata_http_upgrade(req, 101, "Switching Protocols", &session->upgraded);
  if (bufev && !evws->dead) {
    evws->endcb = on_session_end;
    evws->endcb_arg = session;
    strata_ws_start(evws, bufev, STRATA_WS_OPEN);
    strata_ws_release(evws);
    return evws;
  }
  *out_is_gone = evws->dead;
  if (bufev) bufferevent_free(bufev);
  if (!evws->dead) strata_ws_discard(evws);
  strata_free(session);
  strata_ws_release(evws);
  return NULL;
}

struct evws_connection *evws_new_session(struct evhttp_request *req, ws_on_msg_cb cb, void *arg,
                                         int options) {
  const char *key;
  enum strata_ws_request_kind kind = strata_ws_request_check(req, &key);
  struct evws_connection *evws;
  int is_gone = 0;
  if (kind != STRATA_WS_REQUEST_OK) {
    refuse(req, kind);
    return NULL;
  }
  evws = evhttp_request_get_connection(req) ? begin(req, key, cb, arg, options, &is_gone) : NULL;
  if (!evws && !is_gone) {
    evhttp_clear_headers(req->output_headers);
    evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
  }
  return evws;
}

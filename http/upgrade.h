#ifndef STRATA_HTTP_UPGRADE_H_
#define STRATA_HTTP_UPGRADE_H_

#include "http/server.h"

/* A connection of a server that has stopped being HTTP (RFC 9110 7.8, 9.3.6) and lives on as
 * something else, which embeds this. It still counts as one of the server's connections, and ends
 * with the server. */
struct strata_http_upgraded {
  EVENT_TAILQ_ENTRY_(strata_http_upgraded) next;
  struct evhttp *server; /* NULL once it is none of the server's any more. */
  /* The server is being freed: ends and frees whatever this is part of, which has left it
   * already. */
  void (*end)(struct strata_http_upgraded *upgraded);
};

/* Answers a request that a callback has to reply to with status `code` (101, or 2xx to CONNECT) and
 * its output headers, and ends its connection but for the bufferevent, which is the caller's from
 * then on, with the input that followed the request. The connection's close callback is called; the
 * request is gone unless the user owns it or is in a callback of it. `upgraded`, its `end` set,
 * joins the server. Returns NULL, and nothing has changed, when the connection is gone or memory
 * ran out. */
struct bufferevent *strata_http_upgrade(struct evhttp_request *req, int code, const char *reason,
                                        struct strata_http_upgraded *upgraded);

/* Takes leave of the server; does nothing the second time. */
void strata_http_upgraded_leave(struct strata_http_upgraded *upgraded);

/* Ends all that once were connections of a server. */
void strata_http_upgraded_end_all(struct evhttp *http);

#endif

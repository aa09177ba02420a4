/* What bench/http_stream_soak asks: POST / takes a body of any size, with pauses, and replies with
 * the number of bytes that were right; GET /LENGTH provides that many bytes, GET /chunked/LENGTH
 * without saying so. Prints its port.
 *
 * usage: http_soak_server [RATE]    bytes a second at which it takes a body, at most */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bench/http_soak.h"

/* One upload at a time. */
static struct soak_taker upload;

static void take(struct evhttp_request *req, void *arg) {
  (void)arg;
  soak_take(&upload, req);
}

static void on_failure(enum evhttp_request_error error, void *arg) {
  (void)error;
  (void)arg;
  soak_taker_end(&upload);
}

static int on_request(struct evhttp_request *req, void *arg) {
  (void)arg;
  soak_taker_start(&upload);
  evhttp_request_set_chunked_cb(req, take);
  evhttp_request_set_error_cb(req, on_failure);
  return 0;
}

static int provide(struct evhttp_request *req, struct evbuffer *out, size_t room, void *arg) {
  int result = soak_give(req, out, room, arg);
  if (!out) free(arg);
  return result;
}

static void handle(struct evhttp_request *req, void *arg) {
  const char *uri = evhttp_request_get_uri(req);
  int chunked = strncmp(uri, "/chunked/", 9) == 0;
  struct soak_giver *download;
  (void)arg;
  if (evhttp_request_get_command(req) == EVHTTP_REQ_POST) {
    struct evbuffer *reply = evbuffer_new();
    if (reply) evbuffer_add_printf(reply, "%llu", (unsigned long long)upload.right);
    evhttp_send_reply(req, 200, "OK", reply);
    if (reply) evbuffer_free(reply);
    return;
  }
  download = calloc(1, sizeof(*download));
  if (!download) {
    evhttp_send_error(req, 500, NULL);
    return;
  }
  download->len = strtoull(uri + (chunked ? 9 : 1), NULL, 10);
  evhttp_send_reply_provided(req, 200, "OK", chunked ? -1 : (ev_int64_t)download->len, provide,
                             download);
}

int main(int argc, char **argv) {
  struct event_base *base = event_base_new();
  struct evhttp *http = base ? evhttp_new(base) : NULL;
  struct evhttp_bound_socket *bound =
      http ? evhttp_bind_socket_with_handle(http, "127.0.0.1", 0) : NULL;
  struct sockaddr_in address;
  socklen_t address_len = sizeof(address);
  if (!bound || soak_taker_init(&upload, base, argc > 1 ? strtoull(argv[1], NULL, 10) : 0) < 0)
    return 1;
  evhttp_set_max_body_size(http, -1);
  evhttp_set_newreqcb(http, on_request, NULL);
  evhttp_set_gencb(http, handle, NULL);
  getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &address_len);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  event_base_dispatch(base);
  return 0;
}

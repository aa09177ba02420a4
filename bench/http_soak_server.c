/* What bench/http_stream_soak asks: POST / takes a body of any size, with pauses, and replies with
 * the number of bytes that were right; GET /LENGTH provides that many bytes, GET /chunked/LENGTH
 * without saying so. Prints its port. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { PERIOD = 1000003, PAUSE_EVERY = 4 << 20 };
static unsigned char period[PERIOD * 2];

static void make_period(void) {
  unsigned i;
  for (i = 0; i < sizeof(period); i++) {
    unsigned at = i % PERIOD;
    period[i] = (unsigned char)(at * 31 + (at >> 8) * 7 + (at >> 16));
  }
}

/* ---- Up ---- */

struct upload {
  struct evhttp_request *req;
  struct event *timer;
  ev_uint64_t right, taken;
};
/* One at a time. */
static struct upload upload;

static void resume(evutil_socket_t fd, short what, void *arg) {
  struct upload *of = arg;
  (void)fd;
  (void)what;
  evhttp_request_resume_body(of->req);
}

static void take(struct evhttp_request *req, void *arg) {
  struct evbuffer *body = evhttp_request_get_input_buffer(req);
  struct evbuffer_iovec bytes;
  ev_uint64_t before = upload.taken / PAUSE_EVERY;
  (void)arg;
  while (evbuffer_peek(body, -1, NULL, &bytes, 1) > 0) {
    size_t at = (size_t)(upload.taken % PERIOD);
    size_t len = bytes.iov_len < PERIOD ? bytes.iov_len : PERIOD;
    if (memcmp(bytes.iov_base, period + at, len) == 0) upload.right += len;
    upload.taken += len;
    evbuffer_drain(body, len);
  }
  if (upload.taken / PAUSE_EVERY != before) {
    struct timeval a_moment = {0, 1000};
    upload.req = req;
    evhttp_request_pause_body(req);
    evtimer_add(upload.timer, &a_moment);
  }
}

static int on_request(struct evhttp_request *req, void *arg) {
  (void)arg;
  upload.right = upload.taken = 0;
  evhttp_request_set_chunked_cb(req, take);
  return 0;
}

/* ---- Down ---- */

struct download {
  ev_uint64_t given, len;
};

static int provide(struct evhttp_request *req, struct evbuffer *out, size_t room, void *arg) {
  struct download *download = arg;
  ev_uint64_t left = download->len - download->given;
  size_t at = (size_t)(download->given % PERIOD);
  (void)req;
  if (!out) {
    free(download);
    return 0;
  }
  if (room > left) room = (size_t)left;
  if (room > PERIOD) room = PERIOD;
  if (evbuffer_add(out, period + at, room) < 0) return EVHTTP_BODY_ABORT;
  download->given += room;
  return download->given < download->len ? EVHTTP_BODY_MORE : EVHTTP_BODY_LAST;
}

static void handle(struct evhttp_request *req, void *arg) {
  const char *uri = evhttp_request_get_uri(req);
  int chunked = strncmp(uri, "/chunked/", 9) == 0;
  struct download *download;
  (void)arg;
  if (evhttp_request_get_command(req) == EVHTTP_REQ_POST) {
    struct evbuffer *reply = evbuffer_new();
    evbuffer_add_printf(reply, "%llu", (unsigned long long)upload.right);
    evhttp_send_reply(req, 200, "OK", reply);
    evbuffer_free(reply);
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

int main(void) {
  struct event_base *base = event_base_new();
  struct evhttp *http = evhttp_new(base);
  struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
  struct sockaddr_in address;
  socklen_t address_len = sizeof(address);
  make_period();
  if (!bound) return 1;
  evhttp_set_max_body_size(http, -1);
  evhttp_set_newreqcb(http, on_request, NULL);
  evhttp_set_gencb(http, handle, NULL);
  upload.timer = evtimer_new(base, resume, &upload);
  getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &address_len);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  event_base_dispatch(base);
  return 0;
}

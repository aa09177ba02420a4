/* Sends one body to http_soak_server, or has it send one, through strata's client. Prints how many
 * bytes it has taken or given, each time that there are some MiB more, and last "right N": how many
 * the one that took them found right, 0 after a failure. Then it waits for the end of its input, so
 * that its memory can be looked at.
 *
 * usage: http_soak_client PORT upload|download counted|chunked LENGTH [RATE]
 * RATE: bytes a second at which it takes a download, at most */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "bench/http_soak.h"

enum { PROGRESS_EVERY = 4 << 20 };

struct transfer {
  struct event_base *base;
  struct soak_giver giver;
  struct soak_taker taker;
  ev_uint64_t shown, right;
  int is_upload;
};

static void show(struct transfer *transfer, ev_uint64_t len) {
  if (len < transfer->shown + PROGRESS_EVERY) return;
  transfer->shown = len;
  printf("%llu\n", (unsigned long long)len);
  fflush(stdout);
}

static int give(struct evhttp_request *req, struct evbuffer *out, size_t room, void *arg) {
  struct transfer *transfer = arg;
  show(transfer, transfer->giver.given);
  return soak_give(req, out, room, &transfer->giver);
}

static void take(struct evhttp_request *req, void *arg) {
  struct transfer *transfer = arg;
  soak_take(&transfer->taker, req);
  show(transfer, transfer->taker.taken);
}

static void on_reply(struct evhttp_request *req, void *arg) {
  struct transfer *transfer = arg;
  soak_taker_end(&transfer->taker);
  if (req && evhttp_request_get_response_code(req) == 200) {
    transfer->right = transfer->taker.right;
    if (transfer->is_upload) {
      char number[24] = "";
      evbuffer_remove(evhttp_request_get_input_buffer(req), number, sizeof(number) - 1);
      transfer->right = strtoull(number, NULL, 10);
    }
  }
  event_base_loopexit(transfer->base, NULL);
}

static int start(struct transfer *transfer, struct evhttp_connection *connection, int chunked) {
  struct evhttp_request *req = evhttp_request_new(on_reply, transfer);
  char uri[40] = "/";
  if (!req) return -1;
  evhttp_add_header(evhttp_request_get_output_headers(req), "Host", "a");
  if (transfer->is_upload) {
    evhttp_request_set_body_provider(req, chunked ? -1 : (ev_int64_t)transfer->giver.len, give,
                                     transfer);
  } else {
    snprintf(uri, sizeof(uri), "/%s%llu", chunked ? "chunked/" : "",
             (unsigned long long)transfer->giver.len);
    evhttp_request_set_chunked_cb(req, take);
    soak_taker_start(&transfer->taker);
  }
  return evhttp_make_request(connection, req,
                             transfer->is_upload ? EVHTTP_REQ_POST : EVHTTP_REQ_GET, uri);
}

int main(int argc, char **argv) {
  struct transfer transfer = {0};
  struct evhttp_connection *connection;
  if (argc < 5) {
    fprintf(stderr, "usage: http_soak_client PORT upload|download counted|chunked LENGTH [RATE]\n");
    return 2;
  }
  transfer.base = event_base_new();
  if (!transfer.base) return 1;
  transfer.is_upload = strcmp(argv[2], "upload") == 0;
  transfer.giver.len = strtoull(argv[4], NULL, 10);
  connection =
      evhttp_connection_base_new(transfer.base, NULL, "127.0.0.1", (ev_uint16_t)atoi(argv[1]));
  if (!connection || soak_taker_init(&transfer.taker, transfer.base,
                                     argc > 5 ? strtoull(argv[5], NULL, 10) : 0) < 0)
    return 1;
  if (start(&transfer, connection, strcmp(argv[3], "chunked") == 0) < 0) return 1;
  event_base_dispatch(transfer.base);
  printf("right %llu\n", (unsigned long long)transfer.right);
  fflush(stdout);
  while (getchar() != EOF) continue;
  evhttp_connection_free(connection);
  soak_taker_clear(&transfer.taker);
  event_base_free(transfer.base);
  return 0;
}

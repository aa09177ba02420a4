/* The reply of samples/hello_http from h2o's library on its own event loop, in one thread:
 * bench/http_compare builds and starts it for the contestant @h2o.
 *
 *   cc -O2 bench/hello_h2o.c -lh2o-evloop -lssl -lcrypto */
#define H2O_USE_LIBUV 0 /* The header has two event loops. */

#include <arpa/inet.h>
#include <errno.h>
#include <h2o.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static h2o_accept_ctx_t accept_ctx;

static int answer(h2o_handler_t *handler, h2o_req_t *req) {
  static h2o_generator_t generator;
  static h2o_iovec_t body = {H2O_STRLIT("Hello, World!")};
  (void)handler;
  req->res.status = 200;
  req->res.reason = "OK";
  req->res.content_length = body.len;
  h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                 H2O_STRLIT("text/plain"));
  h2o_start_response(req, &generator);
  h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
  return 0;
}

/* As many as there are, so that no other server has it easier. */
static void on_accept(h2o_socket_t *listener, const char *error) {
  h2o_socket_t *socket;
  if (error) return;
  while ((socket = h2o_evloop_socket_accept(listener))) h2o_accept(&accept_ctx, socket);
}

static int listen_anywhere(void) {
  struct sockaddr_in address;
  socklen_t len = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &len) != 0)
    return -1;
  printf("listening on http://127.0.0.1:%d/\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(void) {
  h2o_globalconf_t config;
  h2o_context_t context;
  h2o_hostconf_t *host;
  int fd = listen_anywhere();
  if (fd < 0) {
    perror("hello_h2o: listen");
    return 1;
  }
  signal(SIGPIPE, SIG_IGN);
  h2o_config_init(&config);
  host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
  h2o_create_handler(h2o_config_register_path(host, "/hello", 0), sizeof(h2o_handler_t))->on_req =
      answer;
  h2o_context_init(&context, h2o_evloop_create(), &config);
  accept_ctx.ctx = &context;
  accept_ctx.hosts = config.hosts;
  h2o_socket_read_start(h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ),
                        on_accept);
  while (h2o_evloop_run(context.loop, INT32_MAX) == 0 || errno == EINTR) continue;
  return 1;
}

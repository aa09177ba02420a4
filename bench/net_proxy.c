/*
 * net_proxy: a proxy as libevent's sample le-proxy does it, written afresh: what samples/relay is
 * measured against.
 *
 *   net_proxy PORT       PORT of 127.0.0.1 is the target; prints "listening on 127.0.0.1:PORT"
 *
 * Two bufferevents a connection, with deferred callbacks and no limit on a read but the library's.
 * The side that is read is not read while half a megabyte waits for the other, until half of it is
 * gone. When one side ends, the other is closed once it has got what waits for it.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

enum { kMaxOutputLen = 512 * 1024, kOptions = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS };

static struct event_base *base;
static struct sockaddr_in target;

static void on_read(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

/* The argument of a side's callbacks is the other side, NULL once that is gone. */
static void on_room(struct bufferevent *bev, void *arg) {
  struct bufferevent *partner = arg;
  bufferevent_setcb(bev, on_read, NULL, on_event, partner);
  bufferevent_setwatermark(bev, EV_WRITE, 0, 0);
  if (partner != NULL) bufferevent_enable(partner, EV_READ);
}

static void on_read(struct bufferevent *bev, void *arg) {
  struct bufferevent *partner = arg;
  struct evbuffer *input = bufferevent_get_input(bev);
  if (partner == NULL) {
    evbuffer_drain(input, evbuffer_get_length(input));
    return;
  }
  struct evbuffer *output = bufferevent_get_output(partner);
  evbuffer_add_buffer(output, input);
  if (evbuffer_get_length(output) < kMaxOutputLen) return;
  bufferevent_setcb(partner, on_read, on_room, on_event, bev);
  bufferevent_setwatermark(partner, EV_WRITE, kMaxOutputLen / 2, kMaxOutputLen);
  bufferevent_disable(bev, EV_READ);
}

static void on_last_written(struct bufferevent *bev, void *arg) {
  (void)arg;
  if (evbuffer_get_length(bufferevent_get_output(bev)) == 0) bufferevent_free(bev);
}

static void on_event(struct bufferevent *bev, short what, void *arg) {
  struct bufferevent *partner = arg;
  if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))) return;
  if (partner != NULL) {
    on_read(bev, partner);
    if (evbuffer_get_length(bufferevent_get_output(partner)) > 0) {
      bufferevent_setcb(partner, on_read, on_last_written, on_event, NULL);
      bufferevent_setwatermark(partner, EV_WRITE, 0, 0);
      bufferevent_disable(partner, EV_READ);
    } else {
      bufferevent_free(partner);
    }
  }
  bufferevent_free(bev);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg) {
  (void)listener, (void)address, (void)address_len, (void)arg;
  struct bufferevent *client = bufferevent_socket_new(base, fd, kOptions);
  struct bufferevent *server = bufferevent_socket_new(base, -1, kOptions);
  if (client == NULL || server == NULL ||
      bufferevent_socket_connect(server, (struct sockaddr *)&target, sizeof(target)) != 0) {
    perror("net_proxy");
    exit(1);
  }
  bufferevent_setcb(client, on_read, NULL, on_event, server);
  bufferevent_setcb(server, on_read, NULL, on_event, client);
  bufferevent_enable(client, EV_READ | EV_WRITE);
  bufferevent_enable(server, EV_READ | EV_WRITE);
}

int main(int argc, char **argv) {
  struct sockaddr_in address;
  socklen_t address_len = sizeof(address);
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target = address;
  target.sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0));
  signal(SIGPIPE, SIG_IGN);
  base = event_base_new();
  struct evconnlistener *listener =
      base == NULL ? NULL
                   : evconnlistener_new_bind(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 1024,
                                             (struct sockaddr *)&address, (int)sizeof(address));
  if (target.sin_port == 0 || listener == NULL) {
    fprintf(stderr, "usage: net_proxy PORT\n");
    return 2;
  }
  getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &address_len);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return event_base_dispatch(base) < 0;
}

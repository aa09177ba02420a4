/*
 * net_load: the other end of bench/net_compare's contestants.
 *
 *   net_load serve-echo [ADDRESS]    sends back what comes; on plain epoll
 *   net_load serve-sink [ADDRESS]    drops what comes
 *   net_load echo PORT NUM SECONDS   NUM connections, one message of 64 bytes under way on each
 *   net_load churn PORT NUM SECONDS  the same, and a new connection for every message
 *   net_load tap-echo ...            the same two with clients of bench/tap_clients.h, for a server
 *   net_load tap-churn ...           that listens on 0.0.0.0, in a network namespace of its own
 *   net_load bulk PORT BYTES         one connection; sends, and waits for the other end to close
 *
 * Servers print "listening on ADDRESS:PORT" and run until they are killed. Clients print what they
 * did, the seconds it took, and for how many of those they were busy.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/tap_clients.h"

enum { kMessageLen = 64, kMaxEvents = 256, kBlockLen = 256 * 1024 };

static char block[kBlockLen];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* A thread that sleeps uses no CPU time; tap_clients.h tells otherwise when it had nothing to do.
 */
static double cpu_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void report(uint64_t amount, double seconds, double busy_seconds) {
  printf("%llu %.6f %.6f\n", (unsigned long long)amount, seconds, busy_seconds);
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons((uint16_t)port);
  return address;
}

static void watch(int epoll_fd, int operation, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll_fd, operation, fd, &event) != 0) die("epoll_ctl");
}

static void send_without_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* --- Servers --- */

static int listen_anywhere(const char *host) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = loopback(0);
  socklen_t address_len = sizeof(address);
  if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
      bind(fd, (struct sockaddr *)&address, address_len) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &address_len) != 0)
    die("listen");
  printf("listening on %s:%d\n", host, ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void accept_all(int epoll_fd, int listening_fd) {
  int fd;
  while ((fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    send_without_delay(fd);
    watch(epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

/* Messages are small: what can't be sent at once ends the connection. */
static void serve_one(int fd, bool echoes) {
  ssize_t len = recv(fd, block, kBlockLen, 0);
  if (len < 0 && errno == EAGAIN) return;
  if (len <= 0 || (echoes && send(fd, block, (size_t)len, MSG_NOSIGNAL) != len)) close(fd);
}

static void serve(bool echoes, const char *host) {
  struct epoll_event events[kMaxEvents];
  int listening_fd = listen_anywhere(host), epoll_fd = epoll_create1(0);
  watch(epoll_fd, EPOLL_CTL_ADD, listening_fd, EPOLLIN);
  for (;;) {
    int num_events = epoll_wait(epoll_fd, events, kMaxEvents, -1);
    for (int i = 0; i < num_events; i++) {
      if (events[i].data.fd == listening_fd)
        accept_all(epoll_fd, listening_fd);
      else
        serve_one(events[i].data.fd, echoes);
    }
  }
}

/* --- Clients --- */

struct load {
  int epoll_fd, port;
  bool is_churn;
  uint64_t num_messages;
  uint32_t num_connections;
};

static int connect_once(struct load *load) {
  struct sockaddr_in address = loopback(load->port), source = loopback(0);
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  /* Source addresses in turn: the ports of one, in TIME_WAIT, would run out. */
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + load->num_connections++ / 64 % 250);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  if (fd < 0 || bind(fd, (struct sockaddr *)&source, sizeof(source)) != 0 ||
      connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
    die("connect");
  send_without_delay(fd);
  return fd;
}

static void begin(struct load *load) {
  int fd = connect_once(load);
  watch(load->epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN);
  if (send(fd, block, kMessageLen, MSG_NOSIGNAL) != kMessageLen) die("send");
}

static void go_on(struct load *load, int fd) {
  char message[kMessageLen];
  if (recv(fd, message, kMessageLen, MSG_WAITALL) != kMessageLen) die("recv");
  load->num_messages++;
  if (load->is_churn) {
    close(fd);
    begin(load);
  } else if (send(fd, block, kMessageLen, MSG_NOSIGNAL) != kMessageLen) {
    die("send");
  }
}

static void run_load(struct load *load, int num, double seconds) {
  struct epoll_event events[kMaxEvents];
  load->epoll_fd = epoll_create1(0);
  for (int i = 0; i < num; i++) begin(load);
  double start = now(), time, cpu_start = cpu_seconds();
  do {
    int num_events = epoll_wait(load->epoll_fd, events, kMaxEvents, 1000);
    for (int i = 0; i < num_events; i++) go_on(load, events[i].data.fd);
    time = now() - start;
  } while (time < seconds);
  report(load->num_messages, time, cpu_seconds() - cpu_start);
}

static void run_bulk(int port, uint64_t len) {
  struct load load = {.port = port};
  int fd = connect_once(&load);
  double start = now(), cpu_start = cpu_seconds();
  for (uint64_t sent = 0; sent < len;) {
    ssize_t now_len =
        send(fd, block, len - sent < kBlockLen ? (size_t)(len - sent) : kBlockLen, MSG_NOSIGNAL);
    if (now_len <= 0) die("send");
    sent += (uint64_t)now_len;
  }
  shutdown(fd, SHUT_WR);
  if (recv(fd, block, 1, 0) != 0) die("the other end did not close");
  report(len, now() - start, cpu_seconds() - cpu_start);
}

static void run_tap(int port, bool is_churn, int num, double seconds) {
  struct tap_load load = {.port = port,
                          .is_churn = is_churn,
                          .num = (uint32_t)num,
                          .message_len = kMessageLen,
                          .seconds = seconds};
  if (tap_clients_run(&load) != 0) die("tap");
  report(load.out_num_messages, load.out_elapsed_seconds,
         load.out_elapsed_seconds - load.out_idle_seconds);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  bool serves_echo = strcmp(mode, "serve-echo") == 0;
  bool is_tap = strncmp(mode, "tap-", 4) == 0;
  const char *clients = is_tap ? mode + 4 : mode;
  bool is_churn = strcmp(clients, "churn") == 0;
  if ((argc == 2 || argc == 3) && (serves_echo || strcmp(mode, "serve-sink") == 0)) {
    serve(serves_echo, argc == 3 ? argv[2] : "127.0.0.1");
  } else if (argc == 5 && is_tap && (is_churn || strcmp(clients, "echo") == 0)) {
    run_tap(atoi(argv[2]), is_churn, atoi(argv[3]), atof(argv[4]));
  } else if (argc == 5 && (is_churn || strcmp(mode, "echo") == 0)) {
    struct load load = {.port = atoi(argv[2]), .is_churn = is_churn};
    run_load(&load, atoi(argv[3]), atof(argv[4]));
  } else if (argc == 4 && strcmp(mode, "bulk") == 0) {
    run_bulk(atoi(argv[2]), strtoull(argv[3], NULL, 10));
  } else {
    fprintf(stderr, "usage: see the head of net_load.c\n");
    return 2;
  }
  return 0;
}

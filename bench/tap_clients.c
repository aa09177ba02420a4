#define _GNU_SOURCE 1
#include "bench/tap_clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/tap.h"
#include "bench/tap_inbox.h"

enum {
  kFirstPort = 1024,
  kNumPorts = 60000,
  kNumAddresses = 250,
  kHeadLen = sizeof(struct iphdr) + sizeof(struct tcphdr),
  kManyClients = 32,
  kMaxClients = 4000,  /* the inbox and the device hold four segments of each */
  kTurnsPerLook = 256, /* at the clock */
};
enum { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16 };

/* Looking again and again would take the queue's cache lines away from the server. */
static const double kPauseSeconds = 10e-6;
static const double kPatienceSeconds = 5;

/* opening --SYN ACK, send--> awaiting --all of it came, send--> awaiting ...
 *                                     --the same, churn, send FIN--> closing --FIN--> opening */
enum state { kOpening, kAwaiting, kClosing };

struct client {
  struct tap_frame frame; /* what it sends; only what changes is written anew */
  enum state state;
  uint32_t next_sent, next_expected; /* sequence numbers */
  uint32_t received_len;             /* of the message that is under way */
  uint32_t num_before;               /* connections that had this place */
};

struct clients {
  int fd;
  struct tap_inbox inbox;
  struct tap_load *load;
  struct client *all;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "net_load: tap: %s\n", what);
  exit(1);
}

static uint16_t ip_checksum(const struct iphdr *ip) {
  uint16_t words[sizeof(*ip) / 2];
  uint32_t sum = 0;
  memcpy(words, ip, sizeof(words));
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) sum += words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t) ~(sum + (sum >> 16));
}

static void send_segment(struct clients *clients, struct client *client, int flags,
                         uint32_t payload_len) {
  struct tap_frame *frame = &client->frame;
  uint16_t ip_len = htons((uint16_t)(kHeadLen + payload_len));
  if (frame->ip.tot_len != ip_len) {
    frame->ip.tot_len = ip_len;
    frame->ip.check = 0;
    frame->ip.check = ip_checksum(&frame->ip);
  }
  frame->tcp.th_flags = (uint8_t)flags;
  frame->tcp.th_seq = htonl(client->next_sent);
  frame->tcp.th_ack = htonl(flags & kAck ? client->next_expected : 0);
  size_t len = offsetof(struct tap_frame, ip) + kHeadLen + payload_len;
  if (write(clients->fd, frame, len) != (ssize_t)len) die(strerror(errno));
  client->next_sent += payload_len + (flags & (kSyn | kFin) ? 1 : 0);
}

/* Each connection of a place has another port, in the end another address. */
static void name(struct clients *clients, struct client *client) {
  uint32_t num = clients->load->num, num_turns = kNumPorts / num;
  uint32_t turn = client->num_before++, place = (uint32_t)(client - clients->all);
  uint32_t address = kTapNet + 256 + turn / num_turns % kNumAddresses;
  client->frame.ip.saddr = htonl(address);
  client->frame.tcp.th_sport = htons((uint16_t)(kFirstPort + turn % num_turns * num + place));
}

static void begin(struct clients *clients, struct client *client) {
  struct tap_frame *frame = &client->frame;
  frame->offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  frame->offload.csum_start = sizeof(frame->ethernet) + sizeof(frame->ip);
  frame->offload.csum_offset = offsetof(struct tcphdr, th_sum);
  memcpy(frame->ethernet.h_dest, kTapMac, sizeof(kTapMac));
  frame->ethernet.h_proto = htons(ETH_P_IP);
  memset(&frame->ip, 0, sizeof(frame->ip));
  frame->ip.version = 4;
  frame->ip.ihl = sizeof(frame->ip) / 4;
  frame->ip.frag_off = htons(IP_DF);
  frame->ip.ttl = 64;
  frame->ip.protocol = IPPROTO_TCP;
  frame->ip.daddr = htonl(kTapHost);
  frame->tcp.th_dport = htons((uint16_t)clients->load->port);
  frame->tcp.th_off = sizeof(frame->tcp) / 4;
  frame->tcp.th_win = htons(0xffff);
  name(clients, client);
  client->state = kOpening;
  send_segment(clients, client, kSyn, 0);
}

static void send_message(struct clients *clients, struct client *client) {
  client->state = kAwaiting;
  client->received_len = 0;
  send_segment(clients, client, kPsh | kAck, clients->load->message_len);
}

static void take_data(struct clients *clients, struct client *client, uint32_t payload_len) {
  client->next_expected += payload_len;
  client->received_len += payload_len;
  if (client->received_len < clients->load->message_len) return;
  clients->load->out_num_messages++;
  if (clients->load->is_churn) {
    client->state = kClosing;
    send_segment(clients, client, kFin | kAck, 0);
  } else {
    send_message(clients, client);
  }
}

static void take(struct clients *clients, struct client *client,
                 const struct tap_segment *segment) {
  if (segment->flags & kRst) die("the server reset a connection");
  if (client->state == kOpening) {
    if ((segment->flags & (kSyn | kAck)) != (kSyn | kAck)) return;
    client->next_expected = segment->sequence + 1;
    send_message(clients, client); /* the handshake's last acknowledgement is with it */
  } else if (segment->sequence != client->next_expected) {
    send_segment(clients, client, kAck, 0); /* sent again: the server was kept waiting */
  } else if (client->state == kAwaiting && segment->payload_len > 0) {
    take_data(clients, client, segment->payload_len);
  } else if (segment->flags & kFin) {
    if (client->state != kClosing) die("the server closed a connection");
    client->next_expected++;
    send_segment(clients, client, kAck, 0);
    begin(clients, client);
  }
}

/* Skips what is for no client, or for one that had this place before. */
static void dispatch(struct clients *clients, const struct tap_segment *segment) {
  if (segment->port < kFirstPort) return;
  struct client *client = &clients->all[(segment->port - kFirstPort) % clients->load->num];
  if (segment->address == ntohl(client->frame.ip.saddr) &&
      segment->port == ntohs(client->frame.tcp.th_sport))
    take(clients, client, segment);
}

/* Returns the time. */
static double idle(const struct clients *clients, double idle_since) {
  double start = now(), time = start;
  if (idle_since > 0 && start - idle_since > kPatienceSeconds) die("the server does not answer");
  while (clients->load->num >= kManyClients && time - start < kPauseSeconds) time = now();
  return time;
}

static void run(struct clients *clients) {
  struct tap_segment segment;
  struct tap_load *load = clients->load;
  double start = now(), time = start, idle_since = 0;
  for (unsigned turn = 1; time - start < load->seconds; turn++) {
    if (tap_inbox_take(&clients->inbox, &segment)) {
      if (idle_since > 0) load->out_idle_seconds += (time = now()) - idle_since;
      idle_since = 0;
      if (turn % kTurnsPerLook == 0) time = now();
      dispatch(clients, &segment);
    } else {
      double since = idle_since > 0 ? idle_since : now();
      time = idle(clients, idle_since);
      idle_since = since;
    }
  }
  load->out_elapsed_seconds = time - start;
}

int tap_clients_run(struct tap_load *load) {
  int num = (int)load->num;
  if (num < 1 || num > kMaxClients) die("how many?");
  struct clients clients = {.load = load, .fd = tap_open(num * 4)};
  if (clients.fd < 0) return -1;
  tap_inbox_open(&clients.inbox, clients.fd);
  clients.all = calloc(load->num, sizeof(*clients.all));
  if (clients.all == NULL) die("out of memory");
  for (uint32_t i = 0; i < load->num; i++) begin(&clients, &clients.all[i]);
  run(&clients);
  for (uint32_t i = 0; i < load->num; i++) send_segment(&clients, &clients.all[i], kRst | kAck, 0);
  free(clients.all);
  tap_inbox_close(&clients.inbox);
  return 0;
}

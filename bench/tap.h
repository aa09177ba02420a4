#ifndef STRATA_BENCH_TAP_H_
#define STRATA_BENCH_TAP_H_

#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>

/* A tap device: a network whose hosts are played by this program, one segment of TCP at a time.
 * (The kernel takes frames of Ethernet from it with less copying than bare packets from a tun
 * device.) */

enum { kMaxPayloadLen = 2048, kTapNet = 10 << 24 | 64 << 16, kTapHost = kTapNet | 1 };

/* What goes through the device. Checksums are left to the kernel, which doesn't compute any,
 * as on loopback. */
struct tap_frame {
  struct virtio_net_hdr offload;
  struct ethhdr ethernet;
  struct iphdr ip;
  struct tcphdr tcp;
  uint8_t payload[kMaxPayloadLen];
};

/* The kernel's end. */
static const unsigned char kTapMac[ETH_ALEN] = {2, 0, 0, 0, 0, 1};

/* Makes the device in this network namespace, where the kernel is kTapHost and the rest of
 * kTapNet/16 is ours. It drops what exceeds `num_queued` segments. Returns its descriptor, which
 * does not block, or -1 with errno. The device goes when that is closed. */
int tap_open(int num_queued);

#endif

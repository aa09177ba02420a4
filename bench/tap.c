#define _GNU_SOURCE 1
#include "bench/tap.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kUsuallyQueued = 500 };

static void set_address(struct ifreq *request, uint32_t address) {
  struct sockaddr_in name;
  memset(&name, 0, sizeof(name));
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(address);
  memcpy(&request->ifr_addr, &name, sizeof(name));
}

static int set_mac(int socket_fd, struct ifreq *request) {
  memset(&request->ifr_hwaddr, 0, sizeof(request->ifr_hwaddr));
  request->ifr_hwaddr.sa_family = ARPHRD_ETHER;
  memcpy(request->ifr_hwaddr.sa_data, kTapMac, sizeof(kTapMac));
  return ioctl(socket_fd, SIOCSIFHWADDR, request);
}

static int configure(int socket_fd, struct ifreq *request, int num_queued) {
  request->ifr_qlen = num_queued;
  /* Only root may, also in a namespace where all else is allowed. */
  if (num_queued > kUsuallyQueued && ioctl(socket_fd, SIOCSIFTXQLEN, request) != 0) return -1;
  if (set_mac(socket_fd, request) != 0) return -1;
  set_address(request, kTapHost);
  if (ioctl(socket_fd, SIOCSIFADDR, request) != 0) return -1;
  set_address(request, 0xffff0000);
  if (ioctl(socket_fd, SIOCSIFNETMASK, request) != 0) return -1;
  if (ioctl(socket_fd, SIOCGIFFLAGS, request) != 0) return -1;
  request->ifr_flags |= IFF_UP | IFF_RUNNING | IFF_NOARP;
  return ioctl(socket_fd, SIOCSIFFLAGS, request);
}

int tap_open(int num_queued) {
  struct ifreq request;
  memset(&request, 0, sizeof(request));
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0 ||
      ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM) != 0 ||
      configure(socket_fd, &request, num_queued) != 0) {
    close(fd);
    fd = -1;
  }
  if (socket_fd >= 0) close(socket_fd);
  return fd;
}

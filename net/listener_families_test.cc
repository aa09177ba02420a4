// evconnlistener over other families than AF_INET.
#include <event2/listener.h>
#ifndef _WIN32
#include <sys/un.h>
#endif

#include "net/test_support.h"

namespace {

struct Accepted {
  int num = 0;
  struct sockaddr_storage address;
  int address_len = 0;

  static void Callback(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *address,
                       int address_len, void *arg) {
    Accepted *self = static_cast<Accepted *>(arg);
    memcpy(&self->address, address, static_cast<size_t>(address_len));
    self->address_len = address_len;
    self->num++;
    evutil_closesocket(fd);
  }
};

// Binds, connects, and tells who was accepted.
template <typename Address>
void AcceptOne(Address address, Accepted *out_accepted) {
  Loop loop;
  auto *generic = reinterpret_cast<struct sockaddr *>(&address);
  struct evconnlistener *listener = evconnlistener_new_bind(
      loop, Accepted::Callback, out_accepted, LEV_OPT_CLOSE_ON_FREE, -1, generic, sizeof(address));
  if (listener == nullptr && SocketError() != EADDRINUSE)
    GTEST_SKIP() << evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR());
  ASSERT_NE(nullptr, listener);
  socklen_t len = sizeof(address);
  ASSERT_EQ(0, getsockname(evconnlistener_get_fd(listener), generic, &len));
  const evutil_socket_t client = socket(generic->sa_family, SOCK_STREAM, 0);
  ASSERT_EQ(0, connect(client, generic, len)) << strerror(errno);
  EXPECT_TRUE(loop.RunUntil([&] { return out_accepted->num == 1; }));
  evutil_closesocket(client);
  evconnlistener_free(listener);
}

TEST(ListenerFamilies, Ipv6) {
  struct sockaddr_in6 sin6 = {};
  sin6.sin6_family = AF_INET6;
  sin6.sin6_addr = in6addr_loopback;
  Accepted accepted;
  AcceptOne(sin6, &accepted);
  if (accepted.num == 0) return;
  EXPECT_EQ(AF_INET6, accepted.address.ss_family);
  EXPECT_EQ(static_cast<int>(sizeof(sin6)), accepted.address_len);
}

#ifdef LEV_OPT_BIND_IPV4_AND_IPV6  // Not in libevent 2.1.
// Whether a listener on the IPv6 wildcard, with this flag, takes a connection over IPv4. -1: no
// listener.
int TakesIpv4(unsigned flag) {
  Loop loop;
  Accepted accepted;
  struct sockaddr_in6 any = {};
  any.sin6_family = AF_INET6;
  struct evconnlistener *listener =
      evconnlistener_new_bind(loop, Accepted::Callback, &accepted, flag | LEV_OPT_CLOSE_ON_FREE, -1,
                              reinterpret_cast<struct sockaddr *>(&any), sizeof(any));
  if (listener == nullptr) return -1;
  socklen_t len = sizeof(any);
  EXPECT_EQ(0, getsockname(evconnlistener_get_fd(listener),
                           reinterpret_cast<struct sockaddr *>(&any), &len));
  struct sockaddr_in sin = Loopback(ntohs(any.sin6_port));
  const evutil_socket_t client = socket(AF_INET, SOCK_STREAM, 0);
  const bool is_connected =
      connect(client, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)) == 0;
  if (is_connected) {
    EXPECT_TRUE(loop.RunUntil([&] { return accepted.num == 1; }));
    EXPECT_EQ(AF_INET6, accepted.address.ss_family);
  }
  evutil_closesocket(client);
  evconnlistener_free(listener);
  return is_connected;
}

// Whatever the system's default is, one of the two shows that the flag is heeded.
TEST(ListenerFamilies, Ipv4OnAnIpv6Address) {
  const int alone = TakesIpv4(LEV_OPT_BIND_IPV6ONLY);
  if (alone < 0) GTEST_SKIP() << "no IPv6";
  EXPECT_EQ(0, alone);
  EXPECT_EQ(1, TakesIpv4(LEV_OPT_BIND_IPV4_AND_IPV6));
  EXPECT_EQ(1, TakesIpv4(LEV_OPT_BIND_IPV6ONLY | LEV_OPT_BIND_IPV4_AND_IPV6)) << "the last counts";
}
#endif

#ifndef _WIN32
TEST(ListenerFamilies, Unix) {
  struct sockaddr_un sun = {};
  sun.sun_family = AF_UNIX;
  // A test's own directory may be too deep for a socket's path.
  const std::string path = "/tmp/strata-test-" + std::to_string(getpid()) + ".sock";
  ASSERT_LT(path.size(), sizeof(sun.sun_path));
  strcpy(sun.sun_path, path.c_str());
  Accepted accepted;
  AcceptOne(sun, &accepted);
  unlink(path.c_str());
  if (accepted.num == 0) return;
  EXPECT_EQ(1, accepted.num);
  EXPECT_GE(accepted.address_len, static_cast<int>(sizeof(sa_family_t)));
}
#endif

}  // namespace

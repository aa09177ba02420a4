// No socket can be made for a while. Windows has no setrlimit(2): the linker's --wrap refuses them.
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include <atomic>

#include "net/test_support.h"

namespace {

std::atomic<bool> g_is_exhausted{false};  // A port's threads make sockets too.

using AcceptFunction = SOCKET WSAAPI(SOCKET, sockaddr *, int *);

}  // namespace

// What strata makes sockets with, for AcceptEx too, and what makes those of a listener's readiness.
extern "C" {
extern decltype(&WSASocketW) __real___imp_WSASocketW;
static SOCKET WSAAPI MakeSocket(int family, int type, int protocol, WSAPROTOCOL_INFOW *info,
                                GROUP group, DWORD flags) {
  if (!g_is_exhausted) return __real___imp_WSASocketW(family, type, protocol, info, group, flags);
  WSASetLastError(WSAEMFILE);
  return INVALID_SOCKET;
}
decltype(&WSASocketW) __wrap___imp_WSASocketW = MakeSocket;

extern AcceptFunction *__real___imp_accept;
static SOCKET WSAAPI Accept(SOCKET listener, sockaddr *address, int *len) {
  if (!g_is_exhausted) return __real___imp_accept(listener, address, len);
  WSASetLastError(WSAEMFILE);
  return INVALID_SOCKET;
}
AcceptFunction *__wrap___imp_accept = Accept;
}

namespace {

class OutOfSockets : public ::testing::Test {
 protected:
  OutOfSockets() { evutil_make_socket_nonblocking(fd_); }
  ~OutOfSockets() override {
    g_is_exhausted = false;
    for (const evutil_socket_t fd : accepted_) evutil_closesocket(fd);
    for (const evutil_socket_t fd : clients_) evutil_closesocket(fd);
    evutil_closesocket(fd_);
  }
  void StartListening() {
    listener_ = evconnlistener_new(loop_, OnAccept, this, 0, 0, fd_);
    evconnlistener_set_error_cb(listener_, OnError);
  }
  void Connect(int num) {
    for (int i = 0; i < num; i++) clients_.push_back(ConnectTo(AddressOf(fd_)));
  }
  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    static_cast<OutOfSockets *>(arg)->accepted_.push_back(fd);
  }
  static void OnError(struct evconnlistener *, void *arg) {
    static_cast<OutOfSockets *>(arg)->errors_.push_back(EVUTIL_SOCKET_ERROR());
  }
  // It is told, not spun on, and whatever waits is accepted when there are sockets again.
  void ExpectPauseAndRelief() {
    const long long begin = WallUsec();
    EXPECT_TRUE(loop_.RunUntil([&] { return !errors_.empty(); }));
    loop_.Settle();
    const long long num_pauses = (WallUsec() - begin) / 50000;  // Each takes 100 ms.
    EXPECT_LE(static_cast<long long>(errors_.size()), 1 + num_pauses);
    EXPECT_EQ(std::vector<int>(errors_.size(), WSAEMFILE), errors_);
    EXPECT_LT(accepted_.size(), clients_.size());
    g_is_exhausted = false;
    EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.size() == clients_.size(); }));
    evconnlistener_free(listener_);
    loop_.Settle();
  }

  Loop loop_;
  const evutil_socket_t fd_ = Listen();
  struct evconnlistener *listener_ = nullptr;
  std::vector<evutil_socket_t> clients_, accepted_;
  std::vector<int> errors_;
};

TEST_F(OutOfSockets, BeforeTheListenerBegan) {
  Connect(10);
  g_is_exhausted = true;
  StartListening();
  ExpectPauseAndRelief();
}

// A completion port has sockets ready for some.
TEST_F(OutOfSockets, WhileTheListenerAccepts) {
  StartListening();
  loop_.Settle();
  Connect(40);
  g_is_exhausted = true;
  ExpectPauseAndRelief();
}

TEST_F(OutOfSockets, ConnectingFails) {
  Bev bev(loop_, -1, 0);
  struct sockaddr_in sin = AddressOf(fd_);
  g_is_exhausted = true;
  EXPECT_EQ(
      -1, bufferevent_socket_connect(bev, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  EXPECT_EQ(WSAEMFILE, EVUTIL_SOCKET_ERROR());
  EXPECT_EQ(-1, bufferevent_getfd(bev));
  g_is_exhausted = false;
  ASSERT_EQ(
      0, bufferevent_socket_connect(bev, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  clients_.push_back(bufferevent_getfd(bev));
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev.events);
}

}  // namespace

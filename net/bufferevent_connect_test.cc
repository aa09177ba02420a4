// bufferevent_socket_connect: success, refusal, and what was queued or set up before.
#include <stdlib.h>
#ifndef _WIN32
#include <sys/un.h>
#endif

#include "net/test_support.h"

namespace {

class Connect : public ::testing::TestWithParam<int> {
 protected:
  Connect() : listener_(Listen()), bev_(loop_, -1, GetParam()) {}
  ~Connect() override {
    evutil_closesocket(listener_);
    if (fd_ >= 0) evutil_closesocket(fd_);
  }

  int Start() { return Start(AddressOf(listener_)); }
  int Start(struct sockaddr_in sin) {
    const int result =
        bufferevent_socket_connect(bev_, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
    fd_ = bufferevent_getfd(bev_);
    return result;
  }
  std::string RecvAll(evutil_socket_t fd, size_t len) {
    std::string bytes(len, '\0');
    EXPECT_EQ(static_cast<ssize_t>(len), recv(fd, &bytes[0], len, MSG_WAITALL));
    return bytes;
  }

  Loop loop_;
  evutil_socket_t listener_;
  evutil_socket_t fd_ = -1;  // The bufferevent's, which does not close it.
  Bev bev_;
};

INSTANTIATE_TEST_SUITE_P(All, Connect, ::testing::Values(0, BEV_OPT_DEFER_CALLBACKS),
                         [](const auto &info) {
                           return std::string(info.param ? "Deferred" : "Immediate");
                         });

TEST_P(Connect, ReportsTheConnectionOnce) {
  ASSERT_EQ(0, Start());
  EXPECT_GE(fd_, 0);
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  EXPECT_TRUE(fcntl(fd_, F_GETFL) & O_NONBLOCK);
}

TEST_P(Connect, QueuedOutputFollows) {
  bev_.Write("early ");
  ASSERT_EQ(0, Start());
  bev_.Write("bird");
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  const evutil_socket_t peer = accept(listener_, nullptr, nullptr);
  EXPECT_EQ("early bird", RecvAll(peer, 10));
  EXPECT_EQ(4, send(peer, "worm", 4, 0));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == "worm"; }));
  evutil_closesocket(peer);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.events.size() == 2; }));
  EXPECT_EQ(kEof, bev_.events[1]);
}

TEST_P(Connect, WrittenInTheConnectedCallback) {
  bev_.on_event = [&](short what) {
    if (what & BEV_EVENT_CONNECTED) bev_.Write("hello");
  };
  ASSERT_EQ(0, Start());
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0 && bev_.output_len() == 0; }));
  const evutil_socket_t peer = accept(listener_, nullptr, nullptr);
  EXPECT_EQ("hello", RecvAll(peer, 5));
  evutil_closesocket(peer);
}

TEST_P(Connect, WithWritingDisabled) {
  bev_.Disable(EV_WRITE);
  bev_.Write("abc");
  ASSERT_EQ(0, Start());
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  EXPECT_EQ(3u, bev_.output_len());
  bev_.Enable(EV_WRITE);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.output_len() == 0; }));
}

TEST_P(Connect, PeerThatSpeaksFirstAndLeaves) {
  bev_.Enable(EV_READ);
  ASSERT_EQ(0, Start());
  const evutil_socket_t peer = accept(listener_, nullptr, nullptr);
  EXPECT_EQ(3, send(peer, "bye", 3, 0));
  evutil_closesocket(peer);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.events.size() == 2; }));
  EXPECT_EQ((std::vector<short>{BEV_EVENT_CONNECTED, kEof}), bev_.events);
  EXPECT_EQ("bye", bev_.received);
}

TEST_P(Connect, RefusedWithTheReason) {
  // A bound socket that does not listen: nobody else can have the port.
  const evutil_socket_t bound = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in sin = Loopback();
  ASSERT_EQ(0, bind(bound, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  bev_.Write("lost");
  Start(AddressOf(bound));
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  loop_.Settle();
  ASSERT_EQ(1u, bev_.events.size());
  EXPECT_TRUE(bev_.events[0] & BEV_EVENT_ERROR);
  EXPECT_FALSE(bev_.events[0] & BEV_EVENT_CONNECTED);
  EXPECT_EQ(ECONNREFUSED, bev_.errors[0]);
  EXPECT_EQ(0, bev_.writes);
  EXPECT_EQ(4u, bev_.output_len());
  evutil_closesocket(bound);
}

TEST_P(Connect, OnASocketOfTheCaller) {
  const evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  evutil_make_socket_nonblocking(fd);
  bev_.SetFd(fd);
  ASSERT_EQ(0, Start());
  EXPECT_EQ(fd, fd_);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

TEST_P(Connect, AlreadyUnderWay) {
  const evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  evutil_make_socket_nonblocking(fd);
  struct sockaddr_in sin = AddressOf(listener_);
  const int result = connect(fd, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
  EXPECT_TRUE(result == 0 || errno == EINPROGRESS);
  bev_.SetFd(fd);
  fd_ = fd;
  ASSERT_EQ(0, bufferevent_socket_connect(bev_, nullptr, 0));
  bev_.Write("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

#ifndef _WIN32
// In a directory of its own.
class UnixListener {
 public:
  UnixListener() {
    EXPECT_NE(nullptr, mkdtemp(directory_));
    address_.sun_family = AF_UNIX;
    snprintf(address_.sun_path, sizeof(address_.sun_path), "%s/socket", directory_);
    EXPECT_EQ(0, bind(fd_, address(), sizeof(address_)));
    EXPECT_EQ(0, listen(fd_, 5));
  }
  ~UnixListener() {
    evutil_closesocket(fd_);
    unlink(address_.sun_path);
    rmdir(directory_);
  }
  int Connect(struct bufferevent *bev) {
    return bufferevent_socket_connect(bev, address(), sizeof(address_));
  }
  evutil_socket_t Accept() { return accept(fd_, nullptr, nullptr); }

 private:
  struct sockaddr *address() {
    return reinterpret_cast<struct sockaddr *>(&address_);
  }

  const evutil_socket_t fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
  char directory_[32] = "/tmp/strata_connect_XXXXXX";
  struct sockaddr_un address_ = {};
};

TEST_P(Connect, OverAUnixSocket) {
  UnixListener listener;
  bev_.Write("abc");
  ASSERT_EQ(0, listener.Connect(bev_));
  fd_ = bufferevent_getfd(bev_);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.output_len() == 0 && !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  const evutil_socket_t peer = listener.Accept();
  EXPECT_EQ("abc", RecvAll(peer, 3));
  evutil_closesocket(peer);
}

// The connection that is made at once is told like any other, by the event alone. libevent calls
// the write callback as well.
TEST_P(Connect, OverAUnixSocketWithNothingToWrite) {
  UnixListener listener;
  ASSERT_EQ(0, listener.Connect(bev_));
  fd_ = bufferevent_getfd(bev_);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  EXPECT_EQ(kOnLibevent ? 1 : 0, bev_.writes);
}
#endif

TEST_P(Connect, FreedBeforeItIsDone) {
  for (int i = 0; i < 10; i++) {
    Bev bev(loop_, -1, GetParam() | BEV_OPT_CLOSE_ON_FREE);
    struct sockaddr_in sin = AddressOf(listener_);
    ASSERT_EQ(
        0, bufferevent_socket_connect(bev, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
    const evutil_socket_t fd = bufferevent_getfd(bev);
    bev.Free();
    loop_.Settle();
    EXPECT_EQ(-1, fcntl(fd, F_GETFD));
    EXPECT_TRUE(bev.events.empty());
  }
}

}  // namespace

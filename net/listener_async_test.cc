// What is particular to listeners over a completion port; all else is in the suites that run with
// EVENT_COMPLETION.
#include <event2/listener.h>
#ifndef _WIN32
#include <sys/resource.h>
#endif

#include <thread>

#include "net/async_testing.h"

namespace {

struct Accepted {
  std::vector<evutil_socket_t> fds;
  int errors = 0;
  ~Accepted() {
    for (const evutil_socket_t fd : fds) evutil_closesocket(fd);
  }
  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    static_cast<Accepted *>(arg)->fds.push_back(fd);
  }
  static void OnError(struct evconnlistener *, void *arg) {
    static_cast<Accepted *>(arg)->errors++;
  }
};

class AsyncListener : public Async {
 protected:
  struct evconnlistener *New(unsigned flags) {
    return evconnlistener_new(base_, Accepted::OnAccept, &accepted_, flags, 0, fd_);
  }
  void Connect(int num) {
    for (int i = 0; i < num; i++) clients_.push_back(ConnectTo(AddressOf(fd_)));
  }
  ~AsyncListener() override {
    for (const evutil_socket_t fd : clients_) evutil_closesocket(fd);
  }
  evutil_socket_t fd_ = Listen();
  std::vector<evutil_socket_t> clients_;
  Accepted accepted_;
};

TEST_F(AsyncListener, KeepsTheLoopGoingWhileItIsEnabled) {
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  Settle();
  EXPECT_EQ(0, event_base_loop(base_, EVLOOP_NONBLOCK));
  evconnlistener_disable(listener);
  EXPECT_EQ(1, event_base_dispatch(base_));
  evconnlistener_free(listener);
}

// With no timer and no other event; on libevent's IOCP the loop returns at once.
TEST_F(AsyncListener, AloneItKeepsDispatchWaiting) {
  struct evconnlistener *listener = evconnlistener_new(
      base_,
      [](struct evconnlistener *lev, evutil_socket_t fd, struct sockaddr *, int, void *arg) {
        static_cast<Accepted *>(arg)->fds.push_back(fd);
        event_base_loopbreak(evconnlistener_get_base(lev));
      },
      &accepted_, LEV_OPT_CLOSE_ON_FREE, 0, fd_);
  std::thread client([this] { Connect(1); });
  EXPECT_EQ(0, event_base_dispatch(base_));
  client.join();
  EXPECT_EQ(1u, accepted_.fds.size());
  evconnlistener_free(listener);
  EXPECT_EQ(1, event_base_dispatch(base_));
}

// Operations that are being cancelled are under way while the next are wanted.
TEST_F(AsyncListener, ToggledWithAcceptsInFlight) {
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  for (int i = 0; i < 50; i++) {
    if (i % 3) Settle(1);
    evconnlistener_disable(listener);
    if (i % 2) Settle(1);
    evconnlistener_enable(listener);
    if (i % 10 == 0) Connect(3);
  }
  EXPECT_TRUE(RunUntil([&] { return accepted_.fds.size() == clients_.size(); }));
  evconnlistener_disable(listener);
  EXPECT_EQ(1, event_base_dispatch(base_));
  evconnlistener_free(listener);
}

// Its port is free when its operations have ended, which is soon.
TEST_F(AsyncListener, FreedWithAcceptsInFlightAndMadeAnew) {
  struct sockaddr_in sin = AddressOf(fd_);
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  for (int i = 0; i < 10; i++) {
    Settle(i % 3);
    evconnlistener_free(std::exchange(listener, nullptr));
    ASSERT_TRUE(RunUntil([&] {
      if (listener != nullptr) return true;
      listener = evconnlistener_new_bind(
          base_, Accepted::OnAccept, &accepted_, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
          reinterpret_cast<const struct sockaddr *>(&sin), sizeof(sin));
      return listener != nullptr;
    }));
    fd_ = evconnlistener_get_fd(listener);
    Connect(1);
    const size_t num = clients_.size();
    EXPECT_TRUE(RunUntil([&] { return accepted_.fds.size() == num; }));
  }
  evconnlistener_free(listener);
}

TEST_F(AsyncListener, BaseFreedWithAcceptsInFlight) {
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  Settle();
  Connect(20);
  evconnlistener_free(listener);
  FreeBase();
  EXPECT_TRUE(accepted_.fds.empty());
}

TEST_F(AsyncListener, ARushIsAcceptedCompletely) {
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  for (int round = 0; round < 3; round++) {
    Connect(100);
    EXPECT_TRUE(RunUntil([&] { return accepted_.fds.size() == clients_.size(); }));
  }
  evconnlistener_free(listener);
}

TEST_F(AsyncListener, ConnectionsWaitWhileItIsDisabled) {
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  Connect(20);
  EXPECT_TRUE(RunUntil([&] { return accepted_.fds.size() == 20; }));
  Connect(20);
  evconnlistener_disable(listener);
  Settle();
  EXPECT_EQ(20u, accepted_.fds.size());
  evconnlistener_enable(listener);
  EXPECT_TRUE(RunUntil([&] { return accepted_.fds.size() == 40; }));
  // What came in the turn in which it was freed is closed: no leak, and no call.
  Connect(5);
  evconnlistener_free(listener);
  Settle();
  EXPECT_EQ(40u, accepted_.fds.size());
}

TEST_F(AsyncListener, FlagsOfConnections) {
  for (const unsigned flags : {0u, LEV_OPT_CLOSE_ON_EXEC, LEV_OPT_LEAVE_SOCKETS_BLOCKING,
                               LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_LEAVE_SOCKETS_BLOCKING}) {
    struct evconnlistener *listener = New(flags);
    const size_t before = accepted_.fds.size();
    Connect(1);
    EXPECT_TRUE(RunUntil([&] { return accepted_.fds.size() > before; }));
    const evutil_socket_t fd = accepted_.fds.back();
    EXPECT_EQ(!(flags & LEV_OPT_LEAVE_SOCKETS_BLOCKING), !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    EXPECT_EQ(!!(flags & LEV_OPT_CLOSE_ON_EXEC), !!(fcntl(fd, F_GETFD) & FD_CLOEXEC));
    evconnlistener_free(listener);
    Settle();
  }
  evutil_closesocket(fd_);
}

#ifndef _WIN32
TEST_F(AsyncListener, PausesWithoutDescriptors) {
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  evconnlistener_set_error_cb(listener, Accepted::OnError);
  Settle();
  Connect(10);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  struct rlimit none = {static_cast<rlim_t>(clients_.back()) + 1, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  EXPECT_TRUE(RunUntil([&] { return accepted_.errors > 0; }));
  Settle(50);
  EXPECT_LE(accepted_.errors, 3);
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_TRUE(RunUntil([&] { return accepted_.fds.size() == 10; }));
  evconnlistener_free(listener);
}
#endif

}  // namespace

// evconnlistener: binding, accepting, enabling, flags, and running out of descriptors.
#include <event2/listener.h>
#include <event2/thread.h>
#ifndef _WIN32
#include <sys/resource.h>
#include <sys/wait.h>
#endif

#include <memory>

#include "net/test_support.h"

namespace {

// Accepts and keeps what it got.
struct Accepted {
  ~Accepted() {
    for (const evutil_socket_t fd : fds) evutil_closesocket(fd);
  }
  static void Callback(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
                       int addr_len, void *arg) {
    Accepted *self = static_cast<Accepted *>(arg);
    self->fds.push_back(fd);
    self->flags.push_back(fcntl(fd, F_GETFL));
    self->fd_flags.push_back(fcntl(fd, F_GETFD));
    if (addr->sa_family == AF_INET && addr_len == static_cast<int>(sizeof(struct sockaddr_in))) {
      struct sockaddr_in sin;
      memcpy(&sin, addr, sizeof(sin));
      self->ports.push_back(ntohs(sin.sin_port));
    }
    if (self->then) self->then(listener);
  }
  std::vector<evutil_socket_t> fds;
  std::vector<int> flags;
  std::vector<int> fd_flags;
  std::vector<int> ports;
  std::function<void(struct evconnlistener *)> then;
};

// Client sockets, closed at the end.
struct Clients {
  ~Clients() {
    for (const evutil_socket_t fd : fds) evutil_closesocket(fd);
  }
  evutil_socket_t Connect(struct evconnlistener *listener) {
    return Connect(AddressOf(evconnlistener_get_fd(listener)));
  }
  evutil_socket_t Connect(const struct sockaddr_in &sin) {
    fds.push_back(ConnectTo(sin));
    return fds.back();
  }
  std::vector<evutil_socket_t> fds;
};

const unsigned kFlags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE;

class Listener : public ::testing::Test {
 protected:
  struct evconnlistener *New(unsigned flags = kFlags, evconnlistener_cb cb = Accepted::Callback) {
    struct sockaddr_in sin = Loopback();
    struct evconnlistener *listener = evconnlistener_new_bind(
        loop_, cb, &accepted_, flags, -1, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
    EXPECT_NE(nullptr, listener);
    return listener;
  }

  Loop loop_;
  Accepted accepted_;
  Clients clients_;
};

TEST_F(Listener, AcceptsOnAPortOfTheKernelsChoice) {
  struct evconnlistener *listener = New();
  const evutil_socket_t fd = evconnlistener_get_fd(listener);
  EXPECT_GE(fd, 0);
  EXPECT_NE(0, AddressOf(fd).sin_port);
  EXPECT_EQ(static_cast<struct event_base *>(loop_), evconnlistener_get_base(listener));
#ifndef _WIN32  // It can be asked of connected ones only.
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
#endif
  const evutil_socket_t client = clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 1; }));
  EXPECT_EQ(ntohs(AddressOf(client).sin_port), accepted_.ports.at(0));
  EXPECT_TRUE(accepted_.flags[0] & O_NONBLOCK);
  EXPECT_EQ(5, send(client, "hello", 5, 0));
  ASSERT_TRUE(WaitFor(accepted_.fds[0], POLLIN));
  char block[8];
  EXPECT_EQ(5, recv(accepted_.fds[0], block, sizeof(block), 0));
  evconnlistener_free(listener);
  loop_.Settle();
  EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST_F(Listener, SeveralConnectionsAtOnce) {
  struct evconnlistener *listener = New();
  for (int i = 0; i < 50; i++) clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 50; }));
  for (int i = 0; i < 5; i++) clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 55; }));
  evconnlistener_free(listener);
}

// What becomes due while connections are accepted waits for a bounded number of them. libevent
// accepts all that there are.
TEST_F(Listener, OthersHaveTheirTurnInARush) {
  const size_t num_clients = 100;
  struct evconnlistener *listener = New();
  for (size_t i = 0; i < num_clients; i++) clients_.Connect(listener);
  size_t num_before = 0;
  Ev other(loop_, -1, 0, [&](evutil_socket_t, short) { num_before = accepted_.fds.size(); });
  accepted_.then = [&](struct evconnlistener *) {
    if (accepted_.fds.size() == 1) other.Active(EV_TIMEOUT);
  };
  EXPECT_TRUE(
      loop_.RunUntil([&] { return accepted_.fds.size() == num_clients && other.calls > 0; }));
  EXPECT_EQ(kOnLibevent, num_before == num_clients) << num_before;
  EXPECT_EQ(1, other.calls);
  evconnlistener_free(listener);
}

TEST_F(Listener, KeepsTheLoopWhileEnabled) {
  struct evconnlistener *listener = New();
  const struct timeval soon = Ms(5);
  event_base_loopexit(loop_, &soon);
  EXPECT_EQ(0, event_base_dispatch(loop_));
  evconnlistener_disable(listener);
  EXPECT_EQ(1, event_base_dispatch(loop_));
  evconnlistener_free(listener);
  EXPECT_EQ(1, event_base_dispatch(loop_));
}

TEST_F(Listener, DisabledAndEnabledAgain) {
  struct evconnlistener *listener = New(kFlags | LEV_OPT_DISABLED);
  clients_.Connect(listener);  // Completes in the backlog.
  loop_.Settle();
  EXPECT_TRUE(accepted_.fds.empty());
  EXPECT_EQ(0, evconnlistener_enable(listener));
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 1; }));
  EXPECT_EQ(0, evconnlistener_disable(listener));
  clients_.Connect(listener);
  loop_.Settle();
  EXPECT_EQ(1u, accepted_.fds.size());
  EXPECT_EQ(0, evconnlistener_enable(listener));
  EXPECT_EQ(0, evconnlistener_enable(listener));
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 2; }));
  evconnlistener_free(listener);
}

TEST_F(Listener, DisabledInsideItsCallback) {
  struct evconnlistener *listener = New();
  accepted_.then = [](struct evconnlistener *lev) { evconnlistener_disable(lev); };
  for (int i = 0; i < 3; i++) clients_.Connect(listener);
  for (size_t i = 1; i <= 3; i++) {
    EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() >= i; }));
    loop_.Settle();
    EXPECT_EQ(i, accepted_.fds.size());
    evconnlistener_enable(listener);
  }
  evconnlistener_free(listener);
}

TEST_F(Listener, FreedInsideItsCallback) {
  struct evconnlistener *listener = New();
  const evutil_socket_t fd = evconnlistener_get_fd(listener);
  accepted_.then = [](struct evconnlistener *lev) { evconnlistener_free(lev); };
  for (int i = 0; i < 3; i++) clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return !accepted_.fds.empty(); }));
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ(1u, accepted_.fds.size());
  EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

#ifdef __linux__
TEST_F(Listener, DeferredAccept) {
  struct evconnlistener *listener = New(kFlags | LEV_OPT_DEFERRED_ACCEPT);
  int seconds = 0;
  socklen_t len = sizeof(seconds);
  EXPECT_EQ(0, getsockopt(evconnlistener_get_fd(listener), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
                          &len));
  EXPECT_GT(seconds, 0);
  ASSERT_EQ(1, send(clients_.Connect(listener), "x", 1, 0));
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 1; }));
  evconnlistener_free(listener);
}
#endif

TEST_F(Listener, RefusesFromItsEndOn) {
  struct evconnlistener *listener = New();
  const struct sockaddr_in address = AddressOf(evconnlistener_get_fd(listener));
  // On completions, accepts are with the kernel now.
  event_base_loop(loop_, EVLOOP_NONBLOCK);
  evconnlistener_free(listener);
  const evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_NE(0, connect(fd, reinterpret_cast<const struct sockaddr *>(&address), sizeof(address)));
  evutil_closesocket(fd);
}

TEST_F(Listener, CallbackSetLaterOrTakenAway) {
  struct evconnlistener *listener = New(kFlags, nullptr);
  clients_.Connect(listener);
  loop_.Settle();
  EXPECT_TRUE(accepted_.fds.empty());
  evconnlistener_set_cb(listener, Accepted::Callback, &accepted_);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 1; }));
  Accepted other;
  evconnlistener_set_cb(listener, Accepted::Callback, &other);
  clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return other.fds.size() == 1; }));
  EXPECT_EQ(1u, accepted_.fds.size());
  evconnlistener_free(listener);
}

TEST_F(Listener, CallbackChangedInsideTheCallback) {
  struct evconnlistener *listener = New();
  Accepted other;
  accepted_.then = [&](struct evconnlistener *lev) {
    evconnlistener_set_cb(lev, Accepted::Callback, &other);
  };
  clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 1; }));
  loop_.Settle();
  for (int i = 0; i < 4; i++) clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return other.fds.size() == 4; }));
  EXPECT_EQ(1u, accepted_.fds.size());
  evconnlistener_free(listener);
}

TEST_F(Listener, SocketsCanStayBlocking) {
  struct evconnlistener *listener =
      New(kFlags | LEV_OPT_LEAVE_SOCKETS_BLOCKING | LEV_OPT_CLOSE_ON_EXEC);
  EXPECT_TRUE(fcntl(evconnlistener_get_fd(listener), F_GETFD) & FD_CLOEXEC);
  clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 1; }));
  EXPECT_FALSE(accepted_.flags[0] & O_NONBLOCK);
  EXPECT_TRUE(accepted_.fd_flags[0] & FD_CLOEXEC);
  evconnlistener_free(listener);
}

TEST_F(Listener, SocketOfTheCaller) {
  const evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  evutil_make_socket_nonblocking(fd);
  struct sockaddr_in sin = Loopback();
  ASSERT_EQ(0, bind(fd, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  struct evconnlistener *listener =
      evconnlistener_new(loop_, Accepted::Callback, &accepted_, 0, 16, fd);
  ASSERT_NE(nullptr, listener);
  EXPECT_EQ(fd, evconnlistener_get_fd(listener));
  clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 1; }));
  evconnlistener_free(listener);
  // Without LEV_OPT_CLOSE_ON_FREE the socket goes on, here into a second listener that is told
  // that it is listening already.
  EXPECT_GE(fcntl(fd, F_GETFD), 0);
  listener =
      evconnlistener_new(loop_, Accepted::Callback, &accepted_, LEV_OPT_CLOSE_ON_FREE, 0, fd);
  ASSERT_NE(nullptr, listener);
  clients_.Connect(listener);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 2; }));
  evconnlistener_free(listener);
}

// On Windows any program could, were it not forbidden.
TEST_F(Listener, PortIsNotTakenByForce) {
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  const evutil_socket_t thief = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  EXPECT_EQ(0, setsockopt(thief, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
  EXPECT_NE(0, bind(thief, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)) == 0
                   ? listen(thief, 1)
                   : -1);
  evutil_closesocket(thief);
  evconnlistener_free(listener);
}

TEST_F(Listener, BindThatFails) {
  QuietLog quiet;
  struct evconnlistener *listener = New(LEV_OPT_CLOSE_ON_FREE);
  struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  EXPECT_EQ(nullptr,
            evconnlistener_new_bind(loop_, Accepted::Callback, &accepted_, LEV_OPT_CLOSE_ON_FREE,
                                    -1, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  // Nor may the backlog be zero: that is for sockets which are listening already.
  sin = Loopback();
  EXPECT_EQ(nullptr,
            evconnlistener_new_bind(loop_, Accepted::Callback, &accepted_, 0, 0,
                                    reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  evconnlistener_free(listener);
}

#ifndef _WIN32  // There a port has one listener.
TEST_F(Listener, TwoOnOnePort) {
  struct evconnlistener *first = New(kFlags | LEV_OPT_REUSEABLE_PORT);
  struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(first));
  struct evconnlistener *second = evconnlistener_new_bind(
      loop_, Accepted::Callback, &accepted_, kFlags | LEV_OPT_REUSEABLE_PORT, -1,
      reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
  ASSERT_NE(nullptr, second);
  for (int i = 0; i < 20; i++) clients_.Connect(first);
  EXPECT_TRUE(loop_.RunUntil([&] { return accepted_.fds.size() == 20; }));
  evconnlistener_free(first);
  evconnlistener_free(second);
}
#endif

TEST_F(Listener, WithALock) {
  ASSERT_EQ(0, evthread_use_pthreads());
  Loop loop;
  struct sockaddr_in sin = Loopback();
  for (int in_callback = 0; in_callback < 2; in_callback++) {
    Accepted accepted;
    if (in_callback) accepted.then = [](struct evconnlistener *lev) { evconnlistener_free(lev); };
    struct evconnlistener *listener =
        evconnlistener_new_bind(loop, Accepted::Callback, &accepted, kFlags | LEV_OPT_THREADSAFE,
                                -1, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
    clients_.Connect(listener);
    EXPECT_TRUE(loop.RunUntil([&] { return accepted.fds.size() == 1; }));
    if (!in_callback) {
      evconnlistener_disable(listener);
      evconnlistener_enable(listener);
      evconnlistener_free(listener);
    }
  }
}

#ifndef _WIN32
// ---- Out of descriptors, in a child process: its limit is its own. ----

#define CHECK_IN_CHILD(number, condition) \
  do {                                    \
    if (!(condition)) _exit(number);      \
  } while (0)

int g_errors = 0;
int g_last_error = 0;

// Takes every descriptor that the limit leaves.
void FillDescriptors(std::vector<int> *fillers) {
  const struct rlimit limit = {64, 64};
  CHECK_IN_CHILD(10, setrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (;;) {
    const int fd = dup(0);
    if (fd < 0) return;
    fillers->push_back(fd);
  }
}

void CountError(struct evconnlistener *, void *) {
  g_last_error = EVUTIL_SOCKET_ERROR();
  g_errors++;
}

void OutOfDescriptors() {
  Loop loop;
  Accepted accepted;
  Clients clients;
  struct sockaddr_in sin = Loopback();
  struct evconnlistener *listener =
      evconnlistener_new_bind(loop, Accepted::Callback, &accepted, kFlags, -1,
                              reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
  CHECK_IN_CHILD(11, listener != nullptr);
  evconnlistener_set_error_cb(listener, CountError);
  for (int i = 0; i < 5; i++) clients.Connect(listener);
  std::vector<int> fillers;
  FillDescriptors(&fillers);
  const struct timeval while_full = Ms(300);
  event_base_loopexit(loop, &while_full);
  event_base_dispatch(loop);
  CHECK_IN_CHILD(12, g_errors > 0);
  CHECK_IN_CHILD(13, g_last_error == EMFILE);
  CHECK_IN_CHILD(14, accepted.fds.empty());
  // libevent calls back as fast as the processor allows; strata pauses between attempts.
  if (!kOnLibevent) CHECK_IN_CHILD(15, g_errors < 30);
  for (const int fd : fillers) close(fd);
  CHECK_IN_CHILD(16, loop.RunUntil([&] { return accepted.fds.size() == 5; }));
  clients.Connect(listener);
  CHECK_IN_CHILD(17, loop.RunUntil([&] { return accepted.fds.size() == 6; }));
  evconnlistener_free(listener);
}

// The pause belongs to the listener: disabling and freeing it in between must be harmless.
void FreedWhileOutOfDescriptors() {
  Loop loop;
  Accepted accepted;
  Clients clients;
  struct sockaddr_in sin = Loopback();
  struct evconnlistener *listener =
      evconnlistener_new_bind(loop, Accepted::Callback, &accepted, kFlags, -1,
                              reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
  clients.Connect(listener);
  std::vector<int> fillers;
  FillDescriptors(&fillers);
  evconnlistener_set_error_cb(listener, [](struct evconnlistener *lev, void *) {
    g_errors++;
    if (g_errors == 1) {
      evconnlistener_disable(lev);
    } else {
      evconnlistener_free(lev);
    }
  });
  CHECK_IN_CHILD(21, loop.RunUntil([&] { return g_errors == 1; }));
  loop.Settle();
  CHECK_IN_CHILD(22, g_errors == 1);
  CHECK_IN_CHILD(23, event_base_dispatch(loop) == 1);  // Disabled: nothing keeps the loop.
  CHECK_IN_CHILD(24, evconnlistener_enable(listener) == 0);
  CHECK_IN_CHILD(25, event_base_dispatch(loop) == 1);  // Until the callback frees the listener.
  CHECK_IN_CHILD(26, g_errors == 2);
  for (const int fd : fillers) close(fd);
}

int RunInChild(void (*scenario)()) {
  const pid_t child = fork();
  if (child == 0) {
    QuietLog quiet;
    scenario();
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(child, waitpid(child, &status, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

TEST(ListenerLimits, OutOfDescriptorsPausesAndResumes) {
  EXPECT_EQ(0, RunInChild(OutOfDescriptors));
}

TEST(ListenerLimits, FreedWhileOutOfDescriptors) {
  EXPECT_EQ(0, RunInChild(FreedWhileOutOfDescriptors));
}
#endif

}  // namespace

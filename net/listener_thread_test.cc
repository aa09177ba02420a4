// Listeners with locks, and many connections, used by other threads while their loop runs. What
// these tests prove shows best under ThreadSanitizer.
#include <event2/listener.h>

#include <atomic>
#include <thread>

#include "net/threads_testing.h"

namespace {

class ListenerThreads : public ThreadKinds {};
INSTANTIATE_TEST_SUITE_P(All, ListenerThreads, ::testing::ValuesIn(kThreadKinds), ThreadKindName);

// Serves each connection with an echo until its end.
struct Server {
  struct event_base *base = nullptr;
  int options = 0;
  std::atomic<int> num_accepted{0};
  std::atomic<int> num_ended{0};

  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    Server *self = static_cast<Server *>(arg);
    self->num_accepted++;
    struct bufferevent *bev =
        bufferevent_socket_new(self->base, fd, self->options | BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(bev, EchoBack, nullptr, OnEvent, self);
    bufferevent_enable(bev, EV_READ);
  }
  static void OnEvent(struct bufferevent *bev, short what, void *arg) {
    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))) return;
    static_cast<Server *>(arg)->num_ended++;
    bufferevent_free(bev);
  }
};

struct evconnlistener *NewListener(struct event_base *base, evconnlistener_cb callback, void *arg) {
  const struct sockaddr_in any = Loopback();
  struct evconnlistener *listener =
      evconnlistener_new_bind(base, callback, arg, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_THREADSAFE, 128,
                              reinterpret_cast<const struct sockaddr *>(&any), sizeof(any));
  EXPECT_NE(nullptr, listener);
  return listener;
}

// One connection of a client that blocks: sends a message and waits for its echo.
void TalkOnce(const struct sockaddr_in &sin) {
  const std::string message = Pattern(3000);
  const evutil_socket_t fd = ConnectTo(sin);
  EXPECT_EQ(static_cast<ssize_t>(message.size()), send(fd, message.data(), message.size(), 0));
  std::string echo(message.size(), '\0');
  size_t len = 0;
  while (len < echo.size()) {
    const ssize_t part_len = recv(fd, &echo[len], echo.size() - len, 0);
    if (part_len <= 0) break;
    len += static_cast<size_t>(part_len);
  }
  EXPECT_TRUE(message == echo) << len;
  evutil_closesocket(fd);
}

bool Eventually(const std::function<bool()> &done) {
  for (const long long begin = WallUsec(); WallUsec() - begin < 60000000;) {
    if (done()) return true;
    std::this_thread::yield();
  }
  return done();
}

TEST_P(ListenerThreads, ManyConnectionsFromManyThreads) {
  const int kThreads = 4, kConnections = 40;
  Server server;
  server.options = GetParam().options;
  LoopThread loop;
  server.base = loop;
  struct evconnlistener *listener = NewListener(loop, Server::OnAccept, &server);
  const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  std::vector<std::thread> clients;
  for (int i = 0; i < kThreads; i++) {
    clients.emplace_back([&] {
      for (int n = 0; n < kConnections; n++) TalkOnce(sin);
    });
  }
  for (std::thread &client : clients) client.join();
  EXPECT_EQ(kThreads * kConnections, server.num_accepted);
  EXPECT_TRUE(Eventually([&] { return server.num_ended == kThreads * kConnections; }));
  evconnlistener_free(listener);
  loop.Barrier();
}

// Two loops in two threads, each with a listener of its own, and the clients that both serve.
class TwoLoops {
 public:
  explicit TwoLoops(int options) {
    for (int i = 0; i < 2; i++) {
      servers_[i].options = options;
      servers_[i].base = loops_[i];
    }
  }
  void Serve(struct evconnlistener *const (&listeners)[2]) {
    const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listeners[0]));
    for (int n = 0; n < kConnections; n++) TalkOnce(sin);
    EXPECT_TRUE(
        Eventually([&] { return servers_[0].num_ended + servers_[1].num_ended == kConnections; }));
    for (int i = 0; i < 2; i++) {
      evconnlistener_free(listeners[i]);
      loops_[i].Barrier();
    }
  }
  LoopThread &loop(int i) { return loops_[i]; }
  Server &server(int i) { return servers_[i]; }

 private:
  static const int kConnections = 60;
  LoopThread loops_[2];
  Server servers_[2];
};

#ifndef _WIN32  // There a port has one listener.
TEST_P(ListenerThreads, LoopsThatShareAPort) {
  TwoLoops two(GetParam().options);
  struct evconnlistener *listeners[2];
  struct sockaddr_in sin = Loopback();
  for (int i = 0; i < 2; i++) {
    listeners[i] =
        evconnlistener_new_bind(two.loop(i), Server::OnAccept, &two.server(i),
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_THREADSAFE | LEV_OPT_REUSEABLE_PORT,
                                128, reinterpret_cast<const struct sockaddr *>(&sin), sizeof(sin));
    ASSERT_NE(nullptr, listeners[i]);
    sin = AddressOf(evconnlistener_get_fd(listeners[i]));
  }
  two.Serve(listeners);
  // The kernel spreads them.
  EXPECT_GT(two.server(0).num_accepted, 0);
  EXPECT_GT(two.server(1).num_accepted, 0);
}
#endif

TEST_P(ListenerThreads, LoopsThatShareADescriptor) {
  TwoLoops two(GetParam().options);
  const evutil_socket_t fd = Listen();
  ASSERT_EQ(0, evutil_make_socket_nonblocking(fd));
  struct evconnlistener *listeners[2];
  for (int i = 0; i < 2; i++) {
    listeners[i] = evconnlistener_new(two.loop(i), Server::OnAccept, &two.server(i),
                                      LEV_OPT_THREADSAFE, 0, fd);
    ASSERT_NE(nullptr, listeners[i]);
  }
  two.Serve(listeners);
  evutil_closesocket(fd);
}

// Accepted in one loop and served in another.
TEST_P(ListenerThreads, ConnectionsHandedToAnotherLoop) {
  Server server;
  server.options = GetParam().options;
  LoopThread acceptor, worker;
  server.base = worker;
  struct evconnlistener *listener = NewListener(acceptor, Server::OnAccept, &server);
  const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  for (int n = 0; n < 40; n++) TalkOnce(sin);
  EXPECT_TRUE(Eventually([&] { return server.num_ended == 40; }));
  evconnlistener_free(listener);
  acceptor.Barrier();
  worker.Barrier();
}

// libevent takes the listener's event away with the listener's lock held, and waits for the
// callback that is under way and wants that lock: it can hang in this and the next.
TEST_P(ListenerThreads, ListenerSwitchedByAnotherThread) {
  if (kOnLibevent) GTEST_SKIP();
  Server server;
  server.options = GetParam().options;
  LoopThread loop;
  server.base = loop;
  struct evconnlistener *listener = NewListener(loop, Server::OnAccept, &server);
  const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  std::thread client([&] {
    for (int n = 0; n < 40; n++) TalkOnce(sin);
  });
  for (int n = 0; n < 200; n++) {
    evconnlistener_disable(listener);
    if (n % 3 == 0) evconnlistener_set_cb(listener, nullptr, nullptr);
    evconnlistener_set_cb(listener, Server::OnAccept, &server);
    evconnlistener_enable(listener);
  }
  client.join();
  EXPECT_EQ(40, server.num_accepted);
  EXPECT_TRUE(Eventually([&] { return server.num_ended == 40; }));
  evconnlistener_free(listener);
  loop.Barrier();
}

TEST_P(ListenerThreads, ListenerFreedByAnotherThread) {
  if (kOnLibevent) GTEST_SKIP();
  LoopThread loop;
  for (int round = 0; round < 40; round++) {
    struct Closer {
      Gate called;
      static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                           void *arg) {
        evutil_closesocket(fd);
        static_cast<Closer *>(arg)->called.Open();
      }
    } closer;
    struct evconnlistener *listener = NewListener(loop, Closer::OnAccept, &closer);
    const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
    evutil_socket_t clients[5];
    for (evutil_socket_t &client : clients) client = ConnectTo(sin);
    if (round % 2) {
      EXPECT_TRUE(closer.called.Wait());
    }
    evconnlistener_free(listener);
    loop.Barrier();  // A callback that is under way refers to the object above.
    for (const evutil_socket_t client : clients) evutil_closesocket(client);
  }
}

}  // namespace

// Echo over connections that break: what accepts, reads and writes fails at random. Each client
// hears of its end exactly once, whatever has failed, and what it got until then is the beginning
// of what it sent.
#include <event2/listener.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>

#include "net/threads_testing.h"

namespace {

struct Mode {
  const char *name;
  int options;
  bool is_filtered;
};

void PrintTo(const Mode &mode, std::ostream *out) {
  *out << mode.name;
}

const Mode kModes[] = {
    {"Plain", 0, false},
    {"Deferred", BEV_OPT_DEFER_CALLBACKS, false},
    {"Threadsafe", BEV_OPT_THREADSAFE, false},
    {"Unlocked", BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS, false},
    {"Filter", 0, true},
    {"FilterDeferred", BEV_OPT_DEFER_CALLBACKS, true},
};

struct bufferevent *NewBufferevent(struct event_base *base, evutil_socket_t fd, const Mode &mode) {
  const int options = mode.options | BEV_OPT_CLOSE_ON_FREE;
  struct bufferevent *bev = bufferevent_socket_new(base, fd, options);
  if (!mode.is_filtered) return bev;
  return bufferevent_filter_new(bev, nullptr, nullptr, options, nullptr, nullptr);
}

// Sends back what comes, on each connection until that ends.
class Server {
 public:
  Server(struct event_base *base, const Mode &mode) : mode_(mode) {
    struct sockaddr_in any_port = Loopback();
    listener_ = evconnlistener_new_bind(
        base, OnAccepted, this, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
        reinterpret_cast<struct sockaddr *>(&any_port), sizeof(any_port));
    EXPECT_NE(nullptr, listener_);
  }
  ~Server() {
    evconnlistener_free(listener_);
    for (struct bufferevent *bev : connections_) bufferevent_free(bev);
  }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  struct sockaddr_in address() const {
    return AddressOf(evconnlistener_get_fd(listener_));
  }

 private:
  static void OnAccepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *,
                         int, void *arg) {
    Server *self = static_cast<Server *>(arg);
    struct bufferevent *bev = NewBufferevent(evconnlistener_get_base(listener), fd, self->mode_);
    self->connections_.insert(bev);
    bufferevent_setcb(bev, EchoBack, nullptr, OnEvent, self);
    bufferevent_enable(bev, EV_READ);
  }
  static void OnEvent(struct bufferevent *bev, short what, void *arg) {
    EXPECT_TRUE(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) << what;
    EXPECT_EQ(1u, static_cast<Server *>(arg)->connections_.erase(bev));
    bufferevent_free(bev);
  }

  const Mode &mode_;
  struct evconnlistener *listener_;
  std::set<struct bufferevent *> connections_;
};

// Sends so many bytes and waits for them to come back. Outlives its bufferevent, so that a
// callback too many is seen.
class Client {
 public:
  enum class End { kNone, kWhole, kBroken };

  Client(struct event_base *base, const Mode &mode, const struct sockaddr_in &address, size_t len)
      : bytes_(Pattern(len)), bev_(NewBufferevent(base, -1, mode)) {
    bufferevent_setcb(bev_, OnRead, nullptr, OnEvent, this);
    bufferevent_enable(bev_, EV_READ);
    struct bufferevent *underlying = bufferevent_get_underlying(bev_);
    EXPECT_EQ(0, bufferevent_socket_connect(underlying ? underlying : bev_,
                                            reinterpret_cast<const struct sockaddr *>(&address),
                                            sizeof(address)));
  }
  ~Client() {
    if (bev_) bufferevent_free(bev_);
  }
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  End end() const { return end_; }

 private:
  void Finish(End end) {
    EXPECT_EQ(End::kNone, end_);
    end_ = end;
    bufferevent_free(std::exchange(bev_, nullptr));
  }
  void Send() {
    const size_t half = bytes_.size() / 2;
    bufferevent_write(bev_, bytes_.data(), half);
    bufferevent_write(bev_, bytes_.data() + half, bytes_.size() - half);
  }
  void Read() {
    ASSERT_EQ(End::kNone, end_);
    char bytes[4096];
    size_t num;
    while ((num = bufferevent_read(bev_, bytes, sizeof(bytes))) > 0) {
      ASSERT_EQ(0, bytes_.compare(num_received_, num, bytes, num));
      num_received_ += num;
    }
    if (num_received_ == bytes_.size()) Finish(End::kWhole);
  }
  static void OnRead(struct bufferevent *, void *arg) { static_cast<Client *>(arg)->Read(); }
  static void OnEvent(struct bufferevent *, short what, void *arg) {
    Client *self = static_cast<Client *>(arg);
    if (what == BEV_EVENT_CONNECTED) {
      EXPECT_FALSE(std::exchange(self->is_connected_, true));
      self->Send();
      return;
    }
    EXPECT_TRUE(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) << what;
    EXPECT_FALSE(what & BEV_EVENT_CONNECTED) << what;
    self->Finish(End::kBroken);
  }

  const std::string bytes_;
  struct bufferevent *bev_;
  size_t num_received_ = 0;
  bool is_connected_ = false;
  End end_ = End::kNone;
};

class BrokenConnections : public ::testing::TestWithParam<Mode> {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }
};

TEST_P(BrokenConnections, EachClientHearsOfItsEndOnce) {
  const int kNumClients = 200;
  const size_t kAtATime = 8, kMaxLen = 60000;
  std::mt19937 random(1);
  Loop loop;
  Server server(loop, GetParam());
  std::vector<std::unique_ptr<Client>> clients;
  const auto count = [&](Client::End end) {
    return static_cast<size_t>(std::count_if(
        clients.begin(), clients.end(), [&](const auto &client) { return client->end() == end; }));
  };
  while (clients.size() < kNumClients) {
    clients.emplace_back(new Client(loop, GetParam(), server.address(), 1 + random() % kMaxLen));
    ASSERT_TRUE(loop.RunUntil([&] { return count(Client::End::kNone) < kAtATime; }));
  }
  ASSERT_TRUE(loop.RunUntil([&] { return count(Client::End::kNone) == 0; }));
  loop.Settle();
  const size_t num_whole = count(Client::End::kWhole);
  EXPECT_GT(num_whole, 0u);
  // Without faults, all.
  if (getenv("STRATA_FAULTS") == nullptr) {
    EXPECT_EQ(clients.size(), num_whole);
  }
}

INSTANTIATE_TEST_SUITE_P(All, BrokenConnections, ::testing::ValuesIn(kModes),
                         [](const auto &info) { return std::string(info.param.name); });

}  // namespace

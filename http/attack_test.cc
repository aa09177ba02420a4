// Clients that hold connections instead of using them, a thousand at a time, and what keeps them
// from shutting others out. Strata's own.

#include <sys/resource.h>

#include <chrono>
#include <iostream>
#include <memory>

#include "http/limits_testing.h"
#include "http/streaming_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Later;
using http_testing::LimitsTest;
using http_testing::PostRequest;
using http_testing::Provider;
using http_testing::Reply;
using http_testing::Response;

// Both ends of each connection are this process's.
int NumAttackers() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= 2100) return 1000;
  const int num = static_cast<int>(limit.rlim_cur) / 2 - 50;
  std::cout << "descriptors for " << num << " of 1000 attackers only\n";
  return num;
}

// A server with replies that stay with it when nobody reads them.
class EvictionTest : public LimitsTest {
 protected:
  // On the server's side: otherwise the kernel takes it all.
  void UseSmallBuffers() {
    evhttp_foreach_bound_socket(
        server_.http(),
        [](evhttp_bound_socket *bound, void *) {
          int len = 16 * 1024;
          setsockopt(evhttp_bound_socket_get_fd(bound), SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
        },
        nullptr);
  }
  static void ReplyBig(evhttp_request *req, const std::string &bytes) {
    evbuffer *body = evbuffer_new();
    evbuffer_add_reference(body, bytes.data(), bytes.size(), nullptr, nullptr);
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
  }
  void Wait(int ms) {
    bool waited = false;
    Later(&loop_, ms, [&] { waited = true; });
    ASSERT_TRUE(loop_.RunUntil([&] { return waited; }));
  }
};

class Attack : public EvictionTest {
 protected:
  Attack() : num_attackers_(NumAttackers()) {
    evhttp_set_max_connections(server_.http(), num_attackers_);
    evhttp_set_bevcb(
        server_.http(),
        [](event_base *, void *arg) -> bufferevent * {
          ++*static_cast<int *>(arg);
          return nullptr;
        },
        &accepted_);
  }
  ~Attack() override {
    trickles_ = 0;
    EXPECT_TRUE(loop_.RunUntil([&] { return !trickling_; }));
  }

  void Connect(const std::string &opening, int small_buffer = 0, bool pause = false) {
    for (int i = 0; i < num_attackers_; ++i) {
      attackers_.emplace_back(new Client(&loop_, server_.port(), small_buffer));
      if (pause) attackers_.back()->Pause();
      attackers_.back()->Send(opening);
      if (i % 100 == 99) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    }
    ASSERT_TRUE(loop_.RunUntil([&] { return accepted_ >= num_attackers_; }));
  }
  // A client that asks until it is served; how long that takes is bounded by the server's settings.
  void ExpectServed() {
    for (int tries = 0;; ++tries) {
      ASSERT_LT(tries, 400);
      Client client(&loop_, server_.port());
      Response response;
      client.Send(GetRequest("/"));
      if (client.Receive(&response) && response.status == 200) return;
      bool waited = false;
      Later(&loop_, 50, [&] { waited = true; });
      ASSERT_TRUE(loop_.RunUntil([&] { return waited; }));
    }
  }
  // Has each attacker send a byte now and then, until the end of the test.
  void Trickle(const std::string &bytes) {
    // Though the server may have closed its side.
    for (auto &attacker : attackers_) attacker->Send(bytes);
    trickling_ = true;
    Later(&loop_, 20, [this, bytes] {
      trickling_ = false;
      if (--trickles_ > 0) Trickle(bytes);
    });
  }

  const int num_attackers_;
  int trickles_ = 400, accepted_ = 0;
  bool trickling_ = false;
  std::vector<std::unique_ptr<Client>> attackers_;
};

TEST_F(Attack, SilentConnections) {
  Connect("");
  ExpectServed();
}

TEST_F(Attack, SlowHeads) {
  Connect("GET / HTTP/1.1\r\nHost: a\r\nA: ");
  Trickle("a");
  ExpectServed();
}

TEST_F(Attack, IdleConnectionsGiveWay) {
  Connect(GetRequest("/"));
  for (auto &attacker : attackers_) {
    Response response;
    ASSERT_TRUE(attacker->Receive(&response));
  }
  ExpectServed();
}

TEST_F(Attack, RefusedClientsThatStay) {
  Connect("nonsense\r\n");
  Trickle("a");
  const auto start = std::chrono::steady_clock::now();
  ExpectServed();
  // They are put up with for 30 seconds, but not at the cost of others.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(Attack, SlowBodies) {
  timeval tv = Ms(300);
  evhttp_set_read_timeout_tv(server_.http(), &tv);
  evhttp_set_min_body_rate(server_.http(), 10000);
  Connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  Trickle("a");
  ExpectServed();
}

// Nothing is set: their timeout is 50 seconds.
TEST_F(Attack, SlowBodiesByDefault) {
  Connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\na");
  ExpectServed();
}

// The limit of connections is far away, that of descriptors is not.
TEST_F(Attack, SlowHeadsTakeAllDescriptors) {
  const int num_attackers = 100, num_free = 40;
  // UBSan looks at a type for the first time with descriptors of its own.
  EXPECT_EQ(Client(&loop_, server_.port()).Get(GetRequest("/")).status, 200);
  accepted_ = 0;
  for (int i = 0; i < num_attackers; ++i) {
    attackers_.emplace_back(new Client(&loop_, server_.port()));
    attackers_.back()->Send("GET / HTTP/1.1\r\nHost: a\r\nA: ");
  }
  const int reserved = dup(0);
  ASSERT_GE(reserved, 0);
  http_testing::DescriptorLimit limit(reserved + 1 + num_free);
  ASSERT_TRUE(loop_.RunUntil([&] { return accepted_ >= num_free / 2; }));
  loop_.Settle();
  ASSERT_LT(accepted_, num_attackers);
  close(reserved);
  Client client(&loop_, server_.port());  // Behind all of them.
  Trickle("a");
  EXPECT_EQ(client.Get(GetRequest("/")).status, 200);
  EXPECT_GE(accepted_, num_attackers);
  // No more have gone than had to.
  EXPECT_GT(evhttp_get_connection_count(server_.http()), num_free / 2);
}

TEST_F(Attack, SlowReaders) {
  timeval tv = Ms(300);
  evhttp_set_write_timeout_tv(server_.http(), &tv);
  const std::string big(1 << 20, 'x');
  server_.On("/big", [&](evhttp_request *req) { ReplyBig(req, big); });
  UseSmallBuffers();
  Connect(GetRequest("/big"), 16 * 1024, true);
  ExpectServed();
}

// ---- The limits one by one ----

TEST_F(LimitsTest, ReaderThatTricklesIsCutOff) {
  timeval tv = Ms(400);
  evhttp_set_write_timeout_tv(server_.http(), &tv);
  // It takes about 100 pieces of a few KiB in two windows.
  evhttp_set_min_reply_rate(server_.http(), 10 << 20);
  http_testing::Provider provider(http_testing::Pattern(64 << 20), 64 * 1024);
  server_.On("/big", [&](evhttp_request *req) {
    evhttp_send_reply_provided(req, 200, "OK", -1, Provider::Call, &provider);
  });
  Client client(&loop_, server_.port(), 16 * 1024);
  client.Send(GetRequest("/big"));
  int turns = 0;
  std::function<void()> turn = [&] {
    client.Pause();
    Later(&loop_, 20, [&] {
      client.Resume();
      event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
      if (!provider.ended && ++turns < 400) turn();
    });
  };
  turn();
  ASSERT_TRUE(loop_.RunUntil([&] { return provider.ended > 0; }));
  EXPECT_LT(provider.given, size_t{64} << 20);
  turns = 400;
  bool waited = false;
  Later(&loop_, 60, [&] { waited = true; });
  ASSERT_TRUE(loop_.RunUntil([&] { return waited; }));
}

TEST_F(LimitsTest, ReaderThatKeepsUpIsNotCutOffThoughLittleComes) {
  timeval tv = Ms(50);
  evhttp_set_write_timeout_tv(server_.http(), &tv);
  evhttp_set_min_reply_rate(server_.http(), 10 << 20);
  http_testing::Provider provider(std::string(30, 'x'), 1);
  provider.on_ask = [&](evhttp_request *req, evbuffer *) {
    if (provider.asked % 2) return Provider::kUsual;
    Later(&loop_, 10, [req] { evhttp_request_body_ready(req); });
    return EVHTTP_BODY_MORE;
  };
  server_.On("/slow", [&](evhttp_request *req) {
    evhttp_send_reply_provided(req, 200, "OK", -1, Provider::Call, &provider);
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/slow")).body.size(), 30u);
}

TEST_F(LimitsTest, RequestsOfAConnection) {
  evhttp_set_max_requests(server_.http(), 3);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).Value("Connection"), "(none)");
  EXPECT_EQ(client.Get(PostRequest("/", "a")).Value("Connection"), "(none)");
  EXPECT_EQ(client.Get(GetRequest("/")).Value("Connection"), "close");
  EXPECT_TRUE(client.WaitClosed());
  evhttp_set_max_requests(server_.http(), 0);
  Client other(&loop_, server_.port());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(other.Get(GetRequest("/")).Value("Connection"), "(none)");
}

TEST_F(LimitsTest, FirstByteAndIdleTimeAreSetApart) {
  timeval soon = Ms(100), never = {0, 0};
  evhttp_set_first_byte_timeout_tv(server_.http(), &soon);
  evhttp_set_idle_timeout_tv(server_.http(), &never);
  Client silent(&loop_, server_.port()), idle(&loop_, server_.port());
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(silent.WaitClosed());
  EXPECT_EQ(silent.received(), "");
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  evhttp_set_first_byte_timeout_tv(server_.http(), &never);
  evhttp_set_idle_timeout_tv(server_.http(), &soon);
  Client patient(&loop_, server_.port());
  loop_.Settle();
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(idle.WaitClosed());
  EXPECT_EQ(patient.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(patient.WaitClosed());
}

// After those that are idle, and not for one that keeps up.
TEST_F(EvictionTest, ABodyThatIsBehindGivesWay) {
  evhttp_set_max_connections(server_.http(), 3);
  evhttp_set_min_body_rate(server_.http(), 2048);
  std::vector<evhttp_request *> held;
  server_.On("/hold", [&](evhttp_request *req) { held.push_back(req); });
  Client honest(&loop_, server_.port()), slow(&loop_, server_.port()), idle(&loop_, server_.port());
  const std::string upload = PostRequest("/", std::string(100000, 'b'));
  honest.Send(upload.substr(0, upload.size() - 40000));
  slow.Send(upload.substr(0, upload.size() - 99999));
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  Wait(2500);
  Client one(&loop_, server_.port()), two(&loop_, server_.port());
  one.Send(GetRequest("/hold"));
  EXPECT_TRUE(idle.WaitClosed());
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 1; }));
  two.Send(GetRequest("/hold"));
  EXPECT_TRUE(slow.WaitClosed());
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 2; }));
  EXPECT_EQ(AskOnce(GetRequest("/")).status, 503);
  EXPECT_EQ(honest.Get(upload.substr(upload.size() - 40000)).status, 200);
  for (evhttp_request *req : held) Reply(req, "x");
  Response response;
  EXPECT_TRUE(one.Receive(&response));
  EXPECT_TRUE(two.Receive(&response));
}

// They hold no place, so their going makes none.
TEST_F(EvictionTest, RefusedConnectionsHaveNoPlaceToGive) {
  evhttp_set_max_connections(server_.http(), 2);
  std::vector<evhttp_request *> held;
  server_.On("/hold", [&](evhttp_request *req) { held.push_back(req); });
  std::vector<std::unique_ptr<Client>> clients;
  auto ask = [&] {
    clients.emplace_back(new Client(&loop_, server_.port()));
    clients.back()->Send(GetRequest("/hold"));
  };
  auto expect_refused = [&] {
    clients.emplace_back(new Client(&loop_, server_.port()));
    Response response;
    ASSERT_TRUE(clients.back()->Receive(&response));
    EXPECT_EQ(response.status, 503);
  };
  for (int i = 0; i < 2; ++i) ask();
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 2; }));
  for (int i = 0; i < 5; ++i) expect_refused();
  Wait(1200);
  for (int i = 0; i < 5; ++i) expect_refused();
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 12);
  // Nor do they keep others from a place that is free.
  clients.front()->Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) < 12; }));
  ask();
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 3; }));
  for (evhttp_request *req : held) Reply(req, "x");
  Response response;
  EXPECT_TRUE(clients.back()->Receive(&response));
}

TEST_F(EvictionTest, SlowDownloadsDoNotHideIdleConnections) {
  const int num_slow = 17;
  evhttp_set_max_connections(server_.http(), num_slow + 1);
  int num_replied = 0;
  const std::string big(1 << 20, 'x');
  server_.On("/big", [&](evhttp_request *req) {
    ReplyBig(req, big);
    ++num_replied;
  });
  UseSmallBuffers();
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < num_slow; ++i) {
    slow.emplace_back(new Client(&loop_, server_.port(), 4096));
    slow.back()->Pause();
    slow.back()->Send(GetRequest("/big"));
  }
  ASSERT_TRUE(loop_.RunUntil([&] { return num_replied == num_slow; }));
  Client idle(&loop_, server_.port());
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  Wait(1200);
  Client fresh(&loop_, server_.port());
  EXPECT_EQ(fresh.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(idle.WaitClosed());
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), num_slow + 1);
}

// What is missing is not what a connection gives back.
TEST_F(EvictionTest, FewAreClosedInVain) {
  const int num_idle = 100, limit_below = 300;
  EXPECT_EQ(Client(&loop_, server_.port()).Get(GetRequest("/")).status, 200);
  http_testing::DescriptorFiller filler(limit_below);
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < num_idle; ++i) idle.emplace_back(new Client(&loop_, server_.port()));
  ASSERT_TRUE(
      loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == num_idle; }));
  Wait(1200);
  Client fresh(&loop_, server_.port());
  fresh.Send(GetRequest("/"));
  {
    http_testing::DescriptorLimit limit(limit_below);
    Wait(500);
  }
  // A pause is a tenth of a second.
  EXPECT_LT(evhttp_get_connection_count(server_.http()), num_idle);
  EXPECT_GT(evhttp_get_connection_count(server_.http()), num_idle / 2);
  Response response;
  EXPECT_TRUE(fresh.Receive(&response));
  EXPECT_EQ(response.status, 200);
}

TEST_F(EvictionTest, OldestIdleConnectionGivesWay) {
  evhttp_set_max_connections(server_.http(), 3);
  evhttp_request *held = nullptr;
  server_.On("/hold", [&](evhttp_request *req) { held = req; });
  Client busy(&loop_, server_.port()), first(&loop_, server_.port()),
      second(&loop_, server_.port());
  busy.Send(GetRequest("/hold"));
  EXPECT_EQ(second.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(first.Get(GetRequest("/")).status, 200);
  ASSERT_TRUE(loop_.RunUntil([&] { return held != nullptr; }));
  Wait(1200);
  // What has just been used is not the oldest any more.
  EXPECT_EQ(second.Get(GetRequest("/")).status, 200);
  Client fresh(&loop_, server_.port());
  EXPECT_EQ(fresh.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(first.WaitClosed());
  EXPECT_FALSE(second.closed());
  Reply(held, "x");
  Response response;
  EXPECT_TRUE(busy.Receive(&response));
}

}  // namespace

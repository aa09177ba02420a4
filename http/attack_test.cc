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
using http_testing::EvictionTest;
using http_testing::GetRequest;
using http_testing::Later;
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

}  // namespace

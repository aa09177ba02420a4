// Pools, their connections and their requests that go away at any moment; memory that runs out;
// pools of several threads.

#include <chrono>
#include <thread>

#include <event2/thread.h>

#include "http/client_pool_testing.h"
#include "util/testing/counting_memory.h"
#include "util/testing/port_threads.h"

namespace {

using client_testing::Exchange;
using client_testing::kHi;
using client_testing::Peer;
using client_testing::PoolTest;
using http_testing::Loop;
using http_testing::Server;

// Set before anything is allocated: a block must go back where it came from.
class Hooks : public testing::Environment {
 public:
  void SetUp() override {
    CountingMemory::Install(event_set_mem_functions);
#ifdef _WIN32
    evthread_use_windows_threads();
#else
    evthread_use_pthreads();
#endif
  }
};
const testing::Environment *const hooks = testing::AddGlobalTestEnvironment(new Hooks);

// ---- Requests ----

TEST_F(PoolTest, CancelledWhileItWaits) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  MakeMany(4);
  ASSERT_NE(server_.WaitFor(0, "/0"), nullptr);
  evhttp_cancel_request(At(1).req);
  evhttp_request_free(At(2).req);
  EXPECT_EQ(Stats().num_waiting, 1u);
  EXPECT_EQ(At(1).errors, 0);
  server_.peers[0]->Send(kHi);
  ASSERT_NE(server_.WaitFor(0, "/3"), nullptr);
  server_.peers[0]->Send(kHi);
  ASSERT_TRUE(Finish(&At(3)));
  EXPECT_EQ(At(1).calls + At(2).calls, 0);
}

TEST_F(PoolTest, CancelledWhileUnderWay) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  MakeMany(2);
  ASSERT_NE(server_.WaitFor(0, "/0"), nullptr);
  server_.replies = {kHi};
  evhttp_cancel_request(At(0).req);
  EXPECT_EQ(At(0).error, EVREQ_HTTP_REQUEST_CANCEL);
  ASSERT_TRUE(Finish(&At(1)));
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(PoolTest, CancelledWhileConnecting) {
  MakeMany(1);
  evhttp_cancel_request(At(0).req);
  // Its connection is closed, or kept where it was there already.
  EXPECT_TRUE(Run([&] { return Stats().num_idle == Stats().num_connections; }));
  server_.replies = {kHi};
  MakeMany(1);
  ASSERT_TRUE(Finish(&At(1)));
  EXPECT_EQ(At(0).calls, 0);
}

TEST_F(PoolTest, OwnedRequestsOutliveThePool) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  MakeMany(2);
  for (auto &exchange : many_) evhttp_request_own(exchange->req);
  ASSERT_NE(server_.WaitFor(0, "/0"), nullptr);
  Free();
  for (auto &exchange : many_) {
    EXPECT_EQ(evhttp_request_get_connection(exchange->req), nullptr);
    EXPECT_EQ(exchange->calls, 0);
    evhttp_request_free(exchange->req);
  }
}

TEST_F(PoolTest, OwnedRequestIsMadeAgain) {
  server_.replies = {kHi, kHi};
  Exchange one;
  one.keep = true;
  ASSERT_EQ(Make(&one, UriOf(server_, "/a")), 0);
  ASSERT_TRUE(Finish(&one));
  ASSERT_EQ(Make(&one, UriOf(server_, "/b")), 0);
  ASSERT_TRUE(Run([&] { return one.calls == 2; }));
  EXPECT_NE(server_.peers[0]->in.find("GET /b"), std::string::npos);
  evhttp_request_free(one.req);
}

TEST_F(PoolTest, HasNoConnectionWhileItWaits) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  server_.replies = {kHi, kHi};
  MakeMany(2);
  EXPECT_NE(evhttp_request_get_connection(At(0).req), nullptr);
  EXPECT_EQ(evhttp_request_get_connection(At(1).req), nullptr);
  ASSERT_TRUE(FinishAll());
}

TEST_F(PoolTest, CancelledByTheCallbackForItsConnection) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  MakeMany(2);
  ASSERT_NE(server_.WaitFor(0, "/0"), nullptr);
  evhttp_connection_pool_set_newcb(
      pool_,
      [](evhttp_connection *, void *req) {
        evhttp_cancel_request(static_cast<evhttp_request *>(req));
      },
      At(1).req);
  server_.peers[0]->Close();
  ASSERT_TRUE(Finish(&At(0)));
  EXPECT_TRUE(BecomesEmpty());
  evhttp_connection_pool_set_newcb(pool_, nullptr, nullptr);
  server_.replies = {kHi};
  MakeMany(1);
  ASSERT_TRUE(Finish(&At(2)));
}

// ---- Connections ----

TEST_F(PoolTest, RequestFromTheCloseCallbackOfOneThatIsFreed) {
  struct Last {
    std::function<void()> on_close;
    evhttp_connection *evcon = nullptr;
  } last;
  evhttp_connection_pool_set_newcb(
      pool_,
      [](evhttp_connection *evcon, void *arg) {
        static_cast<Last *>(arg)->evcon = evcon;
        evhttp_connection_set_closecb(
            evcon, [](evhttp_connection *, void *arg) { static_cast<Last *>(arg)->on_close(); },
            arg);
      },
      &last);
  server_.replies = {kHi, kHi};
  MakeMany(1);
  ASSERT_TRUE(FinishAll());
  last.on_close = [&] {
    if (many_.size() == 1) MakeMany(1);
  };
  evhttp_connection_free(last.evcon);
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(server_.peers.size(), 2u);
  Free();
}

TEST_F(PoolTest, ConnectionThatTheUserFrees) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  MakeMany(2);
  evhttp_request_set_header_cb(At(0).req, [](evhttp_request *req, void *) {
    evhttp_connection_free(evhttp_request_get_connection(req));
    return 0;
  });
  server_.replies = {kHi, kHi};
  ASSERT_TRUE(Finish(&At(1)));
  EXPECT_EQ(At(0).calls, 0);
  EXPECT_EQ(server_.peers.size(), 2u);
}

const char kSwitch[] =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nbytes";

TEST_F(PoolTest, ConnectionThatIsNoHttpAnyMore) {
  for (bool take : {true, false}) {
    server_.peers.clear();
    server_.replies = {kSwitch};
    Exchange one;
    evhttp_connection *evcon = nullptr;
    bufferevent *taken = nullptr;
    one.WithField("Connection", "Upgrade").WithField("Upgrade", "other").WithHeaderCb();
    one.on_head = [&] { evcon = evhttp_request_get_connection(one.req); };
    one.on_reply = [&] {
      EXPECT_EQ(Stats().num_idle, 0u);
      if (take) taken = evhttp_connection_take_bufferevent(evcon);
    };
    ASSERT_EQ(Make(&one, UriOf(server_)), 0);
    ASSERT_TRUE(Finish(&one));
    EXPECT_EQ(one.code, 101);
    EXPECT_TRUE(BecomesEmpty());
    EXPECT_EQ(taken != nullptr, take);
    if (!taken) continue;
    EXPECT_EQ(evbuffer_get_length(bufferevent_get_input(taken)), 5u);
    bufferevent_free(taken);
  }
}

// ---- The pool ----

enum Moment { kNow, kConnected, kHead, kChunk, kReply, kClose, kError, kFailed, kNumMoments };

class FreedAnytime : public PoolTest, public testing::WithParamInterface<int> {
 protected:
  void Act() {
    if (acted_) return;
    acted_ = true;
    evhttp_connection_pool *pool = pool_;
    pool_ = nullptr;
    evhttp_connection_pool_free(pool);
  }
  static void OnClose(evhttp_connection *, void *arg) { static_cast<FreedAnytime *>(arg)->Act(); }
  static void OnNew(evhttp_connection *evcon, void *arg) {
    evhttp_connection_set_closecb(evcon, OnClose, arg);
  }
  bool acted_ = false;
};

TEST_P(FreedAnytime, NothingIsUsedAfterItsEnd) {
  const int moment = GetParam();
  if (moment == kFailed) server_.StopListening();
  if (moment == kClose) evhttp_connection_pool_set_newcb(pool_, OnNew, this);
  evhttp_connection_pool_set_max_per_host(pool_, 2);
  const std::string reply =
      moment == kError ? "junk\r\n\r\n"
                       : "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
                         "\r\n3\r\nabc\r\n0\r\n\r\n";
  // Either of two connections may be the first one.
  server_.replies = {reply, reply, kHi};
  MakeMany(5);
  Exchange &one = At(0), &last = At(4);
  if (moment == kHead) one.WithHeaderCb().on_head = [this] { Act(); };
  if (moment == kChunk) one.WithChunks().on_chunk = [this] { Act(); };
  if (moment == kReply) one.on_reply = [this] { Act(); };
  if (moment == kError) one.on_error = [this] { Act(); };
  if (moment == kFailed) one.on_reply = [this] { Act(); };
  if (moment == kConnected) {
    EXPECT_TRUE(Run([&] { return !server_.peers.empty(); }));
  }
  if (moment == kNow || moment == kConnected) Act();
  EXPECT_TRUE(Run([&] { return acted_; }));
  loop_.Settle();
  EXPECT_EQ(last.calls, 0);
}

INSTANTIATE_TEST_SUITE_P(Moments, FreedAnytime, testing::Range(0, static_cast<int>(kNumMoments)));

TEST_F(PoolTest, FreedWithIdleConnections) {
  server_.replies = {kHi, kHi};
  MakeMany(2);
  ASSERT_TRUE(FinishAll());
  Free();
  EXPECT_TRUE(Run([&] { return server_.peers[0]->ended && server_.peers[1]->ended; }));
}

TEST_F(PoolTest, RequestInTheLastCloseCallbackIsRefused) {
  struct Last {
    evhttp_connection_pool *pool;
    Exchange exchange;
    int result = 0;
  } last = {pool_, {}};
  evhttp_connection_pool_set_newcb(
      pool_,
      [](evhttp_connection *evcon, void *arg) {
        evhttp_connection_set_closecb(
            evcon,
            [](evhttp_connection *, void *arg) {
              Last *last = static_cast<Last *>(arg);
              last->result = evhttp_connection_pool_make_request(
                  last->pool, last->exchange.req, EVHTTP_REQ_GET, "http://127.0.0.1:1/");
            },
            arg);
      },
      &last);
  server_.replies = {kHi};
  MakeMany(1);
  ASSERT_TRUE(FinishAll());
  Free();
  EXPECT_EQ(last.result, -1);
}

// ---- Memory ----

class NoMemory : public PoolTest {
 protected:
  NoMemory() {
    http_.OnAny([](evhttp_request *req) { evhttp_send_reply(req, 200, "OK", nullptr); });
  }
  // Returns whether memory failed at all.
  bool RunWithout(long at, bool keep) {
    many_.clear();
    Free();
    CountingMemory::Begin(at, keep ? CountingMemory::kAll : 1);
    pool_ = evhttp_connection_pool_new(loop_.base(), nullptr);
    if (pool_) evhttp_connection_pool_set_max_per_host(pool_, 2);
    for (int i = 0; pool_ && i < 5; ++i) MakeOne();
    for (int i = 0; i < 10; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    CountingMemory::StopFailing();
    const bool failed = CountingMemory::has_failed();
    if (!pool_) return failed;
    EXPECT_TRUE(FinishAll());
    for (auto &exchange : many_) EXPECT_LE(exchange->errors, 1);
    Exchange after;
    EXPECT_EQ(Make(&after, uri_), 0);
    EXPECT_TRUE(Finish(&after));
    EXPECT_EQ(after.code, 200);
    EXPECT_EQ(Stats().num_waiting, 0u);
    return failed;
  }
  void MakeOne() {
    auto exchange = std::make_unique<Exchange>();
    if (exchange->req && Make(exchange.get(), uri_) == 0) many_.push_back(std::move(exchange));
  }

  Server http_{&loop_};
  std::string uri_ = "http://127.0.0.1:" + std::to_string(http_.port()) + "/";
};

TEST_F(NoMemory, AtAnyPoint) {
  for (bool keep : {false, true}) {
    long at = 1;
    while (at < 600 && RunWithout(at, keep) && !HasFailure()) ++at;
    EXPECT_FALSE(HasFailure()) << "at allocation " << at << (keep ? " and on" : "");
    EXPECT_GT(at, 20);
    EXPECT_LT(at, 600);
  }
}

TEST_F(PoolTest, LeavesNothingBehind) {
  Free();
  // A port's threads keep up to 64 blocks to receive into, and 20 may be on their way: how many
  // depends on their pace. A block lost in each round is more.
  const int num_rounds = HasPortThreads() ? 100 : 3;
  server_.replies.assign(static_cast<size_t>(num_rounds) * 12, kHi);
  long before = 0;
  for (int round = 0; round < num_rounds; ++round) {
    pool_ = evhttp_connection_pool_new(loop_.base(), nullptr);
    evhttp_connection_pool_set_max_per_host(pool_, 2);
    many_.clear();
    MakeMany(6);
    ASSERT_TRUE(FinishAll());
    Free();
    server_.peers.clear();
    // The first round has things grow that stay.
    if (round == 1) before = CountingMemory::num_blocks();
  }
  if (HasPortThreads()) {
    EXPECT_LT(CountingMemory::num_blocks(), before + 84);
  } else {
    EXPECT_EQ(CountingMemory::num_blocks(), before);
  }
}

// ---- Threads: each has its own loop, and shares nothing that it could see. ----

TEST(PoolThreads, EachHasItsOwn) {
  std::vector<std::thread> threads;
  std::atomic<int> num_done{0};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&num_done] {
      Loop loop;
      Server server(&loop);
      server.OnAny([](evhttp_request *req) { http_testing::Reply(req, "hi"); });
      evhttp_connection_pool *pool = evhttp_connection_pool_new(loop.base(), nullptr);
      const std::string uri = "http://localhost:" + std::to_string(server.port()) + "/";
      std::vector<std::unique_ptr<Exchange>> many;
      for (int n = 0; n < 30; ++n) {
        many.push_back(std::make_unique<Exchange>());
        if (evhttp_connection_pool_make_request(pool, many[n]->req, EVHTTP_REQ_GET, uri.c_str()) <
            0)
          break;
      }
      if (loop.RunUntil([&] {
            return std::all_of(many.begin(), many.end(),
                               [](auto &exchange) { return exchange->code == 200; });
          }))
        num_done++;
      evhttp_connection_pool_free(pool);
      loop.Settle();
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(num_done, 3);
}

}  // namespace

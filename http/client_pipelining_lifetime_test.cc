// Pipelined requests that go away at any moment, and memory that runs out.

#include <chrono>

#include "http/client_pipelining_testing.h"
#include "util/testing/counting_memory.h"

namespace {

using client_testing::Exchange;
using client_testing::kHi;
using client_testing::Peer;
using client_testing::PipeliningTest;
using client_testing::ReplyOf;

// Set before anything is allocated: a block must go back where it came from.
class Hooks : public testing::Environment {
 public:
  void SetUp() override { CountingMemory::Install(event_set_mem_functions); }
};
const testing::Environment *const hooks = testing::AddGlobalTestEnvironment(new Hooks);

// ---- Requests that are wanted no more ----

TEST_F(PipeliningTest, CancelledBehindOthers) {
  Peer *peer = Warm(8);
  MakeMany(4);
  ASSERT_TRUE(Sees(peer, "/3"));
  evhttp_cancel_request(At(2).req);
  EXPECT_EQ(At(2).errors, 1);
  EXPECT_EQ(At(2).error, EVREQ_HTTP_REQUEST_CANCEL);
  EXPECT_EQ(con_->closes, 0);
  peer->Send(ReplyOf("a") + ReplyOf("b") + ReplyOf("nobody's") + ReplyOf("nor this"));
  Peer *next = server_.WaitFor(1, "/3");
  ASSERT_NE(next, nullptr);
  next->Send(ReplyOf("d"));
  ASSERT_TRUE(Finish(&At(3)));
  EXPECT_EQ(At(0).body + At(1).body + At(3).body, "abd");
  EXPECT_EQ(At(2).calls, 0);
  EXPECT_EQ(con_->closes, 1);
}

TEST_F(PipeliningTest, CancelledFirst) {
  Peer *peer = Warm(8);
  MakeMany(3);
  ASSERT_TRUE(Sees(peer, "/2"));
  server_.replies = {ReplyOf("b"), ReplyOf("c")};
  evhttp_cancel_request(At(0).req);
  EXPECT_EQ(con_->closes, 1);
  ASSERT_TRUE(Finish(&At(2)));
  EXPECT_EQ(At(0).calls, 0);
  EXPECT_EQ(At(1).body + At(2).body, "bc");
}

TEST_F(PipeliningTest, CancelledBeforeItWasSent) {
  Peer *peer = Warm(2);
  MakeMany(4);
  ASSERT_TRUE(Sees(peer, "/1"));
  evhttp_cancel_request(At(2).req);
  EXPECT_EQ(At(2).errors, 0);
  peer->Send(kHi + kHi);
  ASSERT_TRUE(Sees(peer, "/3"));
  peer->Send(kHi);
  ASSERT_TRUE(Finish(&At(3)));
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(PipeliningTest, OwnedRequestsOutliveTheConnection) {
  Peer *peer = Warm(8);
  MakeMany(3);
  for (auto &exchange : many_) evhttp_request_own(exchange->req);
  ASSERT_TRUE(Sees(peer, "/2"));
  con_->Free();
  for (auto &exchange : many_) {
    EXPECT_EQ(evhttp_request_get_connection(exchange->req), nullptr);
    evhttp_request_free(exchange->req);
    EXPECT_EQ(exchange->calls, 0);
  }
}

TEST_F(PipeliningTest, ConnectionThatFreesItselfWithTheLast) {
  Peer *peer = Warm(8);
  MakeMany(3);
  ASSERT_TRUE(Sees(peer, "/2"));
  evhttp_connection_free_on_completion(con_->get());
  con_->Forget();
  peer->Send(kHi + kHi);
  ASSERT_TRUE(Finish(&At(1)));
  EXPECT_EQ(con_->closes, 0);
  peer->Send(kHi);
  ASSERT_TRUE(Finish(&At(2)));
  EXPECT_EQ(con_->closes, 1);
}

constexpr int kNum = 4;
enum Moment { kNow, kHead, kChunk, kReply, kClose, kError, kNumMoments };
enum Action { kFreeConnection, kFreeRequest, kCancel, kNumActions };

// Some request goes away, or the connection, while another is in one of its callbacks.
class Anytime : public PipeliningTest,
                public testing::WithParamInterface<std::tuple<int, int, int>> {
 protected:
  int moment() const { return std::get<0>(GetParam()); }
  int action() const { return std::get<1>(GetParam()); }
  size_t victim() const { return static_cast<size_t>(std::get<2>(GetParam())); }

  void Act() {
    if (acted_) return;
    acted_ = true;
    // Those whose end has begun are not to be touched, see event2/http_client.h.
    const bool is_over =
        At(victim()).calls > 0 || ((moment() == kError || moment() == kClose) && victim() == 1);
    if (action() == kFreeConnection) {
      con_->Free();
    } else if (action() == kFreeRequest && !is_over) {
      gone_ = true;
      evhttp_request_free(At(victim()).req);
    } else if (action() == kCancel && !is_over) {
      gone_ = true;
      evhttp_cancel_request(At(victim()).req);
    }
  }
  bool IsDone() {
    if (!acted_) return false;
    if (action() == kFreeConnection) return true;
    for (size_t i = 0; i < kNum; ++i) {
      if (!At(i).calls && !(gone_ && i == victim())) return false;
    }
    return true;
  }

  bool acted_ = false, gone_ = false;
};

TEST_P(Anytime, NothingIsUsedAfterItsEnd) {
  Peer *peer = Warm(3);
  for (int i = 0; i < kNum; ++i) Add()->WithChunks().WithHeaderCb();
  Exchange &one = At(1);
  if (moment() == kHead) one.on_head = [this] { Act(); };
  if (moment() == kChunk) one.on_chunk = [this] { Act(); };
  if (moment() == kReply) one.on_reply = [this] { Act(); };
  if (moment() == kError) one.on_error = [this] { Act(); };
  if (moment() == kClose) con_->on_close = [this] { Act(); };
  for (auto &exchange : many_) Make(exchange.get(), EVHTTP_REQ_GET);
  ASSERT_TRUE(Sees(peer, "/2"));
  server_.replies = {kHi, kHi, kHi, kHi, kHi, kHi};
  if (moment() == kNow) Act();
  if (moment() == kError) {
    peer->Send(kHi + "junk\r\n\r\n");
  } else if (moment() == kClose) {
    peer->Send(kHi + ReplyOf("end", "Connection: close\r\n"));
  } else {
    peer->Send(kHi + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
               kHi);
    peer->answered = 4;
  }
  EXPECT_TRUE(Run([&] { return IsDone(); }));
  loop_.Settle();
  con_.reset();
  loop_.Settle();
  for (auto &exchange : many_) {
    EXPECT_LE(exchange->calls, 1);
    EXPECT_LE(exchange->errors, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Moments, Anytime,
                         testing::Combine(testing::Range(0, static_cast<int>(kNumMoments)),
                                          testing::Range(0, static_cast<int>(kNumActions)),
                                          testing::Range(0, kNum)));

// ---- Memory ----

class NoMemory : public PipeliningTest {
 protected:
  // Turns without an allocation of the test's.
  void PumpUntil(const std::function<bool()> &done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < end)
      event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    EXPECT_TRUE(done());
  }
  // Until the server has got all requests, or some turns beyond the failure: a port with threads of
  // its own may need any number of turns. Returns whether memory failed at all.
  bool RunWithout(long at, bool keep) {
    server_.peers.clear();
    many_.clear();
    server_.replies = {};
    Warm(4);
    std::unique_ptr<Exchange> wanted[4];
    for (auto &exchange : wanted) exchange = std::make_unique<Exchange>();
    CountingMemory::Begin(at, keep ? CountingMemory::kAll : 1);
    for (int i = 0; i < 4; ++i) {
      const std::string path = "/" + std::to_string(i);
      if (wanted[i]->Make(con_->get(), EVHTTP_REQ_GET, path.c_str()) == 0)
        many_.push_back(std::move(wanted[i]));
    }
    PumpUntil([&] { return CountingMemory::has_failed() || Sent("/3") > 0; });
    for (int i = 0; i < 5; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    CountingMemory::StopFailing();
    const bool failed = CountingMemory::has_failed();
    server_.replies.assign(40, kHi);
    for (auto &one : server_.peers) one->on_bytes(one.get());
    EXPECT_TRUE(FinishAll());
    for (auto &exchange : many_) EXPECT_LE(exchange->errors, 1);
    con_.reset();
    loop_.Settle();
    return failed;
  }
};

TEST_F(NoMemory, AtAnyPoint) {
  for (bool keep : {false, true}) {
    long at = 1;
    while (at < 200 && RunWithout(at, keep) && !HasFailure()) ++at;
    EXPECT_FALSE(HasFailure()) << "at allocation " << at << (keep ? " and on" : "");
    EXPECT_GT(at, 3);
    EXPECT_LT(at, 200);
  }
}

}  // namespace

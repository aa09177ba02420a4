// Pipelined connections and pools under random use by their user and random conduct of their
// server.

#include <random>

#include "http/client_pipelining_testing.h"
#include "http/client_pool_testing.h"

namespace {

using client_testing::Connection;
using client_testing::Exchange;
using client_testing::kHi;
using client_testing::Peer;
using client_testing::PoolTest;
using client_testing::ReplyOf;

class RandomUse : public PoolTest, public testing::WithParamInterface<int> {
 protected:
  struct Use {
    Exchange exchange;
    bool gone = false;
  };

  int Draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void StartOver() {
    for (auto &use : uses_) use->gone = true;
    con_ = std::make_unique<Connection>(&loop_, server_.port());
    evhttp_connection_set_pipelining(con_->get(), 1 + Draw(5));
    Free();
    pool_ = evhttp_connection_pool_new(loop_.base(), nullptr);
    evhttp_connection_pool_set_max_per_host(pool_, 1 + Draw(3));
    evhttp_connection_pool_set_max_idle(pool_, Draw(3), Draw(3));
  }
  void MakeOne() {
    const evhttp_cmd_type types[] = {EVHTTP_REQ_GET, EVHTTP_REQ_GET, EVHTTP_REQ_HEAD,
                                     EVHTTP_REQ_POST, EVHTTP_REQ_DELETE};
    uses_.push_back(std::make_unique<Use>());
    Use *use = uses_.back().get();
    if (Draw(3) == 0) use->exchange.WithChunks();
    if (Draw(8) == 0) use->exchange.WithField("Connection", "close");
    if (Draw(8) == 0) use->exchange.WithBody("body");
    use->exchange.on_reply = [this] {
      if (Draw(4) == 0) Act();
    };
    const evhttp_cmd_type type = types[Draw(5)];
    const int result = Draw(2) ? use->exchange.Make(con_->get(), type, "/")
                               : Make(&use->exchange, UriOf(server_), type);
    EXPECT_EQ(result, 0);
  }
  void LoseOne() {
    Use *use = uses_.empty() ? nullptr : uses_[static_cast<size_t>(Draw(uses_.size()))].get();
    if (!use || use->gone || use->exchange.calls + use->exchange.errors > 0) return;
    use->gone = true;
    if (Draw(2))
      evhttp_cancel_request(use->exchange.req);
    else
      evhttp_request_free(use->exchange.req);
  }
  void Act() {
    switch (Draw(12)) {
      case 0:
        if (Draw(10) == 0) starts_over_ = true;
        break;
      case 1:
      case 2:
        LoseOne();
        break;
      default:
        MakeOne();
    }
  }
  void ServeOne() {
    if (server_.peers.empty()) return;
    Peer *peer = server_
                     .peers[server_.peers.size() - 1 -
                            static_cast<size_t>(
                                Draw(static_cast<int>(std::min<size_t>(server_.peers.size(), 6))))]
                     .get();
    if (peer->in.empty()) return;
    switch (Draw(14)) {
      case 0:
        peer->CloseAfter(ReplyOf("end", "Connection: close\r\n"));
        break;
      case 1:
        peer->Close();
        break;
      case 2:
        peer->Send("junk\r\n\r\n");
        break;
      case 3:
        peer->CloseAfter("HTTP/1.1 200 OK\r\nContent-Le");
        break;
      case 4:
        peer->CloseAfter("HTTP/1.1 200 OK\r\n\r\nuntil the end");
        break;
      case 5:
        peer->Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
        break;
      default:
        peer->Send(Draw(3) ? kHi : kHi + kHi);
    }
  }
  bool IsAllDone() {
    for (auto &use : uses_) {
      if (!use->gone && !use->exchange.calls) return false;
    }
    return true;
  }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
  std::unique_ptr<Connection> con_;
  std::vector<std::unique_ptr<Use>> uses_;
  bool starts_over_ = false;
};

TEST_P(RandomUse, EveryRequestEndsOnce) {
  StartOver();
  for (int i = 0; i < 400; ++i) {
    Act();
    if (Draw(2)) ServeOne();
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    if (starts_over_) StartOver();
    starts_over_ = false;
  }
  // From here on the server answers, and nothing else happens.
  for (auto &use : uses_) use->exchange.on_reply = nullptr;
  for (auto &peer : server_.peers) peer->Close();
  server_.replies.assign(uses_.size() * 4 + 10, kHi);
  // HEAD has no body: what is there of one ends the connection, which is well.
  EXPECT_TRUE(Run([&] { return IsAllDone(); }));
  for (auto &use : uses_) {
    EXPECT_LE(use->exchange.calls, 1);
    EXPECT_LE(use->exchange.errors, 1);
  }
  con_.reset();
  Free();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomUse, testing::Range(1, 21));

}  // namespace

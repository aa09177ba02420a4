// Several requests of the HTTP client under way over one connection. libevent has nothing like it.

#include "http/client_pipelining_testing.h"

namespace {

using client_testing::Connection;
using client_testing::Exchange;
using client_testing::kHi;
using client_testing::Peer;
using client_testing::PipeliningTest;
using client_testing::ReplyOf;

TEST_F(PipeliningTest, IsOffByDefault) {
  con_ = std::make_unique<Connection>(&loop_, server_.port());
  MakeMany(3);
  ASSERT_NE(server_.WaitFor(0, "/0"), nullptr);
  for (int i = 0; i < 3; ++i) {
    loop_.Settle();
    EXPECT_EQ(Sent("/" + std::to_string(i)), 1);
    EXPECT_EQ(Sent("/" + std::to_string(i + 1)), 0);
    server_.peers[0]->Send(kHi);
    ASSERT_TRUE(Finish(&At(i)));
  }
}

TEST_F(PipeliningTest, BeginsWhenTheServerHasShownWhatItIs) {
  con_ = std::make_unique<Connection>(&loop_, server_.port());
  evhttp_connection_set_pipelining(con_->get(), 3);
  MakeMany(5);
  Peer *peer = server_.WaitFor(0, "/0");
  ASSERT_NE(peer, nullptr);
  loop_.Settle();
  EXPECT_EQ(Sent("/1"), 0);
  peer->Send(ReplyOf("a"));
  ASSERT_TRUE(Sees(peer, "/3"));
  loop_.Settle();
  EXPECT_EQ(Sent("/4"), 0);
  peer->Send(ReplyOf("b"));
  ASSERT_TRUE(Sees(peer, "/4"));
  peer->Send(ReplyOf("c") + ReplyOf("d") + ReplyOf("e"));
  ASSERT_TRUE(FinishAll());
  std::string bodies;
  for (auto &exchange : many_) bodies += exchange->body;
  EXPECT_EQ(bodies, "abcde");
  EXPECT_EQ(server_.peers.size(), 1u);
  EXPECT_EQ(con_->closes, 0);
}

TEST_F(PipeliningTest, RepliesOfAnyKindInPieces) {
  Peer *peer = Warm(8);
  MakeMany(1);
  MakeMany(1, EVHTTP_REQ_HEAD);
  MakeMany(1, EVHTTP_REQ_OPTIONS);
  MakeMany(2);
  ASSERT_TRUE(Sees(peer, "/4"));
  const std::string replies =
      ReplyOf("one") + "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" +
      "HTTP/1.1 204 None\r\n\r\n" + "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + ReplyOf("last");
  for (char c : replies) {
    peer->Send(std::string(1, c));
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(At(0).body, "one");
  EXPECT_EQ(At(1).code, 200);
  EXPECT_EQ(At(1).body, "");
  EXPECT_EQ(At(2).code, 204);
  EXPECT_EQ(At(3).body, "abc");
  EXPECT_EQ(At(4).body, "last");
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(PipeliningTest, CallbacksMakeMore) {
  Peer *peer = Warm(2);
  MakeMany(2);
  Exchange more;
  At(0).on_reply = [&] { Make(&more, EVHTTP_REQ_GET); };
  ASSERT_TRUE(Sees(peer, "/1"));
  peer->Send(ReplyOf("a"));
  ASSERT_TRUE(Sees(peer, "/2"));
  EXPECT_EQ(At(1).calls, 0);
  peer->Send(ReplyOf("b") + ReplyOf("c"));
  ASSERT_TRUE(Finish(&more));
  EXPECT_EQ(At(1).body, "b");
  EXPECT_EQ(more.body, "c");
}

TEST_F(PipeliningTest, OthersAreSentAlone) {
  Peer *peer = Warm(8);
  MakeMany(1);
  MakeMany(1, EVHTTP_REQ_POST);
  MakeMany(1);
  Add()->WithBody("body").Make(con_->get(), EVHTTP_REQ_PUT, "/put");
  Add()
      ->WithField("Connection", "other")
      .WithField("Connection", "close")
      .Make(con_->get(), EVHTTP_REQ_GET, "/close");
  MakeMany(1);
  ASSERT_TRUE(Sees(peer, "/0"));
  const std::vector<std::string> paths = {"/0", "/1", "/2", "/put", "/close"};
  for (size_t i = 0; i < paths.size(); ++i) {
    ASSERT_TRUE(Sees(peer, paths[i]));
    loop_.Settle();
    if (i + 1 < paths.size()) {
      EXPECT_EQ(Sent(paths[i + 1]), 0) << i;
    }
    peer->Send(kHi);
    ASSERT_TRUE(Finish(&At(i)));
  }
  peer = server_.WaitFor(1, "/3");
  ASSERT_NE(peer, nullptr);
  peer->Send(kHi);
  ASSERT_TRUE(FinishAll());
}

TEST_F(PipeliningTest, WaitsForTheHeadOfAReplyThatMayNotBeAskedForAgain) {
  Peer *peer = Warm(8);
  MakeMany(1, EVHTTP_REQ_POST);
  MakeMany(1);
  ASSERT_TRUE(Sees(peer, "/0"));
  loop_.Settle();
  EXPECT_EQ(Sent("/1"), 0);
  peer->Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(Sees(peer, "/1"));
  EXPECT_EQ(At(0).calls, 0);
  peer->Send("hi" + ReplyOf("b"));
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(At(1).body, "b");
}

TEST_F(PipeliningTest, NotWithAServerOfHttp10) {
  con_ = std::make_unique<Connection>(&loop_, server_.port());
  evhttp_connection_set_pipelining(con_->get(), 8);
  MakeMany(3);
  for (int i = 0; i < 3; ++i) {
    Peer *peer = server_.WaitFor(0, "/" + std::to_string(i));
    ASSERT_NE(peer, nullptr);
    loop_.Settle();
    EXPECT_EQ(Sent("/" + std::to_string(i + 1)), 0);
    peer->Send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi");
    ASSERT_TRUE(Finish(&At(i)));
  }
}

TEST_F(PipeliningTest, SwitchedOffWhileUnderWay) {
  Peer *peer = Warm(3);
  MakeMany(6);
  ASSERT_TRUE(Sees(peer, "/2"));
  evhttp_connection_set_pipelining(con_->get(), 0);
  peer->Send(kHi + kHi + kHi);
  ASSERT_TRUE(Sees(peer, "/3"));
  loop_.Settle();
  EXPECT_EQ(Sent("/4"), 0);
  server_.replies = {kHi, kHi, kHi};
  peer->answered = 4;
  peer->on_bytes(peer);
  ASSERT_TRUE(Run([&] { return At(3).calls > 0; }));
}

TEST_F(PipeliningTest, UnaskedReplyIsNobodys) {
  Peer *peer = Warm(3);
  MakeMany(1);
  ASSERT_TRUE(Sees(peer, "/0"));
  server_.replies = {};
  peer->Send(ReplyOf("mine") + ReplyOf("forged"));
  At(0).on_reply = [&] { MakeMany(2); };
  Peer *next = server_.WaitFor(1, "/1");
  ASSERT_NE(next, nullptr);
  next->Send(ReplyOf("a"));
  ASSERT_TRUE(Sees(next, "/2"));
  next->Send(ReplyOf("b"));
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(At(0).body, "mine");
  EXPECT_EQ(At(1).body, "a");
  EXPECT_EQ(At(2).body, "b");
}

// ---- Connections that end early ----

TEST_F(PipeliningTest, UnansweredOnesAreSentAgainInOrder) {
  Peer *peer = Warm(8);
  MakeMany(5);
  ASSERT_TRUE(Sees(peer, "/4"));
  peer->CloseAfter(ReplyOf("a") + ReplyOf("b"));
  Peer *next = nullptr;
  for (int i = 2; i < 5; ++i) {
    next = server_.WaitFor(1, "/" + std::to_string(i));
    ASSERT_NE(next, nullptr);
    loop_.Settle();
    // Each on its own.
    EXPECT_EQ(Sent("/" + std::to_string(i + 1), *next), 0);
    next->Send(ReplyOf(std::string(1, static_cast<char>('a' + i))));
    ASSERT_TRUE(Finish(&At(i)));
  }
  std::string bodies;
  for (auto &exchange : many_) bodies += exchange->body;
  EXPECT_EQ(bodies, "abcde");
  EXPECT_EQ(con_->closes, 1);
  // New ones are pipelined again.
  MakeMany(2);
  ASSERT_TRUE(Sees(next, "/6"));
  next->Send(kHi + kHi);
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(PipeliningTest, AfterAResetToo) {
  Peer *peer = Warm(8);
  MakeMany(3);
  ASSERT_TRUE(Sees(peer, "/2"));
  server_.replies = {kHi, kHi, kHi};
  peer->Reset();
  ASSERT_TRUE(FinishAll());
  for (auto &exchange : many_) EXPECT_EQ(exchange->code, 200);
}

TEST_F(PipeliningTest, RepliesThatCameBeforeTheEndAreRead) {
  Peer *peer = Warm(8);
  MakeMany(4);
  ASSERT_TRUE(Sees(peer, "/3"));
  peer->CloseAfter(kHi + kHi + kHi + kHi);
  ASSERT_TRUE(FinishAll());
  for (auto &exchange : many_) EXPECT_EQ(exchange->code, 200);
  loop_.Settle();
  EXPECT_EQ(server_.peers.size(), 1u);
  EXPECT_EQ(con_->closes, 1);
}

TEST_F(PipeliningTest, ReplyThatAnnouncesTheEnd) {
  Peer *peer = Warm(8);
  MakeMany(3);
  ASSERT_TRUE(Sees(peer, "/2"));
  server_.replies = {ReplyOf("b"), ReplyOf("c")};
  peer->Send(ReplyOf("a", "Connection: close\r\n") + ReplyOf("nobody's"));
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(At(0).body + At(1).body + At(2).body, "abc");
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(PipeliningTest, BodyThatEndsWithTheConnection) {
  Peer *peer = Warm(8);
  MakeMany(3);
  ASSERT_TRUE(Sees(peer, "/2"));
  server_.replies = {ReplyOf("b"), ReplyOf("c")};
  peer->CloseAfter("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(At(0).body, "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(At(1).body + At(2).body, "bc");
}

TEST_F(PipeliningTest, MalformedReplyFailsItsOwnRequestOnly) {
  Peer *peer = Warm(8);
  MakeMany(3);
  ASSERT_TRUE(Sees(peer, "/2"));
  server_.replies = {ReplyOf("c")};
  peer->Send(ReplyOf("a") + "junk\r\n\r\n" + ReplyOf("b"));
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(At(0).body, "a");
  EXPECT_TRUE(At(1).null);
  EXPECT_EQ(At(1).error, EVREQ_HTTP_INVALID_HEADER);
  EXPECT_EQ(At(2).body, "c");
}

TEST_F(PipeliningTest, PartOfAReplyIsAFailure) {
  Peer *peer = Warm(8);
  MakeMany(2);
  ASSERT_TRUE(Sees(peer, "/1"));
  server_.replies = {ReplyOf("b")};
  peer->CloseAfter("HTTP/1.1 20");
  ASSERT_TRUE(FinishAll());
  EXPECT_TRUE(At(0).null);
  EXPECT_EQ(At(0).error, EVREQ_HTTP_EOF);
  EXPECT_EQ(At(1).body, "b");
}

// A server that dies of one request answers all others, and gets none too often.
TEST_F(PipeliningTest, RequestThatEndsConnectionsTakesNoOthersAlong) {
  Peer *peer = Warm(8);
  MakeMany(6);
  server_.replies = {};
  auto serve = [&](Peer *one) {
    for (; one->answered < 10; one->answered++) {
      size_t at = 0, skipped = 0;
      while (skipped < one->answered && at != std::string::npos) {
        at = one->in.find("\r\n\r\n", at);
        if (at != std::string::npos) at += 4;
        skipped++;
      }
      if (at == std::string::npos || one->in.find("\r\n\r\n", at) == std::string::npos) return;
      if (one->in.compare(at, 7, "GET /2 ") == 0) {
        one->Close();
        return;
      }
      one->Send(kHi);
    }
  };
  peer->answered = 1;
  peer->on_bytes = serve;
  ASSERT_TRUE(Run([&] {
    for (auto &one : server_.peers) one->on_bytes = serve;
    // One may have sent its request before it was given its callback.
    for (auto &one : server_.peers) serve(one.get());
    for (auto &exchange : many_) {
      if (!exchange->calls) return false;
    }
    return true;
  }));
  for (size_t i = 0; i < many_.size(); ++i) {
    EXPECT_EQ(At(i).null, i == 2) << i;
    EXPECT_LE(Sent("/" + std::to_string(i)), 3) << i;
  }
}

TEST_F(PipeliningTest, WaitsForABodyThatIsStillUnsent) {
  Peer *peer = Warm(8);
  peer->Pause();
  Exchange *large = Add();
  large->WithBody(std::string(32 << 20, 'x')).WithHeaderCb();
  ASSERT_EQ(large->Make(con_->get(), EVHTTP_REQ_PUT, "/large"), 0);
  peer->Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(Run([&] { return large->heads == 1; }));
  MakeMany(1);
  loop_.Settle();
  // With one behind, the connection would be gone on with.
  peer->Send("hi");
  ASSERT_TRUE(Finish(large));
  EXPECT_EQ(con_->closes, 1);
  server_.replies = {kHi};
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(PipeliningTest, HeadsThatCannotBeWrittenLeaveTheReplyAlone) {
  Peer *peer = Warm(1000);
  peer->Pause();
  const std::string huge(60000, 'x');
  const int small = 4096;
  setsockopt(bufferevent_getfd(evhttp_connection_get_bufferevent(con_->get())), SOL_SOCKET,
             SO_SNDBUF, &small, sizeof(small));
  timeval soon = {0, 100000};
  evhttp_connection_set_write_timeout_tv(con_->get(), &soon);
  MakeMany(1);
  At(0).WithHeaderCb();
  peer->Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(Run([&] { return At(0).heads == 1; }));
  for (int i = 0; i < 100; ++i) {
    Add()->WithField("X", huge.c_str());
    Make(many_.back().get(), EVHTTP_REQ_GET);
  }
  // Longer than the write timeout.
  timeval later = {0, 200000};
  bool is_later = false;
  event_base_once(
      loop_.base(), -1, EV_TIMEOUT,
      [](evutil_socket_t, short, void *arg) { *static_cast<bool *>(arg) = true; }, &is_later,
      &later);
  ASSERT_TRUE(Run([&] { return is_later; }));
  EXPECT_EQ(At(0).calls, 0);
  // The rest may take as long as a busy machine needs.
  timeval late = {50, 0};
  evhttp_connection_set_write_timeout_tv(con_->get(), &late);
  server_.replies.assign(100, kHi);
  peer->Send("hi");
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(At(0).body, "hi");
  EXPECT_EQ(At(100).code, 200);
}

TEST_F(PipeliningTest, SilenceFailsTheFirstOnly) {
  Peer *peer = Warm(8);
  timeval soon = {0, 50000};
  evhttp_connection_set_read_timeout_tv(con_->get(), &soon);
  MakeMany(2);
  ASSERT_TRUE(Sees(peer, "/1"));
  At(0).on_error = [&] {
    timeval late = {50, 0};
    evhttp_connection_set_read_timeout_tv(con_->get(), &late);
    server_.replies = {kHi};
  };
  ASSERT_TRUE(FinishAll());
  EXPECT_TRUE(At(0).null);
  EXPECT_EQ(At(0).error, EVREQ_HTTP_TIMEOUT);
  EXPECT_EQ(At(1).code, 200);
}

}  // namespace

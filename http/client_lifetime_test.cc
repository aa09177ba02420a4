// The HTTP client: connections and requests that go away at any moment.
// libevent does not promise most of this, so it is not asked.

#include "http/client_testing.h"

namespace {

using client_testing::ClientTest;
using client_testing::Connection;
using client_testing::Exchange;
using client_testing::kHi;
using client_testing::Peer;

const char kChunked[] =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
    "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

enum Moment { kHead, kChunk, kReply, kClose, kError };
enum Action { kFreeConnection, kFreeRequest, kCancel, kCancelNext, kMakeMore, kRunLoop };

class Anytime : public ClientTest, public testing::WithParamInterface<std::tuple<int, int>> {
 protected:
  Moment moment() const { return static_cast<Moment>(std::get<0>(GetParam())); }
  Action action() const { return static_cast<Action>(std::get<1>(GetParam())); }

  void Act() {
    if (acted_) return;
    acted_ = true;
    switch (action()) {
      case kFreeConnection:
        con_->Free();
        break;
      case kFreeRequest:
        if (!one_.calls && moment() != kError && moment() != kClose) evhttp_request_free(one_.req);
        break;
      case kCancel:
        if (!one_.calls && moment() != kError && moment() != kClose)
          evhttp_cancel_request(one_.req);
        break;
      case kCancelNext:
        if (!two_.calls) evhttp_cancel_request(two_.req);
        break;
      case kMakeMore:
        EXPECT_EQ(more_.Make(con_->get()), 0);
        break;
      case kRunLoop:
        loop_.Settle();
        break;
    }
  }
  bool IsGone() const { return con_->get() == nullptr; }

  Exchange one_, two_, more_;
  std::unique_ptr<Connection> con_;
  bool acted_ = false;
};

TEST_P(Anytime, NothingIsUsedAfterItsEnd) {
  con_ = std::make_unique<Connection>(&loop_, server_.port());
  server_.replies = {moment() == kError ? "junk\r\n\r\n" : kChunked,
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", kHi,
                     kHi};
  one_.WithChunks().WithHeaderCb();
  if (moment() == kHead) one_.on_head = [this] { Act(); };
  if (moment() == kChunk) one_.on_chunk = [this] { Act(); };
  if (moment() == kReply) one_.on_reply = [this] { Act(); };
  if (moment() == kError) one_.on_error = [this] { Act(); };
  if (moment() == kClose) {
    one_.WithField("Connection", "close");
    con_->on_close = [this] { Act(); };
  }
  one_.Make(con_->get());
  two_.Make(con_->get());
  bool more = action() == kMakeMore;
  EXPECT_TRUE(Run([&] {
    if (IsGone()) return true;
    if (!acted_) return false;
    return (two_.calls || action() == kCancelNext) && (!more || more_.calls);
  }));
  loop_.Settle();
  con_.reset();
  loop_.Settle();
  EXPECT_TRUE(acted_);
  EXPECT_LE(one_.calls, 1);
  EXPECT_LE(two_.calls, 1);
  if (!more) evhttp_request_free(more_.req);
}

INSTANTIATE_TEST_SUITE_P(Moments, Anytime,
                         testing::Combine(testing::Range(0, 5), testing::Range(0, 5)));

TEST_F(ClientTest, FreedWhileConnecting) {
  Exchange one, two;
  Connection con(&loop_, server_.port());
  one.Make(con.get());
  two.Make(con.get());
  con.Free();
  loop_.Settle();
  EXPECT_EQ(one.calls + two.calls + one.errors + two.errors, 0);
}

TEST_F(ClientTest, FreedWithRequestsUnderWay) {
  Exchange one, two;
  Connection con(&loop_, server_.port());
  one.Make(con.get());
  two.Make(con.get());
  ASSERT_NE(server_.WaitFor(0, "\r\n\r\n"), nullptr);
  con.Free();
  EXPECT_EQ(con.closes, 1);
  loop_.Settle();
  EXPECT_EQ(one.calls + two.calls, 0);
}

TEST_F(ClientTest, OwnedRequestOutlivesItsConnection) {
  Exchange one;
  Connection con(&loop_, server_.port());
  evhttp_request_own(one.req);
  one.Make(con.get());
  con.Free();
  EXPECT_EQ(evhttp_request_get_connection(one.req), nullptr);
  evhttp_request_free(one.req);
}

TEST_F(ClientTest, CancelledWhileUnderWay) {
  Connection con(&loop_, server_.port());
  Exchange one, two;
  one.Make(con.get());
  two.Make(con.get());
  ASSERT_NE(server_.WaitFor(0, "\r\n\r\n"), nullptr);
  server_.replies = {kHi};
  evhttp_cancel_request(one.req);
  EXPECT_EQ(one.errors, 1);
  EXPECT_EQ(one.error, EVREQ_HTTP_REQUEST_CANCEL);
  EXPECT_EQ(con.closes, 1);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(two.code, 200);
  EXPECT_EQ(one.calls, 0);
}

TEST_F(ClientTest, CancelledWhileWaiting) {
  Connection con(&loop_, server_.port());
  Exchange one, two, three;
  one.Make(con.get());
  two.Make(con.get());
  three.Make(con.get());
  evhttp_cancel_request(two.req);
  EXPECT_EQ(two.errors, 0);
  server_.replies = {kHi, kHi};
  ASSERT_TRUE(Finish(&three));
  EXPECT_EQ(two.calls, 0);
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(ClientTest, CancelledBeforeItWasMade) {
  Exchange one;
  evhttp_cancel_request(one.req);
}

TEST_F(ClientTest, FreesItselfOnCompletion) {
  server_.replies = {kHi, kHi};
  Exchange one, two;
  Connection con(&loop_, server_.port());
  one.Make(con.get());
  two.Make(con.get());
  evhttp_connection_free_on_completion(con.get());
  con.Forget();
  ASSERT_TRUE(Finish(&two));
  ASSERT_TRUE(Run([&] { return con.closes == 1; }));
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(ClientTest, FreesItselfOnFailure) {
  server_.StopListening();
  Exchange one;
  Connection con(&loop_, server_.port());
  evhttp_connection_free_on_completion(con.get());
  one.Make(con.get());
  con.Forget();
  ASSERT_TRUE(Finish(&one));
}

TEST_F(ClientTest, FreedByTheFirstOfThoseThatFail) {
  server_.StopListening();
  Exchange one, two;
  Connection con(&loop_, server_.port());
  one.on_reply = [&] { con.Free(); };
  one.Make(con.get());
  two.Make(con.get());
  ASSERT_TRUE(Finish(&one));
  loop_.Settle();
  EXPECT_EQ(two.calls, 0);
}

TEST_F(ClientTest, OthersThatWaitDoNotPutOffTheEndOfSilence) {
  Connection con(&loop_, server_.port());
  timeval soon = {0, 100000};
  evhttp_connection_set_read_timeout_tv(con.get(), &soon);
  Exchange silent;
  silent.Make(con.get());
  ASSERT_NE(server_.WaitFor(0, "\r\n\r\n"), nullptr);
  struct Waker {
    evhttp_connection *con;
    int num_left;
    static void Wake(evutil_socket_t, short, void *arg) {
      Waker *self = static_cast<Waker *>(arg);
      if (self->num_left-- <= 0) return;
      evhttp_request *req = evhttp_request_new([](evhttp_request *, void *) {}, nullptr);
      evhttp_make_request(self->con, req, EVHTTP_REQ_GET, "/");
      evhttp_cancel_request(req);
    }
  } waker = {con.get(), 50};
  event *timer = event_new(loop_.base(), -1, EV_PERSIST, Waker::Wake, &waker);
  timeval often = {0, 40000};
  event_add(timer, &often);
  ASSERT_TRUE(Finish(&silent));
  event_free(timer);
  EXPECT_EQ(silent.error, EVREQ_HTTP_TIMEOUT);
  EXPECT_GT(waker.num_left, 0);
}

}  // namespace

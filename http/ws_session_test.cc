// A session and its peer: what the callbacks are told, and how it ends.

#include "http/ws_session_testing.h"

namespace {

using namespace ws_testing;  // NOLINT: all of it is frames.

// ---- Closing ----

TEST_F(WsSession, ClosedByTheProgram) {
  evws_send_text(evws(), "last words");
  evws_close(evws(), WS_CR_NORMAL);
  evws_close(evws(), WS_CR_PROTO_ERR);
  EXPECT_EQ(evws_send_message(evws(), WS_TEXT_FRAME, "x", 1), -1);
  EXPECT_EQ(evws_send_ping(evws(), "x", 1), -1);
  evws_send_text(evws(), "late");
  EXPECT_TRUE(peer_->WaitFor("text(last words) close(1000)"));
  peer_->Send(Text("not listened to") + Ping("nor this") + Close(1000, "ok"));
  EXPECT_TRUE(peer_->WaitFor("text(last words) close(1000) end"));
  EXPECT_EQ(session_->log(), "");
  peer_->Hangup();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "closed(1000 ok; 1000)");
}

TEST_F(WsSession, ClosedByThePeer) {
  peer_->Send(Text("a") + Close(4321, "had enough"));
  EXPECT_TRUE(peer_->WaitFor("close(4321) end"));
  EXPECT_EQ(session_->log(), "text(a)");
  EXPECT_EQ(evws_send_message(evws(), WS_TEXT_FRAME, "x", 1), -1);
  peer_->Hangup();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "text(a) closed(4321 had enough; 4321)");
}

TEST_F(WsSession, BothCloseAtOnce) {
  evws_close(evws(), 1001);
  peer_->Send(Close(1000));
  EXPECT_TRUE(peer_->WaitFor("close(1001) end"));
  peer_->Hangup();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "closed(1000; 1001)");
}

TEST_F(WsSession, CodesAndReasons) {
  const struct {
    int code;
    std::string reason, expected;
  } kCases[] = {
      {WS_CR_NONE, "", "close() end"},
      {WS_CR_NORMAL, "why", "close(1000 why) end"},
      {1006, "", "close(1000) end"},
      {65535, "", "close(1000) end"},
      {4000, std::string(200, 'x'), "close[125] end"},
      // 123 bytes would end within a character.
      {4000, std::string(122, 'x') + "\xc3\xa4", "close(4000 " + std::string(122, 'x') + ") end"},
      {4000, "\xff", "close(4000) end"},
  };
  for (const auto &test : kCases) {
    Loop loop;
    evutil_socket_t fds[2];
    MakePair(fds);
    Session session(&loop, bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE));
    Peer peer(&loop, fds[1]);
    evws_close_with_reason(session.get(), static_cast<ev_uint16_t>(test.code), test.reason.c_str());
    peer.Send(Close(1000));
    EXPECT_TRUE(peer.WaitClosed());
    std::string log = peer.Log();
    if (peer.frames()[0].payload.size() == 125 && test.reason.size() > 150) log = "close[125] end";
    EXPECT_EQ(log, test.expected);
  }
}

TEST_F(WsSession, APeerThatDoesNotAnswerTheClose) {
  timeval tv = Milliseconds(20);
  evws_connection_set_close_timeout(evws(), &tv);
  evws_close(evws(), WS_CR_NORMAL);
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "closed(1006; 1000)");
  EXPECT_TRUE(peer_->WaitFor("close(1000) end"));
}

TEST_F(WsSession, APeerThatKeepsTheConnection) {
  timeval tv = Milliseconds(20);
  evws_connection_set_close_timeout(evws(), &tv);
  peer_->Send(Close(1000) + std::string(10000, 'x'));
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "closed(1000; 1000)");
}

TEST_F(WsSession, APeerThatTakesNothing) {
  timeval tv = Milliseconds(20);
  peer_->Pause();
  std::string much(4 << 20, 'x');
  evws_connection_set_output_mark(evws(), 0);
  evws_send_binary(evws(), much.data(), much.size());
  evws_connection_set_close_timeout(evws(), &tv);
  peer_->Send(Close(1000));
  EXPECT_TRUE(session_->WaitClosed());
}

TEST_F(WsSession, ConnectionEndsWithoutClose) {
  peer_->Send(Text("a") + Frame(kText, "unfinished"));
  peer_->Shutdown();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "text(a) closed(1006; 0)");
}

TEST_F(WsSession, ConnectionEndsWithinAFrame) {
  peer_->Send(Text("abc").substr(0, 8));
  peer_->Hangup();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "closed(1006; 0)");
}

// What came before the end is delivered, however much it is.
TEST_F(WsSession, AllMessagesBeforeTheEnd) {
  std::string many;
  for (int i = 0; i < 5000; ++i) many += Text("message");
  peer_->Send(many);
  ASSERT_TRUE(loop_.RunUntil([&] { return peer_->sent_all(); }));
  peer_->Hangup();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->num_messages(), 5000);
}

TEST_F(WsSession, AReply) {
  session_->on_message = [&](const std::string &bytes) {
    evws_send_text(evws(), ("you said " + bytes).c_str());
    if (bytes == "bye") evws_close(evws(), WS_CR_NORMAL);
  };
  peer_->Send(Text("hi") + Text("bye") + Text("ignored") + Close(1000));
  EXPECT_TRUE(peer_->WaitFor("text(you said hi) text(you said bye) close(1000) end"));
  EXPECT_EQ(session_->log(), "text(hi) text(bye)");
}

// ---- Freeing ----

TEST_F(WsSession, FreedByTheProgram) {
  session_->Free();
  EXPECT_EQ(session_->log(), "closed(1006; 0)");
  EXPECT_TRUE(peer_->WaitFor("end"));
}

TEST_F(WsSession, FreedInTheMessageCallback) {
  session_->on_message = [&](const std::string &) { session_->Free(); };
  peer_->Send(Text("a") + Text("b") + Ping("c"));
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "text(a) closed(1006; 0)");
  EXPECT_TRUE(peer_->WaitClosed());
}

TEST_F(WsSession, FreedInThePongCallback) {
  session_->on_pong = [&] { session_->Free(); };
  peer_->Send(Pong("a") + Pong("b"));
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "pong(a) closed(1006; 0)");
}

TEST_F(WsSession, FreedInTheCloseCallback) {
  evws_connection *itself = evws();
  session_->on_close = [=] {
    evws_connection_free(itself);
    evws_send_text(itself, "nobody hears it");
    evws_close(itself, WS_CR_NORMAL);
  };
  peer_->Hangup();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "closed(1006; 0)");
}

TEST_F(WsSession, FreedWhenDrained) {
  evws_connection_set_drainedcb(
      evws(), [](evws_connection *itself, void *) { evws_connection_free(itself); }, nullptr);
  evws_send_text(evws(), "a");
  peer_->Send(Text("b"));
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_TRUE(peer_->WaitFor("text(a) end"));
}

TEST_F(WsSession, ReadingIsAskedForWithinACallback) {
  session_->on_message = [&](const std::string &) {
    std::string before = session_->log();
    bufferevent_trigger(evws_connection_get_bufferevent(evws()), EV_READ | EV_WRITE,
                        BEV_TRIG_IGNORE_WATERMARKS);
    EXPECT_EQ(session_->log(), before);
  };
  peer_->Send(Text("a") + Text("b") + Text("c"));
  EXPECT_TRUE(session_->WaitFor("text(a) text(b) text(c)"));
}

}  // namespace

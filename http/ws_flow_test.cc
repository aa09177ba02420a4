// What goes on within a session: pings, backpressure, limits, and both ends together.

#include "http/ws_session_testing.h"

namespace {

using namespace ws_testing;  // NOLINT: all of it is frames.
class WsFlow : public WsSession {};

// ---- Pings ----

TEST_F(WsFlow, PingsAreAnswered) {
  EXPECT_EQ(evws_send_ping(evws(), "ours", 4), 0);
  EXPECT_EQ(evws_send_ping(evws(), nullptr, 0), 0);
  EXPECT_EQ(evws_send_ping(evws(), std::string(126, 'x').data(), 126), -1);
  EXPECT_TRUE(peer_->WaitFor("ping(ours) ping()"));
  peer_->Send(Pong("ours") + Ping("theirs"));
  EXPECT_TRUE(session_->WaitFor("pong(ours)"));
  EXPECT_TRUE(peer_->WaitFor("ping(ours) ping() pong(theirs)"));
}

// Who pings without listening is not owed an answer to each.
TEST_F(WsFlow, AFloodOfPings) {
  peer_->Pause();
  std::string pings;
  for (int i = 0; i < 20000; ++i) pings += Ping(std::to_string(i) + std::string(100, '.'));
  peer_->Send(pings + Text("all"));
  size_t most = 0;
  ASSERT_TRUE(loop_.RunUntil([&] {
    if (evws()) most = std::max(most, OutputLen());
    return session_->num_messages() == 1;
  }));
  EXPECT_LE(most, static_cast<size_t>(STRATA_WS_PONG_MARK) + 200);
  peer_->Resume();
  ASSERT_TRUE(loop_.RunUntil([&] {
    peer_->Log();
    return !peer_->frames().empty() && peer_->frames().back().payload.substr(0, 6) == "19999.";
  }));
  EXPECT_LT(peer_->frames().size(), 20000u);
}

TEST_F(WsFlow, ASilentPeerIsPingedAndDropped) {
  timeval tv = Milliseconds(10);
  EXPECT_EQ(evws_connection_set_ping_interval(evws(), &tv), 0);
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->log(), "closed(1006; 0)");
  EXPECT_TRUE(peer_->WaitFor("ping() end"));
}

TEST_F(WsFlow, APeerThatAnswersPingsLives) {
  timeval tv = Milliseconds(10);
  EXPECT_EQ(evws_connection_set_ping_interval(evws(), &tv), 0);
  for (size_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(loop_.RunUntil([&] {
      peer_->Log();
      return peer_->frames().size() >= i || !evws();
    }));
    // The test itself may be slow to answer.
    if (!evws()) return;
    peer_->Send(Pong(""));
  }
  timeval never = {0, 0};
  EXPECT_EQ(evws_connection_set_ping_interval(evws(), &never), 0);
  peer_->Send(Close(1000));
  EXPECT_TRUE(peer_->WaitClosed());
}

TEST_F(WsFlow, PingIntervals) {
  EXPECT_EQ(evws()->ping_ns, int64_t{60000000000});
  EXPECT_TRUE(evtimer_pending(&evws()->timer, nullptr));
  timeval never = {0, 0};
  EXPECT_EQ(evws_connection_set_ping_interval(evws(), &never), 0);
  EXPECT_FALSE(evtimer_pending(&evws()->timer, nullptr));
  EXPECT_EQ(evws_connection_set_ping_interval(evws(), nullptr), 0);
  EXPECT_EQ(evws()->ping_ns, int64_t{60000000000});
}

// Output that no one takes is not a sign of life.
TEST_F(WsFlow, ASilentPeerThatTakesNothingIsDropped) {
  peer_->Pause();
  std::string much(4 << 20, 'x');
  evws_send_binary(evws(), much.data(), much.size());
  timeval tv = Milliseconds(10);
  EXPECT_EQ(evws_connection_set_ping_interval(evws(), &tv), 0);
  EXPECT_TRUE(session_->WaitClosed());
}

// ---- Flow ----

TEST_F(WsFlow, OneWhoAsksWithoutListeningWaits) {
  std::string answer(10000, 'a');
  session_->on_message = [&](const std::string &) {
    evws_send_binary(evws(), answer.data(), answer.size());
  };
  peer_->Pause();
  std::string questions;
  for (int i = 0; i < 1000; ++i) questions += Text("?");
  size_t most = 0;
  peer_->Send(questions);
  ASSERT_TRUE(loop_.RunUntil([&] {
    most = std::max(most, OutputLen());
    return evws()->held != 0;
  }));
  loop_.Settle();
  EXPECT_LE(most, static_cast<size_t>(STRATA_WS_DEFAULT_OUTPUT_MARK) + 2 * answer.size());
  EXPECT_LT(session_->num_messages(), 1000);
  peer_->Resume();
  ASSERT_TRUE(loop_.RunUntil([&] {
    peer_->Log();
    return peer_->frames().size() == 1000;
  }));
}

TEST_F(WsFlow, WithoutAMarkItGoesOn) {
  std::string answer(10000, 'a');
  evws_connection_set_output_mark(evws(), 0);
  session_->on_message = [&](const std::string &) {
    evws_send_binary(evws(), answer.data(), answer.size());
  };
  peer_->Pause();
  std::string questions;
  for (int i = 0; i < 200; ++i) questions += Text("?");
  peer_->Send(questions);
  EXPECT_TRUE(loop_.RunUntil([&] { return session_->num_messages() == 200; }));
  EXPECT_GT(OutputLen(), 1000000u);
}

// Who asks without ever listening does not keep what was answered for ever.
TEST_F(WsFlow, APeerThatTakesNothingIsGivenUp) {
  timeval tv = Milliseconds(50);
  EXPECT_EQ(evws_connection_set_write_timeout(evws(), &tv), 0);
  peer_->Pause();
  std::string much(4 << 20, 'x');
  evws_send_binary(evws(), much.data(), much.size());
  peer_->Send(Text("unheard"));
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(evws(), nullptr);
}

TEST_F(WsFlow, WriteTimeouts) {
  EXPECT_EQ(evws()->write_tv.tv_sec, 50);
  timeval never = {0, 0};
  EXPECT_EQ(evws_connection_set_write_timeout(evws(), &never), 0);
  EXPECT_EQ(evws()->write_tv.tv_sec, 0);
  EXPECT_EQ(evws_connection_set_write_timeout(evws(), nullptr), 0);
  EXPECT_EQ(evws()->write_tv.tv_sec, 50);
}

// What was asked before the end is answered, even if the answers have to wait.
TEST_F(WsFlow, AnswersLeaveAfterThePeersEnd) {
  std::string answer(100000, 'a');
  session_->on_message = [&](const std::string &) {
    evws_send_binary(evws(), answer.data(), answer.size());
  };
  peer_->Pause();
  peer_->Send(Text("1") + Text("2") + Text("3") + Text("4") + Text("5") + Text("6"));
  peer_->Shutdown();
  loop_.Settle();
  EXPECT_LT(session_->num_messages(), 6);
  peer_->Resume();
  EXPECT_TRUE(session_->WaitClosed());
  EXPECT_EQ(session_->num_messages(), 6);
}

TEST_F(WsFlow, PausedByTheProgram) {
  session_->on_message = [&](const std::string &bytes) {
    if (bytes == "stop") evws_connection_pause_reading(evws());
  };
  peer_->Send(Text("stop") + Text("more"));
  EXPECT_TRUE(session_->WaitFor("text(stop)"));
  peer_->Send(Text("and more"));
  loop_.Settle();
  EXPECT_EQ(session_->log(), "text(stop)");
  evws_connection_resume_reading(evws());
  EXPECT_EQ(session_->log(), "text(stop)");  // Never from inside a call.
  EXPECT_TRUE(session_->WaitFor("text(stop) text(more) text(and more)"));
}

TEST_F(WsFlow, PausedThenClosed) {
  evws_connection_pause_reading(evws());
  peer_->Send(Text("a") + Close(1000));
  loop_.Settle();
  EXPECT_EQ(peer_->Log(), "");
  evws_close(evws(), WS_CR_NORMAL);
  EXPECT_TRUE(peer_->WaitFor("close(1000) end"));
}

TEST_F(WsFlow, TheDrainedCallback) {
  int num_calls = 0;
  evws_connection_set_drainedcb(
      evws(), [](evws_connection *, void *arg) { ++*static_cast<int *>(arg); }, &num_calls);
  loop_.Settle();
  EXPECT_EQ(num_calls, 0);
  std::string much(4 << 20, 'x');
  evws_send_binary(evws(), much.data(), much.size());
  EXPECT_GE(OutputLen(), much.size());
  ASSERT_TRUE(loop_.RunUntil([&] { return num_calls > 0; }));
  EXPECT_EQ(OutputLen(), 0u);
  loop_.Settle();
  EXPECT_EQ(num_calls, 1);
}

// A promise of bytes is not worth memory.
TEST_F(WsFlow, MemoryIsTakenAsBytesArrive) {
  peer_->Send(Frame(kFin | kBinary, std::string(10 << 20, 'x')).substr(0, 1000));
  ASSERT_TRUE(loop_.RunUntil([&] { return evws()->message_len > 900; }));
  EXPECT_LE(evws()->message_size, 2000u);
  peer_->Hangup();
  EXPECT_TRUE(session_->WaitClosed());
}

TEST_F(WsFlow, LargeMessagesLeaveNoMemoryBehind) {
  peer_->Send(Binary(std::string(5 << 20, 'x')));
  ASSERT_TRUE(loop_.RunUntil([&] { return session_->num_messages() == 1; }));
  EXPECT_LE(evws()->message_size, static_cast<size_t>(STRATA_WS_KEPT_LEN));
  evws_connection_set_max_message_size(evws(), 0);
  evws_connection_set_max_frame_size(evws(), 0);
  peer_->Send(Binary(std::string(17 << 20, 'x')));
  ASSERT_TRUE(loop_.RunUntil([&] { return session_->num_messages() == 2; }));
}

TEST_F(WsFlow, AFrameLimit) {
  evws_connection_set_max_frame_size(evws(), 10);
  peer_->Send(Frame(kText, "0123456789") + Frame(kFin | kContinuation, "0123456789") +
              Text("0123456789 "));
  EXPECT_TRUE(peer_->WaitFor("close(1009) end"));
  EXPECT_EQ(session_->log(), "text(01234567890123456789)");
}

// One peer that always has something to say does not silence the others.
TEST_F(WsFlow, OthersGetTheirTurn) {
  evutil_socket_t fds[2];
  MakePair(fds);
  Session other(&loop_, bufferevent_socket_new(loop_.base(), fds[0], BEV_OPT_CLOSE_ON_FREE));
  Peer other_peer(&loop_, fds[1]);
  std::string many;
  for (int i = 0; i < 100000; ++i) many += Text("");
  peer_->Send(many);
  ASSERT_TRUE(loop_.RunUntil([&] { return session_->num_messages() > 0; }));
  int before = session_->num_messages();
  other_peer.Send(Text("quick"));
  ASSERT_TRUE(other.WaitFor("text(quick)"));
  EXPECT_LT(session_->num_messages() - before, 20000);
}

// ---- Both ends ----

TEST(WsBothEnds, OverAPair) {
  Loop loop;
  bufferevent *pair[2];
  ASSERT_EQ(bufferevent_pair_new(loop.base(), 0, pair), 0);
  Session server(&loop, pair[0], STRATA_WS_SERVER), client(&loop, pair[1], STRATA_WS_CLIENT);
  evws_send_text(server.get(), "from the server");
  evws_send_text(client.get(), "from the client");
  evws_send_binary(client.get(), "\0\1", 2);
  EXPECT_TRUE(client.WaitFor("text(from the server)"));
  EXPECT_TRUE(server.WaitFor("text(from the client) binary(" + std::string("\0\1", 2) + ")"));
  evws_close_with_reason(client.get(), 4000, "done");
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_TRUE(server.WaitClosed());
  EXPECT_EQ(client.log(), "text(from the server) closed(4000; 4000)");
}

TEST(WsBothEnds, LargeMessagesBothWaysAtOnce) {
  Loop loop;
  evutil_socket_t fds[2];
  MakePair(fds);
  Session server(&loop, bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE));
  Session client(&loop, bufferevent_socket_new(loop.base(), fds[1], BEV_OPT_CLOSE_ON_FREE),
                 STRATA_WS_CLIENT);
  std::string bytes(8 << 20, '\0'), at_server, at_client;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 13);
  server.on_message = [&](const std::string &got) { at_server = got; };
  client.on_message = [&](const std::string &got) { at_client = got; };
  for (int i = 0; i < 2; ++i) {
    evws_send_binary(server.get(), bytes.data(), bytes.size());
    evws_send_binary(client.get(), bytes.data(), bytes.size());
  }
  ASSERT_TRUE(loop.RunUntil([&] { return server.num_messages() + client.num_messages() == 4; }));
  EXPECT_TRUE(at_server == bytes);
  EXPECT_TRUE(at_client == bytes);
  evws_close(server.get(), WS_CR_NORMAL);
  EXPECT_TRUE(server.WaitClosed());
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(server.log(), "closed(1000; 1000)");
}

TEST(WsBothEnds, AMaskedFrameFromAServer) {
  Loop loop;
  evutil_socket_t fds[2];
  MakePair(fds);
  Session client(&loop, bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE),
                 STRATA_WS_CLIENT);
  Peer server(&loop, fds[1]);
  server.Send(ServerFrame(kFin | kText, "fine") + Text("masked"));
  EXPECT_TRUE(server.WaitFor("close(1002) end"));
  EXPECT_EQ(client.log(), "text(fine)");
  EXPECT_TRUE(server.frames()[0].masked);
}

TEST(WsBothEnds, EveryFrameOfAClientHasAMaskOfItsOwn) {
  Loop loop;
  evutil_socket_t fds[2];
  MakePair(fds);
  Session client(&loop, bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE),
                 STRATA_WS_CLIENT);
  Peer server(&loop, fds[1]);
  for (int i = 0; i < 4; ++i) evws_send_text(client.get(), "the same");
  ASSERT_TRUE(loop.RunUntil([&] { return server.in().size() == 4 * 14; }));
  std::vector<std::string> masks;
  for (size_t i = 0; i < 4; ++i) masks.push_back(server.in().substr(14 * i + 2, 4));
  EXPECT_TRUE(masks[0] != masks[1] && masks[1] != masks[2] && masks[2] != masks[3]);
  EXPECT_TRUE(server.WaitFor("text(the same) text(the same) text(the same) text(the same)"));
}

}  // namespace

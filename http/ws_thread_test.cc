// Sessions with BEV_OPT_THREADSAFE: other threads send and close.

#include <event2/thread.h>
#include <event2/ws.h>

#include <atomic>
#include <thread>

#include "http/ws_session.h"
#include "http/ws_testing.h"

namespace {

using namespace ws_testing;  // NOLINT: all of it is frames.

const int kNumThreads = 4, kNumMessages = 500;

class Threads : public testing::Environment {
 public:
  void SetUp() override { ASSERT_EQ(evthread_use_pthreads(), 0); }
};
const testing::Environment *const threads = testing::AddGlobalTestEnvironment(new Threads);

struct Fixture {
  Fixture() {
    evutil_socket_t fds[2];
    MakePair(fds);
    evws = strata_ws_new(loop.base(), STRATA_WS_SERVER, nullptr, nullptr, BEV_OPT_THREADSAFE);
    evws_connection_set_closecb(
        evws, [](evws_connection *, void *arg) { *static_cast<bool *>(arg) = true; }, &closed);
    strata_ws_start(evws, bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE),
                    STRATA_WS_OPEN);
    peer.reset(new Peer(&loop, fds[1]));
  }
  Loop loop;
  bool closed = false;
  evws_connection *evws;
  std::unique_ptr<Peer> peer;
};

TEST(WsThreads, AllMessagesArriveInTheOrderOfTheirThread) {
  Fixture fixture;
  std::vector<std::thread> senders;
  for (int thread = 0; thread < kNumThreads; ++thread) {
    senders.emplace_back([&fixture, thread] {
      for (int i = 0; i < kNumMessages; ++i) {
        std::string text = std::to_string(thread) + " " + std::to_string(i);
        EXPECT_EQ(evws_send_message(fixture.evws, WS_TEXT_FRAME, text.data(), text.size()), 0);
      }
    });
  }
  EXPECT_TRUE(fixture.loop.RunUntil([&] {
    fixture.peer->Log();
    return fixture.peer->frames().size() == kNumThreads * kNumMessages;
  }));
  for (std::thread &sender : senders) sender.join();
  std::vector<int> next(kNumThreads);
  for (const Received &frame : fixture.peer->frames()) {
    int thread = frame.payload[0] - '0';
    EXPECT_EQ(frame.payload, std::to_string(thread) + " " + std::to_string(next[thread]++));
  }
  evws_connection_free(fixture.evws);
}

TEST(WsThreads, ClosedByAnother) {
  Fixture fixture;
  std::thread other([&fixture] {
    evws_send_text(fixture.evws, "last");
    evws_close(fixture.evws, 4000);
    evws_send_text(fixture.evws, "late");
    EXPECT_EQ(evws_send_message(fixture.evws, WS_BINARY_FRAME, "x", 1), -1);
  });
  EXPECT_TRUE(fixture.peer->WaitFor("text(last) close(4000)"));
  other.join();
  fixture.peer->Send(Close(4000));
  EXPECT_TRUE(fixture.peer->WaitClosed());
  fixture.peer->Hangup();
  EXPECT_TRUE(fixture.loop.RunUntil([&] { return fixture.closed; }));
}

// Threads that send into a session that is closing: nothing of it is sent, nothing is kept.
TEST(WsThreads, SendingWhileItCloses) {
  Fixture fixture;
  std::atomic<bool> stop{false};
  std::atomic<size_t> num_received{0};
  // No more than this is under way: a sender that never waits may keep the lock from the loop.
  const size_t kNumAhead = 1000;
  std::thread other([&] {
    for (size_t num_sent = 0; !stop;) {
      if (num_sent > num_received + kNumAhead) {
        std::this_thread::yield();
      } else {
        evws_send_text(fixture.evws, "text");
        num_sent++;
      }
    }
  });
  auto receive = [&] {
    fixture.peer->Log();
    num_received = fixture.peer->frames().size();
  };
  EXPECT_TRUE(fixture.loop.RunUntil([&] {
    receive();
    return num_received > 10;
  }));
  fixture.peer->Send(Close(1000));
  EXPECT_TRUE(fixture.loop.RunUntil([&] {
    receive();
    return fixture.peer->closed();
  }));
  stop = true;
  other.join();
  receive();
  EXPECT_EQ(Describe(fixture.peer->frames().back()), "close(1000)");
  fixture.peer->Hangup();
  EXPECT_TRUE(fixture.loop.RunUntil([&] { return fixture.closed; }));
}

}  // namespace

// A timer for which there was no memory: the timeout still comes, or the program is told of an
// error. A direction that waits in silence for ever is what must not be left behind.
#include <memory>

#include "net/timeouts_testing.h"
#include "util/testing/counting_memory.h"

namespace {

// From the program's start on: a block must be freed by the allocator that made it.
const bool g_installed = [] {
  CountingMemory::Install(event_set_mem_functions);
  return true;
}();

const short kWriteError = BEV_EVENT_WRITING | BEV_EVENT_ERROR;

struct BufferFree {
  void operator()(struct evbuffer *buf) const { evbuffer_free(buf); }
};
using Buffer = std::unique_ptr<struct evbuffer, BufferFree>;

// Pieces that are moved without an allocation.
Buffer Pieces(size_t num, size_t len) {
  static const std::string bytes(1 << 16, 'x');
  Buffer buf(evbuffer_new());
  for (size_t i = 0; i < num; i++)
    EXPECT_EQ(0, evbuffer_add_reference(buf.get(), bytes.data(), len, nullptr, nullptr));
  return buf;
}

class TimeoutMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(g_installed);
    if (kOnLibevent) GTEST_SKIP() << "says nothing";
  }
  ~TimeoutMemory() override { CountingMemory::StopFailing(); }
  static void SetTimeouts(struct bufferevent *bev) {
    const struct timeval soon = Ms(10);
    EXPECT_EQ(0, bufferevent_set_timeouts(bev, &soon, &soon));
  }

  const QuietLog quiet_;
};

TEST_F(TimeoutMemory, PairWithOutputThatDoesNotFit) {
  Loop loop;
  struct bufferevent *pair[2];
  ASSERT_EQ(0, bufferevent_pair_new(loop, 0, pair));
  Bev writer(pair[0]), reader(pair[1]);
  SetTimeouts(writer);
  reader.StopTaking();
  reader.Watermark(EV_READ, 0, 5);
  reader.Enable(EV_READ);
  const Buffer pieces = Pieces(2, 5);
  CountingMemory::Begin(1, CountingMemory::kAll);
  EXPECT_EQ(0, bufferevent_write_buffer(writer, pieces.get()));
  EXPECT_TRUE(CountingMemory::has_failed());
  CountingMemory::StopFailing();
  EXPECT_TRUE(loop.RunUntil([&] { return !writer.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kWriteError}, writer.events);
  EXPECT_EQ(std::vector<int>{kNoMemory}, writer.errors);
  EXPECT_EQ(0, bufferevent_get_enabled(writer) & EV_WRITE);
  // With memory it goes on, and times out.
  writer.Enable(EV_WRITE);
  EXPECT_TRUE(loop.RunUntil([&] { return writer.events.size() == 2; }));
  EXPECT_EQ(kWriteTimeout, writer.events[1]);
  EXPECT_EQ(5u, writer.output_len());
}

// Whatever allocation fails when a socket is given, its timeout comes, or an error.
TEST_F(TimeoutMemory, SocketThatIsSet) {
  for (const long num_failing : {1L, 2L, CountingMemory::kAll}) {
    for (long n = 1; n < 100; n++) {
      SCOPED_TRACE(::testing::Message() << "allocation " << n << ", " << num_failing);
      Loop loop;
      Pair pair;
      Bev bev(loop, -1);
      SetTimeouts(bev);
      bev.Enable(EV_READ);
      CountingMemory::Begin(n, num_failing);
      int result = bev.SetFd(pair[0]);
      CountingMemory::StopFailing();
      const bool has_failed = CountingMemory::has_failed();
      if (result < 0) {
        EXPECT_TRUE(has_failed);
        EXPECT_EQ(0, bev.SetFd(pair[0]));
      }
      ASSERT_TRUE(loop.RunUntil([&] { return !bev.events.empty(); }));
      EXPECT_TRUE(bev.events[0] == kReadTimeout ||
                  (has_failed && bev.events[0] == (BEV_EVENT_READING | BEV_EVENT_ERROR)))
          << bev.events[0];
      if (!has_failed) break;
    }
  }
}

// Output that a callback adds is looked at after it: enabling in between finds it.
TEST_F(TimeoutMemory, EnabledByACallbackThatHasWritten) {
  Loop loop;
  Pair pair;
  const std::string block(1 << 16, 'x');
  while (send(pair[0], block.data(), block.size(), MSG_NOSIGNAL) > 0) continue;
  Bev bev(loop, pair[0]);
  // A TCP socket, which pairs are on Windows, has room again when its buffers have grown.
  const Buffer pieces = Pieces(2, 4 << 20);
  const struct timeval soon = Ms(10);
  EXPECT_EQ(0, bufferevent_set_timeouts(bev, nullptr, &soon));
  bool was_called = false;
  bev.on_read = [&] {
    was_called = true;
    CountingMemory::Begin(1, CountingMemory::kAll);
    EXPECT_EQ(0, bufferevent_write_buffer(bev, pieces.get()));
    (void)bufferevent_enable(bev, EV_WRITE);
    CountingMemory::StopFailing();
  };
  bev.Enable(EV_READ);
  loop.Settle();
  pair.Send("x");
  EXPECT_TRUE(loop.RunUntil([&] { return was_called; }));
  ASSERT_TRUE(loop.RunUntil([&] { return !bev.events.empty(); }));
  EXPECT_TRUE(bev.events[0] == kWriteTimeout || bev.events[0] == kWriteError) << bev.events[0];
}

}  // namespace

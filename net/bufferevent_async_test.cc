// What is particular to bufferevents over a completion port; all else is in the suites that run
// with EVENT_COMPLETION.
#include <memory>
#include <thread>

#include "net/async_testing.h"

namespace {

TEST_F(Async, ReceiveOfADisabledOneKeepsNoLoopGoing) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  bev.Disable(EV_READ);
  EXPECT_EQ(1, event_base_dispatch(base_));
}

TEST_F(Async, BytesAndTheEndWaitInOrderWhileDisabled) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  bev.Disable(EV_READ);
  pair.Send("abc");
  Settle();
  pair.Send("def");
  pair.ShutdownWrite();
  Settle();
  EXPECT_EQ("", bev.received);
  EXPECT_EQ(0u, bev.input_len());
  EXPECT_TRUE(bev.events.empty());
  bev.Enable(EV_READ);
  EXPECT_TRUE(RunUntil([&] { return !bev.events.empty(); }));
  EXPECT_EQ("abcdef", bev.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_F(Async, WatermarkGetsItsShareOfWhatWasReceived) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  bev.StopTaking();
  bev.Watermark(EV_READ, 0, 1000);
  const std::string bytes = Pattern(12000);
  pair.Send(bytes);
  Settle();
  EXPECT_EQ(1000u, bev.input_len());
  EXPECT_TRUE(RunUntil([&] {
    EXPECT_LE(bev.input_len(), 1000u);
    bev.Take();
    return bev.received.size() == bytes.size();
  }));
  EXPECT_EQ(bytes, bev.received);
}

// Received memory is the port's; it outlives the base.
TEST_F(Async, InputOutlivesTheBase) {
  Pair pair;
  const std::string bytes = Pattern(10000);
  struct evbuffer *kept = evbuffer_new();
  {
    Bev bev(base_, pair[0]);
    bev.StopTaking();
    bev.Enable(EV_READ);
    pair.Send(bytes);
    EXPECT_TRUE(RunUntil([&] { return bev.input_len() == bytes.size(); }));
    evbuffer_add_buffer(kept, bev.input());
  }
  FreeBase();
  std::string got(bytes.size(), '\0');
  EXPECT_EQ(static_cast<int>(bytes.size()), evbuffer_remove(kept, &got[0], got.size()));
  EXPECT_EQ(bytes, got);
  evbuffer_free(kept);
}

// More than the port's memory at once.
TEST_F(Async, InputThatNobodyTakes) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.StopTaking();
  bev.Enable(EV_READ);
  const std::string bytes = Pattern(4 << 20);
  size_t sent_len = 0;
  EXPECT_TRUE(RunUntil([&] {
    sent_len += pair.Send(bytes.substr(sent_len, 100000));
    return bev.input_len() == bytes.size();
  }));
  bev.Take();
  EXPECT_TRUE(bytes == bev.received);
}

TEST_F(Async, OutputStaysWhereItIsWhileItIsSent) {
  Pair pair;
  Bev bev(base_, pair[0]);
  std::string expected;
  std::string got;
  for (int i = 0; i < 200 || (bev.output_len() == 0 && i < 2000); i++) {
    const std::string piece = Pattern(20000, static_cast<unsigned>(i));
    bev.Write(piece);
    expected += piece;
    Settle(1);
    evbuffer_pullup(bev.output(), -1);
    if (i % 3 == 0) got += pair.Recv(30000);
  }
  EXPECT_EQ(-1, evbuffer_drain(bev.output(), 1));
  EXPECT_TRUE(RunUntil([&] {
    got += pair.Recv();
    return got.size() >= expected.size();
  }));
  EXPECT_TRUE(expected == got);
  EXPECT_TRUE(RunUntil([&] { return bev.output_len() == 0; }));
}

TEST_F(Async, FilesAreSent) {
  Pair pair;
  Bev bev(base_, pair[0]);
  const std::string bytes = Pattern(100000);
  FILE *file = tmpfile();
  ASSERT_EQ(bytes.size(), fwrite(bytes.data(), 1, bytes.size(), file));
  fflush(file);
  bev.Write("before");
  EXPECT_EQ(0, evbuffer_add_file(bev.output(), dup(fileno(file)), 0,
                                 static_cast<ev_off_t>(bytes.size())));
  bev.Write("after");
  fclose(file);
  std::string got;
  EXPECT_TRUE(RunUntil([&] {
    got += pair.Recv();
    return got.size() >= bytes.size() + 11;
  }));
  EXPECT_TRUE("before" + bytes + "after" == got);
}

TEST_F(Async, NothingIsSentOnceWritingIsDisabled) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Write("abc");
  bev.Disable(EV_WRITE);
  Settle();
  EXPECT_EQ("", pair.Recv());
  EXPECT_EQ(3u, bev.output_len());
  bev.Enable(EV_WRITE);
  EXPECT_TRUE(RunUntil([&] { return bev.output_len() == 0; }));
  EXPECT_EQ("abc", pair.Recv());
}

TEST_F(Async, FreedWithBothInFlight) {
  Pair pair;
  const evutil_socket_t number = pair[0];
  {
    Bev bev(base_, pair.Release(0), BEV_OPT_CLOSE_ON_FREE);
    bev.Enable(EV_READ);
    bev.Write(Pattern(4 << 20));
    Settle();
    EXPECT_GT(bev.output_len(), 0u);
  }
  Settle();
  EXPECT_EQ(-1, fcntl(number, F_GETFD));
}

// Nobody turns the loop again, and the peer hears of it all the same.
TEST_F(Async, PeerHearsAtOnceThatItWasFreed) {
  for (const bool sends : {false, true}) {
    SCOPED_TRACE(sends);
    Pair pair(true);
    const evutil_socket_t number = pair[0];
    Bev bev(base_, pair.Release(0), BEV_OPT_CLOSE_ON_FREE);
    bev.Enable(EV_READ);
    if (sends) bev.Write(Pattern(4 << 20));
    Settle();
    bev.Free();
    EXPECT_EQ(-1, fcntl(number, F_GETFD));
    std::string got;
    char block[16384];
    ssize_t len = 0;
    while (WaitFor(pair[1], POLLIN) && (len = recv(pair[1], block, sizeof(block), 0)) > 0)
      got.append(block, static_cast<size_t>(len));
    EXPECT_EQ(0, len);
    EXPECT_EQ(sends, !got.empty());
    EXPECT_TRUE(Pattern(4 << 20).substr(0, got.size()) == got);
    // The number is free for another, with which the end of the operations does nothing.
    Pair fresh(true);
    Bev other(base_, fresh.Release(0), BEV_OPT_CLOSE_ON_FREE);
    other.Enable(EV_READ);
    fresh.Send("abc");
    EXPECT_TRUE(RunUntil([&] { return other.received == "abc"; }));
  }
}

// Who holds a reference has its socket.
TEST_F(Async, FreedWhileHeldItKeepsItsSocket) {
  Pair pair;
  const evutil_socket_t number = pair[0];
  struct bufferevent *bev = bufferevent_socket_new(base_, pair.Release(0), BEV_OPT_CLOSE_ON_FREE);
  bufferevent_enable(bev, EV_READ);
  Settle();
  bufferevent_incref(bev);
  bufferevent_free(bev);
  EXPECT_EQ(number, bufferevent_getfd(bev));
  EXPECT_NE(-1, fcntl(number, F_GETFD));
  Settle();
  EXPECT_EQ(number, bufferevent_getfd(bev));
  bufferevent_decref(bev);
  Settle();
  EXPECT_EQ(-1, fcntl(number, F_GETFD));
}

TEST_F(Async, BaseFreedWithBothInFlight) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  bev.Write(Pattern(4 << 20));
  Settle();
  pair.Send("abc");
  bev.Free();
  FreeBase();
}

TEST_F(Async, ReplacedWithBothInFlight) {
  Pair pair, fresh;
  Bev bev(base_, pair.Release(0));
  bev.Enable(EV_READ);
  const std::string bytes = Pattern(4 << 20);
  bev.Write(bytes);
  Settle();
  const size_t left_len = bev.output_len();
  EXPECT_EQ(0, bufferevent_replacefd(bev, fresh[0]));
  fresh.Send("abc");
  EXPECT_TRUE(RunUntil([&] { return bev.received == "abc"; }));
  std::string got;
  EXPECT_TRUE(RunUntil([&] {
    got += fresh.Recv();
    return bev.output_len() == 0;
  }));
  got += fresh.Recv();
  EXPECT_LE(got.size(), left_len);
  EXPECT_TRUE(bytes.substr(bytes.size() - got.size()) == got);
  const std::string before = pair.Recv(bytes.size());
  EXPECT_TRUE(bytes.substr(0, bytes.size() - got.size()) == before);
}

// What is replaced is closed when the kernel has let go of it, and not before: under a filter too.
TEST_F(Async, ReplacedDescriptorIsClosedWhenNothingUsesIt) {
  for (const bool has_filter : {false, true}) {
    SCOPED_TRACE(has_filter);
    Pair pair, fresh;
    struct bufferevent *bev = bufferevent_socket_new(base_, pair[0], BEV_OPT_CLOSE_ON_FREE);
    if (has_filter)
      bev = bufferevent_filter_new(bev, nullptr, nullptr, BEV_OPT_CLOSE_ON_FREE, nullptr, nullptr);
    const evutil_socket_t old_fd = pair.Release(0);
    bufferevent_enable(bev, EV_READ);
    bufferevent_write(bev, Pattern(4 << 20).data(), 4 << 20);
    Settle();
    EXPECT_EQ(0, bufferevent_replacefd(bev, fresh[0]));
    EXPECT_EQ(fresh.Release(0), bufferevent_getfd(bev));
    EXPECT_NE(-1, fcntl(old_fd, F_GETFD));
    EXPECT_TRUE(RunUntil([&] { return fcntl(old_fd, F_GETFD) == -1; }));
    // Nothing is in flight there, so that it is closed at once.
    Pair last;
    struct bufferevent *below = bufferevent_get_underlying(bev);
    bufferevent_disable(below != nullptr ? below : bev, EV_READ | EV_WRITE);
    fresh.Send("x");
    Settle();
    const evutil_socket_t idle_fd = bufferevent_getfd(bev);
    EXPECT_EQ(0, bufferevent_replacefd(bev, last.Release(0)));
    EXPECT_EQ(-1, fcntl(idle_fd, F_GETFD));
    bufferevent_free(bev);
    Settle();
  }
}

// Of a socket that is closed as soon as it is given back. Until then the kernel may hold it.
TEST_F(Async, CloseIsHeardOfInTheNextTurnAtTheLatest) {
  for (const bool is_freed : {false, true}) {
    SCOPED_TRACE(is_freed);
    Pair pair;
    Bev bev(base_, pair[0]);
    bev.Enable(EV_READ);
    Settle();
    if (is_freed)
      bev.Free();
    else
      bev.SetFd(-1);
    pair.Close(0);
    char byte;
    if (recv(pair[1], &byte, 1, 0) != 0) {
      Settle(1);
      EXPECT_EQ(0, recv(pair[1], &byte, 1, 0));
    }
  }
}

TEST_F(Async, ReplacedByItself) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  EXPECT_EQ(0, bufferevent_replacefd(bev, pair[0]));
  pair.Send("abc");
  EXPECT_TRUE(RunUntil([&] { return bev.received == "abc"; }));
}

TEST_F(Async, BasesOfTheOtherKindAreRefused) {
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  struct event_base *plain = event_base_new_with_config(config);
  event_config_free(config);
  Pair pair;
  Bev async(base_, pair[0]), ready(plain, -1);
  EXPECT_EQ(-1, bufferevent_base_set(plain, async));
  EXPECT_EQ(-1, bufferevent_base_set(base_, ready));
  ready.Free();
  event_base_free(plain);
}

#ifndef _WIN32
TEST_F(Async, PipesAreReadAsTheyAreElsewhere) {
  int fds[2];
  ASSERT_EQ(0, pipe(fds));
  evutil_make_socket_nonblocking(fds[0]);
  Bev bev(base_, fds[0], BEV_OPT_CLOSE_ON_FREE);
  bev.Enable(EV_READ);
  EXPECT_EQ(3, write(fds[1], "abc", 3));
  EXPECT_TRUE(RunUntil([&] { return bev.received == "abc"; }));
  close(fds[1]);
}
#endif

#ifndef _WIN32
// The kind is chosen when it is made.
TEST_F(Async, PipeThatIsSetIsRefused) {
  int fds[2];
  ASSERT_EQ(0, pipe(fds));
  evutil_make_socket_nonblocking(fds[0]);
  Bev bev(base_, -1);
  EXPECT_EQ(0, bev.SetFd(fds[0]));
  bev.Enable(EV_READ);
  EXPECT_EQ(1, write(fds[1], "a", 1));
  EXPECT_TRUE(RunUntil([&] { return !bev.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_ERROR}, bev.events);
  EXPECT_EQ(std::vector<int>{ENOTSOCK}, bev.errors);
  EXPECT_EQ("", bev.received);
  bev.Free();
  Settle();
  close(fds[0]);
  close(fds[1]);
}
#endif

TEST_F(Async, InputCallbackThatTakesTheSocketAway) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  evbuffer_add_cb(
      bev.input(),
      [](struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
        if (info->n_added) bufferevent_setfd(static_cast<struct bufferevent *>(arg), -1);
      },
      bev.get());
  pair.Send(Pattern(10000));
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() == 10000; }));
  Settle();
}

}  // namespace

// What a program sees of system calls that fail (util/testing/faults.h): an error is told exactly
// once with its errno, nothing that was read or accepted for writing before it is lost, and nobody
// spins. The other suites run under EINTR, EAGAIN and one-byte transfers, of which nothing may be
// seen at all.
#include <event2/listener.h>
#include <event2/watch.h>

#include "net/test_support.h"
#include "util/testing/faults.h"

namespace {

// A plan for one scope.
struct Plan {
  explicit Plan(const char *plan) { EXPECT_EQ(0, strata_faults_set(plan)) << plan; }
  ~Plan() { strata_faults_set(nullptr); }
};

// Counts the turns of a loop: one that spins has many.
class Turns {
 public:
  explicit Turns(struct event_base *base)
      : watcher_(evwatch_prepare_new(
            base,
            [](struct evwatch *, const struct evwatch_prepare_cb_info *, void *arg) {
              ++*static_cast<int *>(arg);
            },
            &num_)) {}
  ~Turns() { evwatch_free(watcher_); }
  // How many there are in a while in which nothing is to be done.
  int WhileIdle(Loop *loop) {
    num_ = 0;
    const struct timeval a_while = Ms(30);
    event_base_loopexit(*loop, &a_while);
    event_base_loop(*loop, EVLOOP_NO_EXIT_ON_EMPTY);
    return num_;
  }
  int num() const { return num_; }

 private:
  int num_ = 0;
  struct evwatch *watcher_;
};

// The bytes of a buffer, which may be frozen.
std::string Contents(struct evbuffer *buf) {
  std::vector<struct evbuffer_iovec> vecs(
      static_cast<size_t>(evbuffer_peek(buf, -1, nullptr, nullptr, 0)));
  evbuffer_peek(buf, -1, nullptr, vecs.data(), static_cast<int>(vecs.size()));
  std::string bytes;
  for (const struct evbuffer_iovec &vec : vecs)
    bytes.append(static_cast<const char *>(vec.iov_base), vec.iov_len);
  return bytes;
}

const int kFew = 10;
const short kReadError = BEV_EVENT_READING | BEV_EVENT_ERROR;
const short kWriteError = BEV_EVENT_WRITING | BEV_EVENT_ERROR;

class Fault : public ::testing::TestWithParam<Kind> {
 protected:
  Fault() : pair_(GetParam().tcp), bev_(loop_, pair_[0], GetParam().options), turns_(loop_) {}

  // Everything that the peer gets, until there is no more for the moment.
  std::string AllSent() {
    std::string got;
    while (WaitFor(pair_[1], POLLIN)) {
      const std::string part = pair_.Recv();
      if (part.empty()) break;
      got += part;
    }
    return got;
  }
  void ExpectOneEvent(short what, int error) {
    loop_.Settle(20);
    EXPECT_EQ(std::vector<short>{what}, bev_.events);
    EXPECT_EQ(std::vector<int>{error}, bev_.errors);
    EXPECT_LT(turns_.WhileIdle(&loop_), kFew);
    EXPECT_EQ(1u, strata_faults_total());
  }

  Loop loop_;
  Pair pair_;
  Bev bev_;
  Turns turns_;
};

INSTANTIATE_TEST_SUITE_P(All, Fault, ::testing::ValuesIn(kKinds), KindName);

TEST_P(Fault, ReadThatIsReset) {
  bev_.Enable(EV_READ);
  pair_.Send("first");
  ASSERT_TRUE(loop_.RunUntil([&] { return bev_.received == "first"; }));
  const Plan plan("reset:on=read:rate=100:count=1");
  pair_.Send("second");
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  ExpectOneEvent(kReadError, ECONNRESET);
  EXPECT_EQ("first", bev_.received);
  EXPECT_FALSE(bufferevent_get_enabled(bev_) & EV_READ);
  EXPECT_TRUE(bufferevent_get_enabled(bev_) & EV_WRITE);
}

// The reads of one wake-up that went well come out before the one that did not.
TEST_P(Fault, ReadsBeforeTheResetComeOutFirst) {
  const std::string bytes = Pattern(60000);
  ASSERT_EQ(bytes.size(), pair_.Send(bytes));
  const Plan plan("reset:on=read:rate=100:skip=2:count=1");
  size_t received_len = 0;
  bev_.on_event = [&](short) { received_len = bev_.received.size(); };
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  ExpectOneEvent(kReadError, ECONNRESET);
  EXPECT_GT(received_len, 0u);
  EXPECT_EQ(bytes.substr(0, received_len), bev_.received);
}

// An error that is met while nobody may hear of it waits for the one who does.
TEST_P(Fault, ResetIsToldOnceAfterReadingWasTurnedOffAndOn) {
  const std::string bytes = Pattern(60000);
  ASSERT_EQ(bytes.size(), pair_.Send(bytes));
  bev_.on_read = [&] { bev_.Disable(EV_READ); };
  const Plan plan("reset:on=read:rate=100:skip=1:count=1");
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.reads > 0; }));
  loop_.Settle(10);
  bev_.on_read = nullptr;
  // A deferred callback hears of it before it turns reading off.
  EXPECT_EQ(bool(GetParam().options & BEV_OPT_DEFER_CALLBACKS), !bev_.events.empty());
  if (bev_.events.empty()) bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  ExpectOneEvent(kReadError, ECONNRESET);
  EXPECT_EQ(bytes.substr(0, bev_.received.size()), bev_.received);
}

TEST_P(Fault, WriteThatIsReset) {
  const std::string bytes = Pattern(100000);
  const Plan plan("reset:on=write:rate=100:skip=1:count=1");
  EXPECT_EQ(0, bufferevent_set_max_single_write(bev_, 4096));
  bev_.Write(bytes);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  ExpectOneEvent(kWriteError, ECONNRESET);
  EXPECT_FALSE(bufferevent_get_enabled(bev_) & EV_WRITE);
  // What the kernel has taken is gone from the output, and nothing else.
  const std::string sent = AllSent();
  EXPECT_EQ(4096u, sent.size());
  EXPECT_TRUE(sent + Contents(bev_.output()) == bytes);
}

// A write that fails while the input goes on: each direction has its own end.
TEST_P(Fault, WriteThatIsResetWhileReading) {
  pair_.Send("question");
  bev_.Enable(EV_READ);
  ASSERT_TRUE(loop_.RunUntil([&] { return bev_.received == "question"; }));
  const Plan plan("reset:on=write:rate=100:count=1");
  bev_.Write("answer");
  short all = 0;
  bev_.on_event = [&](short what) { all |= what; };
  EXPECT_TRUE(loop_.RunUntil([&] { return all & BEV_EVENT_WRITING && all & BEV_EVENT_READING; }));
  loop_.Settle(20);
  EXPECT_EQ(kWriteError | kEof, all);
  EXPECT_LE(bev_.events.size(), 2u);
  EXPECT_EQ(ECONNRESET, bev_.errors[0]);
  EXPECT_EQ(6u, bev_.output_len());
  EXPECT_LT(turns_.WhileIdle(&loop_), kFew);
}

// The connection stays: the program may go on where it was.
TEST_P(Fault, WriteWithoutBufferSpace) {
  const std::string bytes = Pattern(100000);
  std::string got;
  {
    const Plan plan("enobufs:rate=100:skip=1:count=1");
    EXPECT_EQ(0, bufferevent_set_max_single_write(bev_, 10000));
    bev_.Write(bytes);
    EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
    ExpectOneEvent(kWriteError, ENOBUFS);
    EXPECT_EQ(90000u, bev_.output_len());
  }
  bev_.Enable(EV_WRITE);
  EXPECT_TRUE(Drain(&loop_, &pair_, &got, bytes.size()));
  EXPECT_TRUE(got == bytes);
  EXPECT_EQ(1u, bev_.events.size());
}

TEST_P(Fault, FreedByTheCallbackThatHearsOfIt) {
  for (const char *text : {"reset:on=write", "enobufs", "reset:on=read"}) {
    Pair pair(GetParam().tcp);
    Bev bev(loop_, pair[0], GetParam().options);
    const Plan plan((std::string(text) + ":rate=100:count=1").c_str());
    bev.on_event = [&](short) { bev.Free(); };
    bev.Write("bytes");
    pair.Send("bytes");
    bev.Enable(EV_READ);
    EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); })) << text;
    loop_.Settle(10);
    EXPECT_EQ(1u, bev.events.size()) << text;
  }
}

// Writes that are interrupted or refused again and again, on a socket with room: all of it goes out
// without anything new from the kernel.
TEST_P(Fault, InterruptedWritesAreRepeated) {
  const Plan plan("eintr:on=write:rate=100:count=50");
  bev_.Write("bytes");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.output_len() == 0; }));
  EXPECT_EQ("bytes", pair_.Recv());
  EXPECT_EQ(50u, strata_faults_num(STRATA_FAULT_EINTR));
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Fault, InterruptedReadsAreRepeated) {
  const Plan plan("eintr:on=read:rate=100:count=50");
  bev_.Enable(EV_READ);
  pair_.Send("bytes");
  pair_.ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ("bytes", bev_.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev_.events);
  EXPECT_EQ(50u, strata_faults_num(STRATA_FAULT_EINTR));
}

// ---- Connecting ----

class ConnectFault : public ::testing::Test {
 protected:
  ConnectFault() : server_(Listen()), bev_(loop_, -1), address_(AddressOf(server_)) {
    evutil_make_socket_nonblocking(server_);
  }
  ~ConnectFault() override {
    const evutil_socket_t fd = bufferevent_getfd(bev_);
    bev_.Free();
    if (fd >= 0) evutil_closesocket(fd);
    evutil_closesocket(server_);
  }
  int Connect() {
    return bufferevent_socket_connect(bev_, reinterpret_cast<struct sockaddr *>(&address_),
                                      sizeof(address_));
  }
  // Takes a connection from the backlog, if there is one.
  bool Accept() {
    const evutil_socket_t fd = accept(server_, nullptr, nullptr);
    if (fd >= 0) evutil_closesocket(fd);
    return fd >= 0;
  }

  Loop loop_;
  const evutil_socket_t server_;
  Bev bev_;
  struct sockaddr_in address_;
};

TEST_F(ConnectFault, InterruptedIsWaitedForNotRestarted) {
  const Plan plan("eintr:on=connect:rate=100:count=1");
  EXPECT_EQ(0, Connect());
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  loop_.Settle(10);
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  EXPECT_EQ(1u, strata_faults_total());
  EXPECT_TRUE(WaitFor(server_, POLLIN));
  EXPECT_TRUE(Accept());
  EXPECT_FALSE(Accept());
}

TEST_F(ConnectFault, WithoutADescriptorIsRefusedAndMayBeTriedAgain) {
  {
    const Plan plan("emfile:on=open:rate=100:count=1");
    EXPECT_EQ(-1, Connect());
    EXPECT_EQ(EMFILE, errno);
    EXPECT_EQ(-1, bufferevent_getfd(bev_));
    loop_.Settle();
    EXPECT_TRUE(bev_.events.empty());
  }
  EXPECT_EQ(0, Connect());
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

// ---- Accepting ----

class ListenerFault : public ::testing::Test {
 protected:
  ListenerFault() : turns_(loop_) {
    struct sockaddr_in sin = Loopback();
    listener_ = evconnlistener_new_bind(loop_, OnAccept, this, LEV_OPT_CLOSE_ON_FREE, -1,
                                        reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
    evconnlistener_set_error_cb(listener_, OnError);
  }
  ~ListenerFault() override {
    evconnlistener_free(listener_);
    for (const evutil_socket_t fd : clients_) evutil_closesocket(fd);
  }
  void Connect(size_t num) {
    for (size_t i = 0; i < num; i++)
      clients_.push_back(ConnectTo(AddressOf(evconnlistener_get_fd(listener_))));
  }
  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    static_cast<ListenerFault *>(arg)->num_accepted_++;
    evutil_closesocket(fd);
  }
  static void OnError(struct evconnlistener *, void *arg) {
    static_cast<ListenerFault *>(arg)->errors_.push_back(EVUTIL_SOCKET_ERROR());
  }

  Loop loop_;
  Turns turns_;
  struct evconnlistener *listener_;
  std::vector<evutil_socket_t> clients_;
  size_t num_accepted_ = 0;
  std::vector<int> errors_;
};

TEST_F(ListenerFault, OutOfDescriptorsIsToldOnceForEachAttemptAndLosesNobody) {
  const Plan plan("emfile:on=accept:rate=100:count=3");
  Connect(5);
  EXPECT_TRUE(loop_.RunUntil([&] { return num_accepted_ == 5; }));
  EXPECT_EQ(std::vector<int>(3, EMFILE), errors_);
  // A pause after each attempt, not a turn.
  EXPECT_LT(turns_.num(), 5 * kFew);
  EXPECT_LT(turns_.WhileIdle(&loop_), kFew);
}

TEST_F(ListenerFault, NobodyIsAcceptedDuringThePause) {
  const Plan plan("emfile:on=accept:rate=100:count=1");
  const long long begin = WallUsec();
  Connect(1);
  EXPECT_TRUE(loop_.RunUntil([&] { return errors_.size() == 1; }));
  Connect(1);  // Is no reason to try again at once.
  EXPECT_TRUE(loop_.RunUntil([&] { return num_accepted_ == 2; }));
  EXPECT_GE(WallUsec() - begin, 90000);
  EXPECT_LT(turns_.num(), 3 * kFew);
}

// As long a pause as without a descriptor, and then all are accepted.
TEST_F(ListenerFault, OutOfBufferSpaceIsToldOnceForEachAttemptAndLosesNobody) {
  const Plan plan("enobufs:on=accept:rate=100:skip=1:count=2");
  const long long begin = WallUsec();
  Connect(5);
  EXPECT_TRUE(loop_.RunUntil([&] { return !errors_.empty(); }));
  EXPECT_EQ(1u, num_accepted_);
  EXPECT_TRUE(loop_.RunUntil([&] { return num_accepted_ == 5; }));
  EXPECT_EQ(std::vector<int>(2, ENOBUFS), errors_);
  EXPECT_GE(WallUsec() - begin, 2 * 90000);
  EXPECT_LT(turns_.num(), 5 * kFew);
  EXPECT_LT(turns_.WhileIdle(&loop_), kFew);
}

TEST_F(ListenerFault, AbortedConnectionIsPassedOver) {
  const Plan plan("aborted:on=accept:rate=100:count=2");
  Connect(5);
  EXPECT_TRUE(loop_.RunUntil([&] { return num_accepted_ == 3; }));
  loop_.Settle(10);
  EXPECT_EQ(3u, num_accepted_);
  EXPECT_EQ(std::vector<int>(), errors_);
  EXPECT_LT(turns_.WhileIdle(&loop_), kFew);
}

TEST_F(ListenerFault, InterruptedAndEmptyAcceptsAreRepeated) {
  const Plan plan("eintr,eagain:on=accept:rate=70");
  Connect(40);
  EXPECT_TRUE(loop_.RunUntil([&] { return num_accepted_ == 40; }));
  EXPECT_EQ(std::vector<int>(), errors_);
  EXPECT_GT(strata_faults_num(STRATA_FAULT_EINTR), 0u);
  EXPECT_GT(strata_faults_num(STRATA_FAULT_EAGAIN), 0u);
}

}  // namespace

// A listener that has neither descriptors nor memory, on every kind of backend.
#include <event2/listener.h>
#include <sys/resource.h>

#include "net/test_support.h"
#include "util/testing/counting_memory.h"

namespace {

// From the program's start on: a block must be freed by the allocator that made it.
const bool g_installed = [] {
  CountingMemory::Install(event_set_mem_functions);
  return true;
}();

struct Heard {
  std::vector<evutil_socket_t> fds;
  int num_errors = 0;

  ~Heard() {
    for (const evutil_socket_t fd : fds) evutil_closesocket(fd);
  }
  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    static_cast<Heard *>(arg)->fds.push_back(fd);
  }
  static void OnError(struct evconnlistener *, void *arg) {
    static_cast<Heard *>(arg)->num_errors++;
  }
};

// "completion" stands for the port of io_uring.
class ListenerMemory : public ::testing::TestWithParam<const char *> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(g_installed);
    const std::string param = GetParam();
    const std::string wanted = param == "completion" ? "io_uring" : param;
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    if (param == "completion") event_config_set_flag(config, EVENT_BASE_FLAG_COMPLETION);
    for (const char **method = event_get_supported_methods(); *method != nullptr; method++)
      if (wanted != *method) event_config_avoid_method(config, *method);
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    if (base_ == nullptr) GTEST_SKIP() << "this system has no " << wanted;
    evutil_make_socket_nonblocking(fd_);
    listener_ = evconnlistener_new(base_, Heard::OnAccept, &heard_, LEV_OPT_CLOSE_ON_FREE, 0, fd_);
    evconnlistener_set_error_cb(listener_, Heard::OnError);
  }
  void TearDown() override {
    CountingMemory::StopFailing();
    if (listener_ != nullptr) evconnlistener_free(listener_);
    if (base_ != nullptr) event_base_free(base_);
    for (const evutil_socket_t fd : clients_) evutil_closesocket(fd);
  }
  void Connect(int num) {
    for (int i = 0; i < num; i++) clients_.push_back(ConnectTo(AddressOf(fd_)));
  }
  void RunFor(long ms) {
    const struct timeval time = Ms(ms);
    event_base_loopexit(base_, &time);
    event_base_dispatch(base_);
  }
  // Runs the loop for a while without memory, and without descriptors.
  void RunShort(long ms) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit none = {static_cast<rlim_t>(clients_.back()) + 1, limit.rlim_max};
    const struct timeval time = Ms(ms);
    event_base_loopexit(base_, &time);
    setrlimit(RLIMIT_NOFILE, &none);
    CountingMemory::Begin(1, CountingMemory::kAll);
    event_base_dispatch(base_);
    CountingMemory::StopFailing();
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  bool RunUntil(const std::function<bool()> &done) {
    const long long begin = WallUsec();
    while (!done() && WallUsec() - begin < 20000000) event_base_loop(base_, EVLOOP_ONCE);
    return done();
  }

  struct event_base *base_ = nullptr;
  evutil_socket_t fd_ = Listen();
  struct evconnlistener *listener_ = nullptr;
  std::vector<evutil_socket_t> clients_;
  Heard heard_;
};

TEST_P(ListenerMemory, PausesAndGoesOn) {
  Connect(1);
  ASSERT_TRUE(RunUntil([&] { return heard_.fds.size() == 1; }));
  Connect(10);
  RunShort(350);
  EXPECT_GE(heard_.num_errors, 1);
  EXPECT_LE(heard_.num_errors, 8);  // One in a tenth of a second.
  EXPECT_EQ(1u, heard_.fds.size());
  EXPECT_TRUE(RunUntil([&] { return heard_.fds.size() == 11; }));
}

TEST_P(ListenerMemory, DisabledAndFreedInAPause) {
  Connect(3);
  RunShort(150);
  EXPECT_GE(heard_.num_errors, 1);
  evconnlistener_disable(listener_);
  EXPECT_EQ(1, event_base_dispatch(base_));  // Nothing keeps the loop going.
  evconnlistener_enable(listener_);
  EXPECT_TRUE(RunUntil([&] { return heard_.fds.size() == 3; }));
  Connect(3);
  RunShort(150);
  evconnlistener_free(std::exchange(listener_, nullptr));
  EXPECT_EQ(1, event_base_dispatch(base_));
}

// The timer that waits for the next pause is no event of the program's.
TEST_P(ListenerMemory, ItsTimerKeepsNoLoopGoing) {
  evconnlistener_disable(listener_);
  EXPECT_EQ(1, event_base_dispatch(base_));
  EXPECT_EQ(0, event_base_get_num_events(base_, EVENT_BASE_COUNT_ADDED));
}

INSTANTIATE_TEST_SUITE_P(Backends, ListenerMemory,
                         ::testing::Values("epoll", "poll", "select", "io_uring", "completion"),
                         [](const auto &info) { return std::string(info.param); });

// A timer that is set is moved without memory.
TEST(TimerMemory, OneThatIsSetMovesWithoutAny) {
  struct event_base *base = event_base_new();
  int num_calls = 0;
  const event_callback_fn count = [](evutil_socket_t, short, void *arg) {
    ++*static_cast<int *>(arg);
  };
  std::vector<struct event *> events;
  const struct timeval hour = Ms(3600000), at_once = Ms(0);
  CountingMemory::Begin();
  // Until the next one would find no room.
  for (long before = -1;;) {
    events.push_back(event_new(base, -1, 0, count, &num_calls));
    CountingMemory::Begin(events.size() > 4 ? 1 : 0, CountingMemory::kAll);
    before = event_add(events.back(), &hour);
    CountingMemory::StopFailing();
    if (before < 0) break;
  }
  CountingMemory::Begin(1, CountingMemory::kAll);
  EXPECT_EQ(0, event_add(events[0], &at_once));
  EXPECT_EQ(-1, event_add(events.back(), &hour));
  CountingMemory::StopFailing();
  event_base_loop(base, EVLOOP_ONCE);
  EXPECT_EQ(1, num_calls);
  for (struct event *event : events) event_free(event);
  event_base_free(base);
}

}  // namespace

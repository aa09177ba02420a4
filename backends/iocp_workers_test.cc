// What the conformance suite does not know of the workers of an I/O completion port: when there are
// any, what they may run, and how they end.
#include <event2/event.h>
#include <event2/thread.h>
#include <tlhelp32.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/testing/completion_fixture.h"

extern "C" {
#include "backends/afd.h"

// The linker's --wrap (ld(1)) of the pointer that the C code calls through.
extern decltype(&PostQueuedCompletionStatus) __real___imp_PostQueuedCompletionStatus;
std::atomic<int> num_posts_that_fail{0};
static BOOL WINAPI PostOrFail(HANDLE port, DWORD len, ULONG_PTR key, LPOVERLAPPED overlapped) {
  if (num_posts_that_fail > 0 && num_posts_that_fail-- > 0) {
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return FALSE;
  }
  return __real___imp_PostQueuedCompletionStatus(port, len, key, overlapped);
}
decltype(&PostQueuedCompletionStatus) __wrap___imp_PostQueuedCompletionStatus = PostOrFail;
}

namespace completion_testing {

constexpr int kNumWorkers = 4;

// Of this process.
int NumThreads() {
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  THREADENTRY32 entry = {};
  entry.dwSize = sizeof(entry);
  int num = 0;
  for (BOOL has_one = Thread32First(snapshot, &entry); has_one;
       has_one = Thread32Next(snapshot, &entry))
    num += entry.th32OwnerProcessID == GetCurrentProcessId();
  CloseHandle(snapshot);
  return num;
}

struct event_base *BaseWith(int num_cpus_hint, int flags) {
  const struct event_readiness_ops *const backends[] = {&event_afd_ops, nullptr};
  struct event_config *config = event_config_new();
  event_config_set_flag(config, flags);
  event_config_set_num_cpus_hint(config, num_cpus_hint);
  struct event_base *base = event_base_new_with_backends(config, backends);
  event_config_free(config);
  return base;
}

// How many threads a base brings, and whether they are gone with it.
int NumWorkers(int num_cpus_hint, int flags = EVENT_BASE_FLAG_COMPLETION) {
  const int num_before = NumThreads();
  struct event_base *base = BaseWith(num_cpus_hint, flags);
  const int num_workers = NumThreads() - num_before;
  EXPECT_EQ(num_workers > 0, (event_base_port_features(base) & STRATA_PORT_REPEATS) != 0);
  event_base_free(base);
  EXPECT_EQ(num_before, NumThreads());
  return num_workers;
}

// First: there is no way back from threads. Gives the system the threads that it makes on its own.
TEST(IocpWorkersChoice, NoneWithoutThreads) {
  event_base_free(BaseWith(0, EVENT_BASE_FLAG_COMPLETION));
  EXPECT_EQ(0, NumWorkers(kNumWorkers));
}

// The base of a program that enables threads after it made it: the loop's thread serves the port.
TEST(IocpWorkersChoice, NoneWhenThreadsComeAfterTheBase) {
  struct event_base *base = BaseWith(kNumWorkers, EVENT_BASE_FLAG_STARTUP_IOCP);
  const int num_before = NumThreads();
  UseThreads();
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base));
  pair.Send(1, "x");
  while (!recv.IsDone()) event_base_loop(base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
  EXPECT_EQ("x", recv.bytes);
  EXPECT_EQ(num_before, NumThreads());
  event_base_free(base);
}

TEST(IocpWorkersChoice, AsManyAsTheHintSays) {
  UseThreads();
  EXPECT_EQ(0, NumWorkers(-1));
  EXPECT_EQ(0, NumWorkers(0));
  EXPECT_EQ(0, NumWorkers(1));
  EXPECT_EQ(2, NumWorkers(2));
  EXPECT_EQ(8, NumWorkers(8, EVENT_BASE_FLAG_STARTUP_IOCP));
  EXPECT_EQ(64, NumWorkers(1000));
}

TEST(IocpWorkersChoice, NoneWithoutLocksOrPort) {
  UseThreads();
  EXPECT_EQ(0, NumWorkers(kNumWorkers, EVENT_BASE_FLAG_COMPLETION | EVENT_BASE_FLAG_NOLOCK));
  if (getenv("EVENT_COMPLETION") == nullptr) {
    EXPECT_EQ(0, NumWorkers(kNumWorkers, 0));
  }
}

TEST(IocpWorkersChoice, EnvironmentGivesTheHint) {
  UseThreads();
  const char *const before = getenv("EVENT_COMPLETION");
  const std::string old = before != nullptr ? before : "";
  for (const auto &[value, num_workers] : {std::pair<const char *, int>{"1", 0}, {"3", 3}}) {
    _putenv_s("EVENT_COMPLETION", value);
    EXPECT_EQ(num_workers, NumWorkers(0, 0));
    EXPECT_EQ(2, NumWorkers(2, 0)) << "the program's own hint comes first";
    EXPECT_EQ(0, NumWorkers(0, EVENT_BASE_FLAG_COMPLETION | EVENT_BASE_FLAG_IGNORE_ENV));
  }
  _putenv_s("EVENT_COMPLETION", old.c_str());
}

class IocpWorkers : public CompletionConformance {};

TEST_P(IocpWorkers, FunctionsRunInTheLoopsThread) {
  const std::thread::id own = std::this_thread::get_id();
  Pair pair;
  Listener listener;
  std::atomic<int> num_elsewhere{0};
  const auto check = [&](Op *) { num_elsewhere += std::this_thread::get_id() != own; };
  for (int i = 0; i < 50; i++) {
    Op repeated(check), send(check), accept(check), connect(check), recv(check);
    Socket client = TcpSocket();
    Pair other;
    ASSERT_EQ(0, repeated.RecvRepeatedly(pair[0]).Launch(base_));
    ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
    ASSERT_EQ(0, connect.Connect(client, listener.address).Launch(base_));
    ASSERT_EQ(0, recv.RecvInto(other[0], {1}).Launch(base_));
    ASSERT_EQ(0, send.Send(other[1], {"x"}).Launch(base_));
    pair.Send(1, "x");
    ASSERT_TRUE(Finish({&send, &accept, &connect, &recv}));
    ASSERT_TRUE(RunUntil([&] { return repeated.stream == "x"; }));
    repeated.Cancel();
    ASSERT_TRUE(Finish(&repeated));
    Socket server(static_cast<evutil_socket_t>(accept.result));
  }
  EXPECT_EQ(0, num_elsewhere);
}

// So that a loop that is behind is not buried in memory.
TEST_P(IocpWorkers, ReceivingPausesWhenTheLoopIsBehind) {
  for (int i = 0; i < 20; i++) {
    Pair pair;
    const std::string sent = Pattern(300000, static_cast<unsigned>(i));
    size_t sent_len = 0;
    Op recv([&](Op *op) {
      if (op->num_results != 1 || op->is_last) return;
      while (sent_len < sent.size()) {
        const ev_ssize_t len =
            send(pair[1], sent.data() + sent_len, static_cast<int>(sent.size() - sent_len), 0);
        if (len <= 0) break;
        sent_len += static_cast<size_t>(len);
      }
      op->Cancel();
    });
    ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
    pair.Send(1, "first");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_LE(recv.num_results, 6);
    std::string rest, bytes;
    while (!(bytes = pair.Recv(0)).empty()) rest += bytes;
    EXPECT_TRUE("first" + sent.substr(0, sent_len) == recv.stream + rest);
  }
}

TEST_P(IocpWorkers, PausedReceiveGoesOn) {
  Pair pair;
  const std::string sent = Pattern(150000);
  for (int i = 0; i < 20; i++) {
    Op recv;
    ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
    pair.Send(1, sent);  // More than the results that may wait.
    ASSERT_TRUE(RunUntil([&] { return recv.stream.size() == sent.size(); }));
    EXPECT_TRUE(sent == recv.stream);
    recv.Cancel();
    ASSERT_TRUE(Finish(&recv));
    EXPECT_TRUE(recv.IsCancelled());
  }
}

// Its results wait, and it is not with the kernel.
TEST_P(IocpWorkers, BaseEndsWithPausedReceives) {
  for (int i = 0; i < 20; i++) {
    Pair pair;
    Op recv;
    const std::string sent = Pattern(150000, static_cast<unsigned>(i));
    ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
    pair.Send(1, sent);
    if (i % 3 == 1) Turn();
    if (i % 2 == 1) recv.Cancel();
    FreeBase();
    EXPECT_EQ(1, recv.num_done);
    EXPECT_TRUE(recv.IsCancelled());
    std::string rest, bytes;
    while (!(bytes = pair.Recv(0)).empty()) rest += bytes;
    EXPECT_TRUE(sent == recv.stream + rest);
    base_ = NewBase();
  }
}

// Completions come in while the base ends: each operation is told once.
TEST_P(IocpWorkers, BaseEndsUnderLoad) {
  for (int round = 0; round < 6; round++) {
    std::vector<std::unique_ptr<Pair>> pairs;
    std::vector<std::unique_ptr<Op>> ops;
    Listener listener;
    for (int i = 0; i < 100; i++) {
      pairs.emplace_back(new Pair);
      for (int k = 0; k < 3; k++) ops.emplace_back(new Op);
      Pair &pair = *pairs.back();
      ASSERT_EQ(0, ops[ops.size() - 3]->RecvRepeatedly(pair[0]).Launch(base_));
      ASSERT_EQ(0, ops[ops.size() - 2]->RecvInto(pair[1], {1}).Launch(base_));
      ASSERT_EQ(0, ops[ops.size() - 1]->Accept(listener.fd, true).Launch(base_));
    }
    std::atomic<bool> must_stop{false};
    std::vector<Socket> clients;
    std::thread peer([&] {
      for (size_t i = 0; !must_stop; i++) {
        send((*pairs[i % 100])[1], "data", 4, 0);
        send((*pairs[i % 100])[0], "x", 1, 0);
        if (clients.size() < 50) clients.push_back(listener.Connect());
      }
    });
    const int num_wanted = round * 20;
    ASSERT_TRUE(RunUntil([&] {
      int num_results = 0;
      for (auto &op : ops) num_results += op->num_results;
      return num_results >= num_wanted;
    }));
    FreeBase();
    must_stop = true;
    peer.join();
    for (auto &op : ops) {
      EXPECT_EQ(1, op->num_done);
      if (op->get()->kind == EVENT_OPERATION_ACCEPT && op->result >= 0)
        evutil_closesocket(static_cast<evutil_socket_t>(op->result));
    }
    base_ = NewBase();
  }
}

TEST_P(IocpWorkers, ManyBasesComeAndGo) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([] {
      for (int i = 0; i < 20; i++) {
        struct event_base *const base = BaseWith(kNumWorkers, EVENT_BASE_FLAG_COMPLETION);
        Pair pair;
        Op recv, waiting;
        ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base));
        ASSERT_EQ(0, waiting.RecvInto(pair[1], {1}).Launch(base));
        pair.Send(1, "x");
        while (!recv.IsDone()) event_base_loop(base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
        event_base_free(base);
        EXPECT_TRUE(waiting.IsCancelled());
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
}

// --- Wake-ups ---

TEST_P(IocpWorkers, WakeUpThatFailedIsTriedAgain) {
  event_base_keep_going(base_, 1);
  std::atomic<bool> has_ended{false};
  std::thread loop([&] {
    event_base_dispatch(base_);
    has_ended = true;
  });
  num_posts_that_fail = 3;
  while (!has_ended) {
    event_base_loopbreak(base_);
    std::this_thread::yield();
  }
  loop.join();
  num_posts_that_fail = 0;
  event_base_keep_going(base_, -1);
}

TEST_P(IocpWorkers, BaseEndsThoughPostsFail) {
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base_));
  num_posts_that_fail = 5;
  FreeBase();
  num_posts_that_fail = 0;
  EXPECT_TRUE(recv.IsCancelled());
}

INSTANTIATE_TEST_SUITE_P(Ports, IocpWorkers, testing::Values(Port{&event_afd_ops, kNumWorkers}),
                         CompletionName());

}  // namespace completion_testing

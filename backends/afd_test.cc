// What the readiness suite cannot ask of a system that works: polls that AFD refuses or that end
// with an error.
#include <event2/event.h>
#include <event2/thread.h>

#include <atomic>
#include <functional>
#include <thread>

#include "loop/test_support.h"

extern "C" {
#include "backends/afd.h"
#include "backends/iocp_state.h"
}

#include <winternl.h>

namespace {

constexpr ULONG kAfdPoll = 0x12024;
// Of ntstatus.h, which does not go together with winnt.h.
constexpr NTSTATUS kPending = 0x103;
constexpr NTSTATUS kNoMemory = static_cast<NTSTATUS>(0xC0000017);
constexpr NTSTATUS kNotSupported = static_cast<NTSTATUS>(0xC00000BB);
constexpr NTSTATUS kCancelled = static_cast<NTSTATUS>(0xC0000120);

// What becomes of the next polls: that is returned at once, or reported by a packet.
struct Plan {
  NTSTATUS status;
  int num_polls;
  bool is_by_packet;
} plan;
std::atomic<int> num_polls{0};
bool fails_to_wake = false;
HANDLE port = nullptr;

}  // namespace

// The linker's --wrap (ld(1)).
extern "C" {
decltype(NtDeviceIoControlFile) __real_NtDeviceIoControlFile, __wrap_NtDeviceIoControlFile;

NTSTATUS NTAPI __wrap_NtDeviceIoControlFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc,
                                            PVOID request, PIO_STATUS_BLOCK status, ULONG code,
                                            PVOID in, ULONG in_len, PVOID out, ULONG out_len) {
  const bool is_poll = code == kAfdPoll;
  num_polls += is_poll;
  if (!is_poll || plan.num_polls == 0)
    return __real_NtDeviceIoControlFile(file, event, apc, request, status, code, in, in_len, out,
                                        out_len);
  plan.num_polls--;
  if (!plan.is_by_packet) return plan.status;
  status->Status = plan.status;
  EXPECT_TRUE(
      PostQueuedCompletionStatus(port, 0, STRATA_IOCP_POLL, static_cast<LPOVERLAPPED>(request)));
  return kPending;
}

extern decltype(&CreateIoCompletionPort) __real___imp_CreateIoCompletionPort;
static HANDLE WINAPI CreatePort(HANDLE file, HANDLE old, ULONG_PTR key, DWORD num_threads) {
  const HANDLE result = __real___imp_CreateIoCompletionPort(file, old, key, num_threads);
  if (file == INVALID_HANDLE_VALUE) port = result;
  return result;
}
decltype(&CreateIoCompletionPort) __wrap___imp_CreateIoCompletionPort = CreatePort;

extern decltype(&PostQueuedCompletionStatus) __real___imp_PostQueuedCompletionStatus;
static BOOL WINAPI Post(HANDLE to, DWORD num_bytes, ULONG_PTR key, LPOVERLAPPED request) {
  if (key == STRATA_IOCP_WAKE && fails_to_wake) return FALSE;
  return __real___imp_PostQueuedCompletionStatus(to, num_bytes, key, request);
}
decltype(&PostQueuedCompletionStatus) __wrap___imp_PostQueuedCompletionStatus = Post;
}

namespace {

struct event_base *AfdBase() {
  const struct event_readiness_ops *const backends[] = {&event_afd_ops, nullptr};
  return event_base_new_with_backends(nullptr, backends);
}

class Afd : public ::testing::Test {
 protected:
  ~Afd() override { plan = Plan(); }

  Loop loop_{AfdBase()};
  Pair pair_, other_;
};

// A kind of socket that the driver does not poll. The owner is called, and hears why from recv().
TEST_F(Afd, RefusedPollIsToldEachTime) {
  Ev event(loop_, pair_[0], EV_READ | EV_PERSIST);
  Ev write(loop_, other_[0], EV_WRITE);
  plan = {kNotSupported, 3, false};
  event.Add();
  for (int i = 1; i <= 3; i++) {
    EXPECT_EQ(0, loop_.Once());
    EXPECT_EQ(i, event.calls);
    EXPECT_EQ(EV_READ, event.last_what);
  }
  write.Add();
  EXPECT_TRUE(loop_.RunUntil([&] { return write.calls == 1; }));
  EXPECT_EQ(3, event.calls);
  pair_.Send(1, "x");
  EXPECT_TRUE(loop_.RunUntil([&] { return event.calls == 4; }));
}

TEST_F(Afd, RefusedPollKeepsNoOtherFromBeingToldOf) {
  Ev event(loop_, other_[0], EV_READ);
  Ev refused(loop_, pair_[0], EV_READ | EV_PERSIST);
  plan = {kNotSupported, 1, false};  // The last that was added is the first to be asked for.
  event.Add();
  refused.Add();
  other_.Send(1, "x");
  EXPECT_TRUE(loop_.RunUntil([&] { return event.calls == 1; }));
  EXPECT_EQ(1, refused.calls);
}

// A loop without timers doesn't say what time it is.
TEST_F(Afd, PollWithoutMemoryIsTriedAgain) {
  Ev event(loop_, pair_[0], EV_READ);
  pair_.Send(1, "x");
  plan = {kNoMemory, 5, false};
  event.Add();
  EXPECT_EQ(0, event_base_loop(loop_, EVLOOP_ONCE));
  EXPECT_EQ(1, event.calls);
}

// Nor is it asked for without end.
TEST_F(Afd, RefusedPollIsAskedForAtAPace) {
  for (const NTSTATUS status : {kNoMemory, kNotSupported}) {
    Ev event(loop_, pair_[0], EV_READ | EV_PERSIST);
    const long long begin = WallUsec();
    plan = {status, 1000000, false};
    num_polls = 0;
    event.Add();
    Ev timer(loop_, -1, 0);
    timer.AddMs(100);
    EXPECT_TRUE(loop_.RunUntil([&] { return timer.calls == 1; }));
    EXPECT_LE(num_polls, 2 + (WallUsec() - begin) / 5000) << "each 10 ms";
    EXPECT_EQ(status == kNotSupported ? num_polls.load() : 0, event.calls);
  }
}

TEST_F(Afd, PollThatEndsWithoutMemoryIsAskedForAgain) {
  Ev event(loop_, pair_[0], EV_READ);
  plan = {kNoMemory, 2, true};
  event.Add();
  loop_.Settle();
  EXPECT_EQ(0, event.calls);
  pair_.Send(1, "x");
  EXPECT_TRUE(loop_.RunUntil([&] { return event.calls == 1; }));
}

TEST_F(Afd, PollThatEndsWithAnErrorIsTold) {
  Ev event(loop_, pair_[0], EV_READ | EV_WRITE);
  plan = {kNotSupported, 1, true};
  event.Add();
  EXPECT_TRUE(loop_.RunUntil([&] { return event.calls == 1; }));
  EXPECT_EQ(EV_READ | EV_WRITE, event.last_what);
}

// By the system, as with the thread that asked for it.
TEST_F(Afd, PollThatIsCancelledIsAskedForAgain) {
  Ev event(loop_, pair_[0], EV_READ);
  plan = {kCancelled, 2, true};
  event.Add();
  loop_.Settle();
  EXPECT_EQ(0, event.calls);
  pair_.Send(1, "x");
  EXPECT_TRUE(loop_.RunUntil([&] { return event.calls == 1; }));
}

// Another thread's change, when the loop waits already: it has to be woken for a poll that AFD does
// not take at once.
TEST(AfdThreads, ChangeThatCannotWakeTheLoopFails) {
  ASSERT_EQ(0, evthread_use_windows_threads());
  Loop loop(AfdBase());
  Pair pair, other;
  Ev event(loop, pair[0], EV_READ);
  Ev write(loop, pair[0], EV_WRITE);
  Ev of_other(loop, other[0], EV_WRITE);
  num_polls = 0;
  event.Add();
  std::thread changing([&] {
    while (num_polls == 0) std::this_thread::yield();
    // The loop polls with its lock, and gives that up to wait.
    fails_to_wake = true;
    for (Ev *failing : {&of_other, &write}) {
      plan = {kNoMemory, 1, false};
      EXPECT_EQ(-1, event_add(failing->get(), nullptr));
      EXPECT_FALSE(event_pending(failing->get(), EV_WRITE, nullptr));
    }
    fails_to_wake = false;
    pair.Send(1, "x");
  });
  EXPECT_EQ(0, event_base_loop(loop, EVLOOP_ONCE));
  changing.join();
  EXPECT_TRUE(loop.RunUntil([&] { return event.calls == 1; }));
  EXPECT_EQ(0, write.calls + of_other.calls);
  write.Add();
  of_other.Add();
  EXPECT_TRUE(loop.RunUntil([&] { return write.calls == 1 && of_other.calls == 1; }));
}

}  // namespace

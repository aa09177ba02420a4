// A base as an executor of other layers' callbacks: scheduling, cancelling, priorities, finalisers.
#include <event2/thread.h>

#include <atomic>
#include <string>
#include <thread>

extern "C" {
#include "loop/finalize.h"
#include "loop/io_source.h"
#include "util/executor.h"
}

#include "loop/test_support.h"

namespace {

struct event_executor *ExecutorOf(struct event_base *base) {
  return reinterpret_cast<struct event_executor *>(base);
}

// A callback that adds its letter to a text.
struct Letter {
  struct event_callback callback;
  std::string *out;
  char letter;

  Letter(char letter, int priority, std::string *out) : out(out), letter(letter) {
    event_callback_init(&callback, priority, Write, this);
  }
  static void Write(struct event_callback *, void *arg) {
    Letter *self = static_cast<Letter *>(arg);
    self->out->push_back(self->letter);
  }
};

class Executor : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }

  std::string text_;
  Letter a_{'a', 0, &text_}, b_{'b', 0, &text_}, c_{'c', 0, &text_};
};

TEST_F(Executor, RunsOnceInOrder) {
  Loop loop;
  EXPECT_EQ(1, event_executor_schedule(ExecutorOf(loop), &b_.callback));
  EXPECT_EQ(1, event_executor_schedule(ExecutorOf(loop), &a_.callback));
  EXPECT_EQ(0, event_executor_schedule(ExecutorOf(loop), &b_.callback)) << "it is queued";
  EXPECT_EQ("", text_);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("ba", text_);
  EXPECT_EQ(1, event_executor_schedule(ExecutorOf(loop), &b_.callback));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("bab", text_);
}

TEST_F(Executor, CancelledDoesNotRun) {
  Loop loop;
  event_executor_cancel(ExecutorOf(loop), &a_.callback);
  event_executor_schedule(ExecutorOf(loop), &a_.callback);
  event_executor_schedule(ExecutorOf(loop), &b_.callback);
  event_executor_cancel(ExecutorOf(loop), &a_.callback);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("b", text_);
}

TEST_F(Executor, PriorityOfWhatIsQueuedChanges) {
  Loop loop;
  ASSERT_EQ(0, event_base_priority_init(loop, 3));
  for (Letter *letter : {&a_, &b_, &c_})
    event_executor_schedule(ExecutorOf(loop), &letter->callback);
  event_base_set_callback_priority(loop, &a_.callback, 2);
  event_base_set_callback_priority(loop, &b_.callback, 1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("cba", text_);
  // Of one that waits in no queue: where it goes next.
  event_base_set_callback_priority(loop, &c_.callback, 2);
  event_executor_schedule(ExecutorOf(loop), &c_.callback);
  event_executor_schedule(ExecutorOf(loop), &b_.callback);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("cbabc", text_);
}

TEST_F(Executor, WakesALoopThatWaits) {
  Loop loop;
  std::atomic<bool> turns{false};
  Ev started(loop, -1, 0, [&](int, short) { turns = true; });
  started.AddMs(0);
  Ev stop(loop, -1, 0, [&](int, short) { event_base_loopbreak(loop); });
  stop.AddMs(60000);
  std::thread other([&] {
    while (!turns) std::this_thread::yield();
    struct Stop {
      struct event_callback callback;
      static void Run(struct event_callback *, void *arg) {
        event_base_loopbreak(static_cast<struct event_base *>(arg));
      }
    };
    static struct event_callback callback;
    event_callback_init(&callback, 0, Stop::Run, static_cast<struct event_base *>(loop));
    EXPECT_EQ(1, event_executor_schedule(ExecutorOf(loop), &callback));
  });
  EXPECT_EQ(0, loop.Dispatch());
  other.join();
  EXPECT_EQ(0, stop.calls);
}

// --- Finalisers ---

void Finalize(struct event_callback *, void *arg) {
  *static_cast<std::string *>(arg) += "F";
}

TEST_F(Executor, FinaliserRunsAtOnceWhereNothingElseCan) {
  Loop loop;
  event_executor_schedule(ExecutorOf(loop), &a_.callback);
  event_base_finalize_callback(loop, &a_.callback, Finalize, &text_);
  EXPECT_EQ("F", text_);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("F", text_) << "what was queued is gone";
}

// The loop of another thread is inside a callback while this thread ends the object's life.
class Busy {
 public:
  explicit Busy(struct event_base *base)
      : inside_(base, -1, 0,
                [this](int, short) {
                  is_inside_ = true;
                  while (!may_leave_) std::this_thread::yield();
                }),
        thread_([this, base] {
          inside_.Active(EV_READ);
          event_base_loop(base, 0);
        }) {
    while (!is_inside_) std::this_thread::yield();
  }
  ~Busy() {
    may_leave_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> is_inside_{false}, may_leave_{false};
  Ev inside_;
  std::thread thread_;
};

TEST_F(Executor, FinaliserWaitsForAnotherThreadsCallback) {
  Loop loop;
  {
    Busy busy(loop);
    event_executor_schedule(ExecutorOf(loop), &a_.callback);
    event_base_finalize_callback(loop, &a_.callback, Finalize, &text_);
    EXPECT_EQ(0, event_executor_schedule(ExecutorOf(loop), &a_.callback)) << "its life is over";
    EXPECT_EQ("", text_);
  }
  EXPECT_EQ("F", text_);
}

TEST_F(Executor, FinaliserRunsWhenTheBaseIsFreed) {
  {
    Loop loop;
    Busy busy(loop);
    event_base_loopbreak(loop);
    event_base_finalize_callback(loop, &a_.callback, Finalize, &text_);
    EXPECT_EQ("", text_);
  }
  EXPECT_EQ("F", text_);
}

}  // namespace

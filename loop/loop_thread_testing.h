// Threads for tests, of this layer and of those above it; public API alone, like loop_testing.h.
// The program has called evthread_use_pthreads().
#ifndef LOOP_LOOP_THREAD_TESTING_H_
#define LOOP_LOOP_THREAD_TESTING_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "loop/loop_testing.h"

// A gate that one thread opens, more than once if it likes, and others wait for; waiting gives up
// only when something is broken. Whoever has waited may destroy it.
class Gate {
 public:
  void Open() {
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  bool Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    return opened_.wait_for(lock, std::chrono::seconds(60), [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

// A base whose loop runs in a thread of its own until it is told to stop, or the object goes.
class LoopThread {
 public:
  LoopThread() : thread_([this] { result_ = event_base_loop(loop_, EVLOOP_NO_EXIT_ON_EMPTY); }) {
    Barrier();
  }
  ~LoopThread() { Stop(); }
  operator struct event_base *() const { return loop_; }

  // Returns what event_base_loop() has.
  int Stop() {
    if (thread_.joinable()) {
      event_base_loopexit(loop_, nullptr);
      thread_.join();
    }
    return result_;
  }
  // Where the loop ends by itself.
  void Join() { thread_.join(); }
  std::thread::id id() const { return thread_.get_id(); }

  // Returns when the loop has come around: whatever was queued before has run.
  void Barrier() {
    for (int i = 0; i < 2; i++) {
      Gate gate;
      const struct timeval now = {0, 0};
      event_base_once(
          loop_, -1, EV_TIMEOUT,
          [](evutil_socket_t, short, void *arg) { static_cast<Gate *>(arg)->Open(); }, &gate, &now);
      ASSERT_TRUE(gate.Wait());
    }
  }

 private:
  Loop loop_;
  int result_ = -2;
  std::thread thread_;
};

#endif  // LOOP_LOOP_THREAD_TESTING_H_

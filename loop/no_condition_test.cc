// A program that installs locks and no condition variables.
#include <event2/thread.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "loop/test_support.h"

namespace {

void SetLocks() {
  struct evthread_lock_callbacks hooks = {};
  hooks.lock_api_version = EVTHREAD_LOCK_API_VERSION;
  hooks.supported_locktypes = EVTHREAD_LOCKTYPE_RECURSIVE;
  hooks.alloc = [](unsigned) -> void * { return new std::recursive_mutex; };
  hooks.free = [](void *lock, unsigned) { delete static_cast<std::recursive_mutex *>(lock); };
  hooks.lock = [](unsigned mode, void *lock) {
    std::recursive_mutex *mutex = static_cast<std::recursive_mutex *>(lock);
    if (mode & EVTHREAD_TRY) return mutex->try_lock() ? 0 : 1;
    mutex->lock();
    return 0;
  };
  hooks.unlock = [](unsigned, void *lock) {
    static_cast<std::recursive_mutex *>(lock)->unlock();
    return 0;
  };
  ASSERT_EQ(0, evthread_set_lock_callbacks(&hooks));
  evthread_set_id_callback([] {
    return static_cast<unsigned long>(std::hash<std::thread::id>()(std::this_thread::get_id()));
  });
}

// event_del() from another thread promises that the callback is over. libevent, without a condition
// variable to wait for, returns while it runs; strata asks again and again.
TEST(NoCondition, DelWaitsForTheCallback) {
  SetLocks();
  Loop loop;
  std::atomic<bool> is_inside{false}, deletes{false}, is_over{false}, was_over{false};
  Ev ev(loop, -1, EV_PERSIST, [&](int, short) {
    is_inside = true;
    while (!deletes) std::this_thread::yield();
    // Long enough for event_del() to have come to where it waits, as a rule.
    SpinUntil(WallUsec() + 20000);
    is_over = true;
  });
  ev.AddMs(3600000);
  ev.Active(EV_READ);
  std::thread other([&] {
    while (!is_inside) std::this_thread::yield();
    deletes = true;
    ev.Del();
    was_over = is_over.load();
  });
  loop.Turn();
  other.join();
  EXPECT_EQ(0, ev.Pending(EV_TIMEOUT));
  if (!kOnLibevent) {
    EXPECT_TRUE(was_over);
  }
}

}  // namespace

// What the tests with threads share: the flavours of a bufferevent with a lock.
#ifndef NET_THREADS_TESTING_H_
#define NET_THREADS_TESTING_H_

#include <event2/thread.h>

#include <string>

#include "loop/loop_thread_testing.h"
#include "net/test_support.h"

struct ThreadKind {
  const char *name;
  int options;
};
const ThreadKind kThreadKinds[] = {
    {"Locked", BEV_OPT_THREADSAFE},
    {"Deferred", BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS},
    {"Unlocked", BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS},
};
inline void PrintTo(const ThreadKind &kind, std::ostream *out) {
  *out << kind.name;
}

inline std::string ThreadKindName(const ::testing::TestParamInfo<ThreadKind> &info) {
  return info.param.name;
}

// Run it with kThreadKinds.
class ThreadKinds : public ::testing::TestWithParam<ThreadKind> {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }
};

inline void EchoBack(struct bufferevent *bev, void *) {
  bufferevent_write_buffer(bev, bufferevent_get_input(bev));
}

#endif  // NET_THREADS_TESTING_H_

// Slots by descriptor: the array, or on Windows the hash table.
#include <errno.h>

#include <cstdint>
#include <vector>

extern "C" {
#include <event2/event_struct.h>

#include "loop/fd_slots.h"
}

#include "gtest/gtest.h"

namespace {

class FdSlots : public ::testing::Test {
 protected:
  ~FdSlots() override { event_fd_slots_clear(&slots_); }
  struct fd_slot *Find(evutil_socket_t fd) {
    return event_fd_slots_find(&slots_, fd);
  }
  struct fd_slot *Make(evutil_socket_t fd) {
    return event_fd_slots_find_or_make(&slots_, fd);
  }

  struct fd_slots slots_ = {};
};

TEST_F(FdSlots, NothingIsFoundInAnEmptyOne) {
  EXPECT_EQ(nullptr, Find(0));
  EXPECT_EQ(nullptr, Find(1000));
  EXPECT_EQ(nullptr, Find(-1));
}

TEST_F(FdSlots, NoDescriptorIsNegative) {
  errno = 0;
  EXPECT_EQ(nullptr, Make(-1));
  EXPECT_EQ(EBADF, errno);
}

TEST_F(FdSlots, NewOnesAreEmpty) {
  const struct fd_slot *slot = Make(40);
  ASSERT_NE(nullptr, slot);
  EXPECT_EQ(nullptr, slot->events);
  EXPECT_EQ(0u, slot->generation);
  EXPECT_EQ(slot, Find(40));
}

// Numbers as POSIX gives them, and handles: multiples of four, some of them large.
TEST_F(FdSlots, EachKeepsWhatItHas) {
  std::vector<evutil_socket_t> fds;
  for (int i = 0; i < 1000; i++) {
    fds.push_back(i);
    fds.push_back(4000 + 4 * i);
    fds.push_back(100000 + 1024 * i);
  }
  for (size_t i = 0; i < fds.size(); i++) {
    ASSERT_NE(nullptr, Make(fds[i]));
    Make(fds[i])->generation = static_cast<uint32_t>(i + 1);
  }
  for (size_t i = 0; i < fds.size(); i++) {
    ASSERT_NE(nullptr, Find(fds[i]));
    EXPECT_EQ(i + 1, Find(fds[i])->generation);
  }
}

TEST_F(FdSlots, ListsSurviveAMove) {
  struct event event = {};
  struct fd_slot *slot = Make(8);
  slot->events = &event;
  event.ev_.ev_io.ev_io_next.le_prev = &slot->events;
  for (int fd = 100; fd < 5000; fd += 4) ASSERT_NE(nullptr, Make(fd));
  EXPECT_EQ(&event, Find(8)->events);
  EXPECT_EQ(&Find(8)->events, event.ev_.ev_io.ev_io_next.le_prev);
}

TEST_F(FdSlots, AWalkMeetsEachOnce) {
  const evutil_socket_t kFds[] = {0, 3, 4, 64, 1028};
  for (evutil_socket_t fd : kFds) Make(fd)->generation = 7;
  int num_met = 0;
  for (int i = 0; i < slots_.num_places; i++) {
    const struct fd_slot *slot = event_fd_slots_at(&slots_, i);
    if (slot->generation != 7) continue;
    num_met++;
    EXPECT_EQ(slot, Find(event_fd_slots_fd_at(&slots_, i)));
  }
  EXPECT_EQ(5, num_met);
}

}  // namespace

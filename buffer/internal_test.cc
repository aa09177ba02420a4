// What the layers above use: embedding, parents, deferred callbacks, pools, pinning.
#include "buffer/evbuffer_internal.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <string>

#include "buffer/buffer_testing.h"
#include "util/executor.h"

namespace {

static_assert(sizeof(struct evbuffer) <= 136, "net/ embeds two in a bufferevent");

// An executor that runs what is queued when told to.
struct Queue {
  struct event_executor executor;
  std::deque<struct event_callback *> queued;

  Queue() {
    static const struct event_executor_ops ops = {Schedule, Cancel};
    executor.ops = &ops;
    executor.num_priorities = 4;
  }
  struct event_base *base() {
    return reinterpret_cast<struct event_base *>(&executor);
  }
  void Run() {
    while (!queued.empty()) {
      struct event_callback *callback = queued.front();
      queued.pop_front();
      EXPECT_EQ(2, callback->evcb_pri);
      callback->evcb_cb_union.evcb_selfcb(callback, callback->evcb_arg);
    }
  }
  static Queue *Of(struct event_executor *executor) { return reinterpret_cast<Queue *>(executor); }
  static int Schedule(struct event_executor *executor, struct event_callback *callback) {
    for (struct event_callback *other : Of(executor)->queued) {
      if (other == callback) return 0;
    }
    Of(executor)->queued.push_back(callback);
    return 1;
  }
  static void Cancel(struct event_executor *, struct event_callback *) {}
};

struct Calls {
  int num = 0;
  struct evbuffer_cb_info last = {};
};

void Note(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
  auto *calls = static_cast<Calls *>(arg);
  calls->num++;
  calls->last = *info;
}

TEST(Deferred, ReportsChangesInOneCall) {
  Queue queue;
  Calls calls;
  struct evbuffer *buf = evbuffer_new();
  ASSERT_EQ(0, evbuffer_defer_callbacks(buf, queue.base()));
  evbuffer_add_cb(buf, Note, &calls);
  evbuffer_add(buf, "abcdef", 6);
  evbuffer_drain(buf, 2);
  EXPECT_EQ(0, calls.num);
  queue.Run();
  EXPECT_EQ(1, calls.num);
  EXPECT_EQ(0u, calls.last.orig_size);
  EXPECT_EQ(6u, calls.last.n_added);
  EXPECT_EQ(2u, calls.last.n_deleted);
  evbuffer_add(buf, "x", 1);
  queue.Run();
  EXPECT_EQ(2, calls.num);
  EXPECT_EQ(4u, calls.last.orig_size);
  evbuffer_free(buf);
}

TEST(Deferred, InternalCallbacksRunAtOnce) {
  Queue queue;
  Calls user, internal;
  struct evbuffer *buf = evbuffer_new();
  evbuffer_defer_callbacks(buf, queue.base());
  evbuffer_cb_set_flags(buf, evbuffer_add_cb(buf, Note, &internal), EVBUFFER_CB_NODEFER);
  evbuffer_add(buf, "abc", 3);
  EXPECT_EQ(1, internal.num);
  EXPECT_TRUE(queue.queued.empty()) << "nobody waits for it";
  evbuffer_add_cb(buf, Note, &user);
  evbuffer_add(buf, "def", 3);
  EXPECT_EQ(2, internal.num);
  EXPECT_EQ(3u, internal.last.n_added);
  EXPECT_EQ(0, user.num);
  queue.Run();
  EXPECT_EQ(1, user.num);
  EXPECT_EQ(2, internal.num);
  evbuffer_free(buf);
}

TEST(Deferred, DoesNotRunAfterFree) {
  Queue queue;
  Calls calls;
  struct evbuffer *buf = evbuffer_new();
  evbuffer_defer_callbacks(buf, queue.base());
  evbuffer_add_cb(buf, Note, &calls);
  evbuffer_add(buf, "abc", 3);
  evbuffer_free(buf);
  queue.Run();
  EXPECT_EQ(0, calls.num);
}

TEST(Deferred, CallbackMayFreeTheBuffer) {
  Queue queue;
  struct evbuffer *buf = evbuffer_new();
  evbuffer_defer_callbacks(buf, queue.base());
  evbuffer_add_cb(
      buf, [](struct evbuffer *b, const struct evbuffer_cb_info *, void *) { evbuffer_free(b); },
      nullptr);
  evbuffer_add(buf, "abc", 3);
  queue.Run();
}

TEST(Deferred, MayMoveToAnotherBase) {
  Queue first, second;
  Calls calls;
  struct evbuffer *buf = evbuffer_new();
  ASSERT_EQ(0, evbuffer_defer_callbacks(buf, first.base()));
  evbuffer_add_cb(buf, Note, &calls);
  evbuffer_add(buf, "abc", 3);
  ASSERT_EQ(0, evbuffer_defer_callbacks(buf, second.base()));
  EXPECT_EQ(1u, first.queued.size()) << "what is queued stays";
  first.Run();
  EXPECT_EQ(1, calls.num);
  evbuffer_add(buf, "def", 3);
  EXPECT_TRUE(first.queued.empty());
  second.Run();
  EXPECT_EQ(2, calls.num);
  evbuffer_free(buf);
}

TEST(Flags, AreSetAndCleared) {
  struct evbuffer *buf = evbuffer_new();
  const uint32_t before = buf->flags;
  EXPECT_EQ(0, evbuffer_set_flags(buf, EVBUFFER_FLAG_DRAINS_TO_FD));
  EXPECT_EQ(before | EVBUFFER_FLAG_DRAINS_TO_FD, buf->flags);
  EXPECT_EQ(0, evbuffer_clear_flags(buf, EVBUFFER_FLAG_DRAINS_TO_FD));
  EXPECT_EQ(before, buf->flags);
  evbuffer_free(buf);
}

// ---- Lengths that no memory has ----

TEST(Overflow, IsRefused) {
  struct evbuffer *buf = evbuffer_new();
  const size_t huge = static_cast<size_t>(EV_SSIZE_MAX);
  EXPECT_EQ(-1, evbuffer_expand(buf, huge - 100));
  char byte = 'x';
  struct evbuffer_iovec vec[2] = {{&byte, 1}, {&byte, huge}};
  EXPECT_EQ(0u, evbuffer_add_iovec(buf, vec, 2));
  vec[1].iov_len = SIZE_MAX;
  EXPECT_EQ(0u, evbuffer_add_iovec(buf, vec, 2));
  EXPECT_EQ(0u, evbuffer_get_length(buf));
  vec[1].iov_len = 1;
  EXPECT_EQ(2u, evbuffer_add_iovec(buf, vec, 2));
  evbuffer_free(buf);
}

// Something that embeds a buffer and counts its references.
struct Parent {
  struct evbuffer_parent base;
  struct evbuffer buf;
  int num_refs = 1;
  int num_added = 0;
  bool is_gone = false;

  Parent() {
    static const struct evbuffer_parent_ops ops = {Hold, Release, Added};
    base.ops = &ops;
    evbuffer_init_embedded(&buf, &base);
  }
  static Parent *Of(struct evbuffer_parent *base) { return reinterpret_cast<Parent *>(base); }
  static void Hold(struct evbuffer_parent *base) { Of(base)->num_refs++; }
  static void Release(struct evbuffer_parent *base) {
    if (--Of(base)->num_refs > 0) return;
    evbuffer_cleanup_embedded(&Of(base)->buf);
    Of(base)->is_gone = true;
  }
  static void Added(struct evbuffer_parent *base, struct evbuffer *buf) {
    EXPECT_EQ(&Of(base)->buf, buf);
    Of(base)->num_added++;
  }
};

TEST(Embedded, TellsItsParentOfNewBytes) {
  Queue queue;
  Calls calls;
  Parent parent;
  evbuffer_add(&parent.buf, "a", 1);
  EXPECT_EQ(0, parent.num_added);
  evbuffer_tell_parent(&parent.buf);
  evbuffer_add(&parent.buf, "b", 1);
  EXPECT_EQ(1, parent.num_added);
  evbuffer_drain(&parent.buf, 1);
  EXPECT_EQ(1, parent.num_added);
  evbuffer_add_cb(&parent.buf, Note, &calls);
  struct evbuffer *other = evbuffer_new();
  evbuffer_add(other, "cd", 2);
  evbuffer_add_buffer(&parent.buf, other);
  EXPECT_EQ(2, parent.num_added);
  evbuffer_defer_callbacks(&parent.buf, queue.base());
  evbuffer_prepend(&parent.buf, "e", 1);
  EXPECT_EQ(3, parent.num_added);
  EXPECT_EQ(1, calls.num);
  queue.Run();
  EXPECT_EQ(3, parent.num_added);
  EXPECT_EQ(2, calls.num);
  evbuffer_free(other);
  evbuffer_cleanup_embedded(&parent.buf);
}

TEST(Embedded, DeferredCallbackHoldsTheParent) {
  Queue queue;
  Calls calls;
  Parent parent;
  evbuffer_defer_callbacks(&parent.buf, queue.base());
  evbuffer_add_cb(&parent.buf, Note, &calls);
  evbuffer_add(&parent.buf, "abc", 3);
  EXPECT_EQ(2, parent.num_refs);
  evbuffer_add(&parent.buf, "def", 3);
  EXPECT_EQ(2, parent.num_refs);
  Parent::Release(&parent.base);
  EXPECT_FALSE(parent.is_gone);
  queue.Run();
  EXPECT_EQ(1, calls.num);
  EXPECT_TRUE(parent.is_gone);
}

TEST(Embedded, CallbackMayFreeTheParent) {
  Parent parent;
  evbuffer_add_cb(
      &parent.buf,
      [](struct evbuffer *, const struct evbuffer_cb_info *, void *arg) {
        Parent::Release(static_cast<struct evbuffer_parent *>(arg));
      },
      &parent.base);
  evbuffer_add(&parent.buf, "abc", 3);
  EXPECT_TRUE(parent.is_gone);
}

TEST(Embedded, CleanupMayFreeTheParent) {
  Parent parent;
  evbuffer_add_reference(
      &parent.buf, "abc", 3,
      [](const void *, size_t, void *arg) {
        Parent::Release(static_cast<struct evbuffer_parent *>(arg));
      },
      &parent.base);
  evbuffer_drain(&parent.buf, 3);
  EXPECT_TRUE(parent.is_gone);
}

TEST(Embedded, InternalCallbackCostsNoReference) {
  Parent parent;
  Calls calls;
  evbuffer_cb_set_flags(&parent.buf, evbuffer_add_cb(&parent.buf, Note, &calls),
                        EVBUFFER_CB_NODEFER);
  parent.num_refs = 0;  // A hold and a release would free it.
  evbuffer_add(&parent.buf, "abc", 3);
  EXPECT_FALSE(parent.is_gone);
  EXPECT_EQ(1, calls.num);
  evbuffer_cleanup_embedded(&parent.buf);
}

// ---- Pool ----

TEST(Pool, KeepsBlocksUpToABound) {
  struct evbuffer_chain_pool *pool = evbuffer_chain_pool_new();
  struct evbuffer *buf = evbuffer_new();
  evbuffer_set_pool(buf, pool);
  std::string bytes(4 << 20, 'x');
  for (size_t i = 0; i < bytes.size(); i += 10000) {
    evbuffer_add(buf, &bytes[i], std::min<size_t>(10000, bytes.size() - i));
  }
  evbuffer_drain(buf, bytes.size());
  size_t kept_len = evbuffer_chain_pool_kept_len(pool);
  EXPECT_LE(kept_len, 1u << 20);
  if (EVBUFFER_KEEPS_STORAGE) {
    EXPECT_GT(kept_len, 0u);
  }
  evbuffer_chain_pool_unref(pool);
  evbuffer_add(buf, "abc", 3);
  EXPECT_EQ("abc", Content(buf));
  evbuffer_free(buf);
}

TEST(Pool, TrimFreesAll) {
  struct evbuffer_chain_pool *pool = evbuffer_chain_pool_new();
  struct evbuffer *buf = evbuffer_new();
  evbuffer_set_pool(buf, pool);
  evbuffer_add(buf, "abc", 3);
  evbuffer_free(buf);
  evbuffer_chain_pool_trim(pool);
  EXPECT_EQ(0u, evbuffer_chain_pool_kept_len(pool));
  evbuffer_chain_pool_unref(pool);
}

TEST(Pool, BlocksMayChangePools) {
  struct evbuffer_chain_pool *pools[2] = {evbuffer_chain_pool_new(), evbuffer_chain_pool_new()};
  struct evbuffer *bufs[3] = {evbuffer_new(), evbuffer_new(), evbuffer_new()};
  evbuffer_set_pool(bufs[0], pools[0]);
  evbuffer_set_pool(bufs[1], pools[1]);
  std::string bytes(40000, 'x');
  for (int round = 0; round < 3; round++) {
    for (struct evbuffer *from : bufs) {
      for (struct evbuffer *to : bufs) {
        evbuffer_add(from, bytes.data(), 700);
        evbuffer_add(from, bytes.data(), bytes.size());
        evbuffer_add_reference(from, bytes.data(), 100, nullptr, nullptr);
        evbuffer_add_buffer(to, from);
        evbuffer_drain(to, SIZE_MAX);
      }
    }
  }
  for (struct evbuffer *buf : bufs) evbuffer_free(buf);
  for (struct evbuffer_chain_pool *pool : pools) evbuffer_chain_pool_unref(pool);
}

// ---- Receiving and sending ----

class Recv : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds_));
    evutil_make_socket_nonblocking(fds_[0]);
    pool_ = evbuffer_chain_pool_new();
    buf_ = evbuffer_new();
    evbuffer_set_pool(buf_, pool_);
  }
  void TearDown() override {
    evbuffer_free(buf_);
    evbuffer_chain_pool_unref(pool_);
    close(fds_[0]);
    close(fds_[1]);
  }
  void Write(size_t len) {
    std::string bytes(len, 'x');
    ASSERT_EQ(static_cast<ssize_t>(len), write(fds_[1], bytes.data(), len));
  }
  int fds_[2];
  struct evbuffer_chain_pool *pool_ = nullptr;
  struct evbuffer *buf_ = nullptr;
};

TEST_F(Recv, SmallReadKeepsASmallBlock) {
  int filled = 1;
  Write(100);
  EXPECT_EQ(100, evbuffer_recv(buf_, fds_[0], 65536, &filled));
  EXPECT_EQ(0, filled);
  EXPECT_LE(buf_->first->capacity, 4096u);
  EXPECT_EQ(nullptr, buf_->first->next) << "unused blocks have gone back";
  EXPECT_EQ(-1, evbuffer_recv(buf_, fds_[0], 65536, &filled));
  EXPECT_EQ(EAGAIN, LastError());
  EXPECT_EQ(nullptr, buf_->first->next);
  evbuffer_drain(buf_, 100);
  EXPECT_EQ(-1, evbuffer_recv(buf_, fds_[0], 65536, &filled));
  EXPECT_EQ(nullptr, buf_->first) << "an idle connection holds nothing";
}

TEST_F(Recv, TellsWhenItReadAllItAskedFor) {
  int filled = 0;
  Write(60000);
  EXPECT_EQ(50000, evbuffer_recv(buf_, fds_[0], 50000, &filled));
  EXPECT_EQ(1, filled);
  EXPECT_EQ(10000, evbuffer_recv(buf_, fds_[0], 50000, &filled));
  EXPECT_EQ(0, filled);
  EXPECT_EQ(std::string(60000, 'x'), Content(buf_));
}

TEST_F(Recv, FillsRoomThatIsThere) {
  evbuffer_add(buf_, "abc", 3);
  struct evbuffer_chain *chain = buf_->first;
  Write(300);
  EXPECT_EQ(300, evbuffer_recv(buf_, fds_[0], 16384, nullptr));
  EXPECT_EQ(chain, buf_->last_data);
  EXPECT_EQ("abc" + std::string(300, 'x'), Content(buf_));
}

TEST_F(Recv, IgnoresFreezing) {
  evbuffer_freeze(buf_, 0);
  evbuffer_freeze(buf_, 1);
  Write(300);
  EXPECT_EQ(300, evbuffer_recv(buf_, fds_[0], 16384, nullptr));
  EXPECT_EQ(200, evbuffer_send(buf_, fds_[0], 200));
  EXPECT_EQ(100u, evbuffer_get_length(buf_));
  evbuffer_unfreeze(buf_, 1);
  evbuffer_drain(buf_, 100);
  EXPECT_EQ(0, evbuffer_send(buf_, fds_[0], 200));
}

// ---- Pinning ----

TEST(Add, BytesAreWrittenIntoTheBuffer) {
  struct evbuffer *buf = evbuffer_new();
  struct evbuffer_chain *chain = evbuffer_begin_add(buf, 4);
  memcpy(strata_chain_end(chain), "abcd", 4);
  evbuffer_end_add(buf, chain, 3);
  EXPECT_EQ("abc", Content(buf));
  EXPECT_EQ(3u, evbuffer_first_bytes(buf).iov_len);
  evbuffer_freeze(buf, 0);
  EXPECT_EQ(nullptr, evbuffer_begin_add(buf, 1));
  evbuffer_free(buf);
}

TEST(Pin, ReceivesWhileTheContentIsTakenAway) {
  struct evbuffer *buf = evbuffer_new();
  struct evbuffer *other = evbuffer_new();
  evbuffer_add(buf, "abc", 3);
  struct evbuffer_iovec vec;
  ASSERT_EQ(1, evbuffer_reserve_space(buf, 100, &vec, 1));
  struct evbuffer_chain *chain = buf->first;
  strata_chain_pin(chain, CHAIN_PINNED_WRITE);
  evbuffer_add_buffer(other, buf);
  EXPECT_EQ("abc", Content(other));
  memcpy(vec.iov_base, "def", 3);
  vec.iov_len = 3;
  EXPECT_EQ(0, evbuffer_commit_space(buf, &vec, 1));
  EXPECT_EQ("def", Content(buf));
  // Once more, with the bytes drained.
  ASSERT_EQ(1, evbuffer_reserve_space(buf, 100, &vec, 1));
  evbuffer_drain(buf, 3);
  memcpy(vec.iov_base, "ghi", 3);
  vec.iov_len = 3;
  EXPECT_EQ(0, evbuffer_commit_space(buf, &vec, 1));
  EXPECT_EQ("ghi", Content(buf));
  strata_chain_unpin(chain, CHAIN_PINNED_WRITE);
  evbuffer_free(buf);
  evbuffer_free(other);
}

// Two blocks were offered to the kernel; then the first one's content was taken away, and what
// arrived went to the second one alone.
TEST(Pin, SecondOfTwoBlocksIsFilled) {
  struct evbuffer *buf = evbuffer_new();
  evbuffer_add(buf, "abc", 3);
  struct evbuffer_iovec vec[2];
  const ev_ssize_t len = static_cast<ev_ssize_t>(strata_chain_room(buf->first)) + 1;
  ASSERT_EQ(2, evbuffer_reserve_space(buf, len, vec, 2));
  struct evbuffer_chain *chain = buf->first, *second = chain->next;
  strata_chain_pin(chain, CHAIN_PINNED_WRITE);
  strata_chain_pin(second, CHAIN_PINNED_WRITE);
  evbuffer_drain(buf, 3);
  vec[0].iov_len = 0;
  memcpy(vec[1].iov_base, "def", 3);
  vec[1].iov_len = 3;
  EXPECT_EQ(0, evbuffer_commit_space(buf, vec, 2));
  EXPECT_EQ("def", Content(buf));
  evbuffer_add(buf, "ghi", 3);
  EXPECT_EQ("defghi", Content(buf));
  strata_chain_unpin(chain, CHAIN_PINNED_WRITE);
  strata_chain_unpin(second, CHAIN_PINNED_WRITE);
  evbuffer_free(buf);
}

// A block that the kernel writes into is kept when unused blocks are given back.
TEST(Pin, UnusedBlockStays) {
  struct evbuffer *buf = evbuffer_new();
  struct evbuffer_iovec vec;
  ASSERT_EQ(1, evbuffer_reserve_space(buf, 100, &vec, 1));
  struct evbuffer_chain *chain = buf->first;
  strata_chain_pin(chain, CHAIN_PINNED_WRITE);
  const std::string bytes(100000, 'x');
  EXPECT_EQ(0, evbuffer_add(buf, bytes.data(), bytes.size()));
  EXPECT_TRUE(bytes == Content(buf));
  memset(chain->base, 'k', 100);  // The kernel's write.
  EXPECT_TRUE(bytes == Content(buf));
  strata_chain_unpin(chain, CHAIN_PINNED_WRITE);
  evbuffer_free(buf);
}

TEST(Pin, SendsWhileTheBufferChanges) {
  struct evbuffer *buf = evbuffer_new();
  evbuffer_add(buf, "0123456789", 10);
  struct evbuffer_chain *chain = buf->first;
  const unsigned char *bytes = strata_chain_begin(chain);
  strata_chain_pin(chain, CHAIN_PINNED_READ);
  evbuffer_drain(buf, 5);
  evbuffer_prepend(buf, "abc", 3);
  evbuffer_add(buf, "xyz", 3);
  evbuffer_pullup(buf, -1);
  EXPECT_EQ("abc56789xyz", Content(buf));
  EXPECT_EQ(0, memcmp(bytes, "0123456789", 10));
  evbuffer_free(buf);
  EXPECT_EQ(0, memcmp(bytes, "0123456789", 10)) << "alive until unpinned";
  strata_chain_unpin(chain, CHAIN_PINNED_READ);
}

}  // namespace

// Callbacks of buffers through the public API. Runs on strata and on the installed libevent.
#include <vector>

#include "buffer/buffer_testing.h"

namespace {

struct Log {
  std::vector<struct evbuffer_cb_info> calls;
  struct evbuffer_cb_entry *self = nullptr;
  struct evbuffer_cb_entry *other = nullptr;
};

void Note(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
  static_cast<Log *>(arg)->calls.push_back(*info);
}

class Callbacks : public ::testing::Test {
 protected:
  void SetUp() override {
    buf_ = evbuffer_new();
    entry_ = evbuffer_add_cb(buf_, Note, &log_);
  }
  void TearDown() override {
    if (buf_) evbuffer_free(buf_);
  }
  void ExpectCall(size_t orig_size, size_t n_added, size_t n_deleted) {
    ASSERT_EQ(1u, log_.calls.size());
    EXPECT_EQ(orig_size, log_.calls[0].orig_size);
    EXPECT_EQ(n_added, log_.calls[0].n_added);
    EXPECT_EQ(n_deleted, log_.calls[0].n_deleted);
    log_.calls.clear();
  }
  struct evbuffer *buf_ = nullptr;
  struct evbuffer_cb_entry *entry_ = nullptr;
  Log log_;
};

TEST_F(Callbacks, TellWhatChanged) {
  evbuffer_add(buf_, "abc", 3);
  ExpectCall(0, 3, 0);
  evbuffer_add_printf(buf_, "defg");
  ExpectCall(3, 4, 0);
  evbuffer_prepend(buf_, "12", 2);
  ExpectCall(7, 2, 0);
  evbuffer_drain(buf_, 1);
  ExpectCall(9, 0, 1);
  char bytes[3];
  evbuffer_remove(buf_, bytes, 3);
  ExpectCall(8, 0, 3);
  evbuffer_add_reference(buf_, "xyz", 3, nullptr, nullptr);
  ExpectCall(5, 3, 0);
  evbuffer_add(buf_, "\n", 1);
  ExpectCall(8, 1, 0);
  free(evbuffer_readln(buf_, nullptr, EVBUFFER_EOL_LF));
  size_t n_deleted = 0;  // libevent reports the line and its ending one by one
  for (const auto &call : log_.calls) n_deleted += call.n_deleted;
  EXPECT_EQ(9u, n_deleted);
}

TEST_F(Callbacks, AreSilentWithoutChange) {
  evbuffer_add(buf_, "abc", 3);
  log_.calls.clear();
  evbuffer_pullup(buf_, -1);
  evbuffer_expand(buf_, 10000);
  evbuffer_drain(buf_, 0);
  evbuffer_freeze(buf_, 1);
  evbuffer_drain(buf_, 1);
  evbuffer_unfreeze(buf_, 1);
  struct evbuffer_iovec vec;
  evbuffer_reserve_space(buf_, 10, &vec, 1);
  char bytes[3];
  evbuffer_copyout(buf_, bytes, 3);
  EXPECT_TRUE(log_.calls.empty());
}

TEST_F(Callbacks, TellOfMoves) {
  struct evbuffer *other = evbuffer_new();
  Log other_log;
  evbuffer_add_cb(other, Note, &other_log);
  evbuffer_add(other, "abcdef", 6);
  other_log.calls.clear();
  evbuffer_remove_buffer(other, buf_, 2);
  ExpectCall(0, 2, 0);
  evbuffer_add_buffer(buf_, other);
  ExpectCall(2, 4, 0);
  ASSERT_EQ(2u, other_log.calls.size());
  EXPECT_EQ(2u, other_log.calls[0].n_deleted);
  EXPECT_EQ(4u, other_log.calls[1].n_deleted);
  EXPECT_EQ(4u, other_log.calls[1].orig_size);
  evbuffer_prepend_buffer(other, buf_);
  ExpectCall(6, 0, 6);
  evbuffer_add_buffer_reference(buf_, other);
  ExpectCall(0, 6, 0);
  evbuffer_free(other);
}

TEST_F(Callbacks, TellOfCommits) {
  struct evbuffer_iovec vec;
  ASSERT_EQ(1, evbuffer_reserve_space(buf_, 10, &vec, 1));
  vec.iov_len = 7;
  memset(vec.iov_base, 'x', 7);
  evbuffer_commit_space(buf_, &vec, 1);
  ExpectCall(0, 7, 0);
}

TEST_F(Callbacks, CanBeDisabled) {
  evbuffer_cb_clear_flags(buf_, entry_, EVBUFFER_CB_ENABLED);
  evbuffer_add(buf_, "abc", 3);
  EXPECT_TRUE(log_.calls.empty());
  evbuffer_cb_set_flags(buf_, entry_, EVBUFFER_CB_ENABLED);
  evbuffer_add(buf_, "d", 1);
  ExpectCall(3, 1, 0);
}

TEST_F(Callbacks, CanBeRemoved) {
  EXPECT_EQ(-1, evbuffer_remove_cb(buf_, Note, nullptr));
  EXPECT_EQ(0, evbuffer_remove_cb(buf_, Note, &log_));
  EXPECT_EQ(-1, evbuffer_remove_cb(buf_, Note, &log_));
  evbuffer_add(buf_, "abc", 3);
  EXPECT_TRUE(log_.calls.empty());
  entry_ = evbuffer_add_cb(buf_, Note, &log_);
  EXPECT_EQ(0, evbuffer_remove_cb_entry(buf_, entry_));
  evbuffer_add(buf_, "abc", 3);
  EXPECT_TRUE(log_.calls.empty());
}

TEST_F(Callbacks, AllAreCalled) {
  Log second;
  evbuffer_add_cb(buf_, Note, &second);
  evbuffer_add(buf_, "abc", 3);
  ExpectCall(0, 3, 0);
  EXPECT_EQ(1u, second.calls.size());
}

void RemoveSelf(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg) {
  Note(buf, info, arg);
  evbuffer_remove_cb_entry(buf, static_cast<Log *>(arg)->self);
}

TEST_F(Callbacks, MayRemoveThemselves) {
  Log own;
  own.self = evbuffer_add_cb(buf_, RemoveSelf, &own);
  evbuffer_add(buf_, "abc", 3);
  evbuffer_add(buf_, "def", 3);
  EXPECT_EQ(1u, own.calls.size());
  EXPECT_EQ(2u, log_.calls.size());
}

void AddOnce(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg) {
  Note(buf, info, arg);
  if (evbuffer_get_length(buf) < 10) evbuffer_add(buf, "x", 1);
}

TEST_F(Callbacks, MayChangeTheBuffer) {
  Log own;
  evbuffer_remove_cb(buf_, Note, &log_);
  evbuffer_add_cb(buf_, AddOnce, &own);
  evbuffer_add(buf_, "abc", 3);
  EXPECT_EQ(10u, evbuffer_get_length(buf_));
  EXPECT_EQ(8u, own.calls.size());
  EXPECT_EQ(9u, own.calls[7].orig_size);
}

struct OldCall {
  size_t old_len, new_len;
};

void NoteOld(struct evbuffer *, size_t old_len, size_t new_len, void *arg) {
  static_cast<std::vector<OldCall> *>(arg)->push_back({old_len, new_len});
}

TEST_F(Callbacks, OldStyleReplacesAll) {
  std::vector<OldCall> calls;
  evbuffer_setcb(buf_, NoteOld, &calls);
  evbuffer_add(buf_, "abc", 3);
  evbuffer_drain(buf_, 2);
  ASSERT_EQ(2u, calls.size());
  EXPECT_EQ(0u, calls[0].old_len);
  EXPECT_EQ(3u, calls[0].new_len);
  EXPECT_EQ(1u, calls[1].new_len);
  EXPECT_TRUE(log_.calls.empty());
  evbuffer_setcb(buf_, nullptr, nullptr);
  evbuffer_add(buf_, "abc", 3);
  EXPECT_EQ(2u, calls.size());
}

// Beyond what libevent allows: its header forbids removing other callbacks from a callback, and
// freeing the buffer in one is a use after free.
#if !STRATA_ORACLE

void RemoveOther(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg) {
  auto *log = static_cast<Log *>(arg);
  Note(buf, info, arg);
  if (log->other) evbuffer_remove_cb_entry(buf, log->other);
  log->other = nullptr;
}

TEST_F(Callbacks, MayRemoveOthers) {
  Log own;
  own.other = entry_;
  evbuffer_add_cb(buf_, RemoveOther, &own);  // The newest runs first.
  evbuffer_add(buf_, "abc", 3);
  EXPECT_EQ(1u, own.calls.size());
  EXPECT_TRUE(log_.calls.empty());
}

void FreeBuffer(struct evbuffer *buf, const struct evbuffer_cb_info *, void *) {
  evbuffer_free(buf);
}

TEST_F(Callbacks, MayFreeTheBuffer) {
  evbuffer_add_cb(buf_, FreeBuffer, nullptr);
  evbuffer_add(buf_, "abc", 3);
  buf_ = nullptr;
  EXPECT_TRUE(log_.calls.empty()) << "none runs after evbuffer_free()";
}

void FreeArgument(struct evbuffer *, const struct evbuffer_cb_info *, void *arg) {
  evbuffer_free(static_cast<struct evbuffer *>(arg));
}

TEST_F(Callbacks, MayFreeTheOtherSideOfAMove) {
  struct evbuffer *from = evbuffer_new();
  evbuffer_add(from, "abc", 3);
  evbuffer_add_cb(from, FreeArgument, buf_);
  evbuffer_add_buffer(buf_, from);
  buf_ = nullptr;
  evbuffer_free(from);
  EXPECT_TRUE(log_.calls.empty());
}

TEST_F(Callbacks, MayFreeTheSourceOfAMove) {
  struct evbuffer *from = evbuffer_new();
  evbuffer_add(from, "abc", 3);
  evbuffer_add_cb(buf_, FreeArgument, from);
  evbuffer_add_buffer(buf_, from);
  EXPECT_EQ(3u, evbuffer_get_length(buf_));
}

void FreeInCleanup(const void *, size_t, void *arg) {
  evbuffer_free(static_cast<struct evbuffer *>(arg));
}

TEST_F(Callbacks, CleanupMayFreeTheBuffer) {
  evbuffer_add_reference(buf_, "ab", 2, FreeInCleanup, buf_);
  evbuffer_add(buf_, "cd", 2);
  evbuffer_drain(buf_, 3);
  buf_ = nullptr;
}

#endif

}  // namespace

// Random operations on several buffers, each checked against a byte string that does the same.
// Runs on strata and on the installed libevent.
#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

namespace {

// libevent loses bytes and clean-ups when buffers that refer to each other are changed further.
bool KnowsBufferReferences() {
  return !STRATA_ORACLE;
}

constexpr size_t kNumBuffers = 3;
constexpr size_t kMaxLen = 60000;

// Counted by callbacks, to be equal to the length.
struct Side {
  struct evbuffer *buf = nullptr;
  std::string model;
  size_t reported_len = 0;
};

void Report(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg) {
  auto *side = static_cast<Side *>(arg);
  EXPECT_EQ(side->reported_len, info->orig_size);
  side->reported_len = info->orig_size + info->n_added - info->n_deleted;
  EXPECT_EQ(side->reported_len, evbuffer_get_length(buf));
}

void FreeMemory(const void *data, size_t, void *arg) {
  --*static_cast<int *>(arg);
  free(const_cast<void *>(data));
}

class Model : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    random_.seed(static_cast<unsigned>(GetParam()) * 7919u + 1);
    for (Side &side : sides_) {
      side.buf = evbuffer_new();
      if (GetParam() % 2) evbuffer_add_cb(side.buf, Report, &side);
    }
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds_));
    evutil_make_socket_nonblocking(fds_[0]);
    evutil_make_socket_nonblocking(fds_[1]);
  }
  void TearDown() override {
    for (Side &side : sides_) evbuffer_free(side.buf);
    EXPECT_EQ(0, num_references_);
    close(fds_[0]);
    close(fds_[1]);
  }

  size_t Random(size_t limit) { return limit ? random_() % limit : 0; }
  // Small ones mostly, large ones sometimes.
  size_t RandomLen() {
    switch (Random(8)) {
      case 0:
        return Random(20000);
      case 1:
      case 2:
        return Random(2000);
      default:
        return Random(100);
    }
  }
  std::string RandomBytes(size_t len) {
    std::string bytes(len, '\0');
    for (char &c : bytes) c = "abcd\r\n\0e"[Random(8)];
    return bytes;
  }
  // A position and the pointer to it.
  size_t RandomPointer(Side &side, struct evbuffer_ptr *out_at) {
    size_t pos = Random(side.model.size() + 1);
    size_t first = Random(pos + 1);
    EXPECT_EQ(0, evbuffer_ptr_set(side.buf, out_at, first, EVBUFFER_PTR_SET));
    EXPECT_EQ(0, evbuffer_ptr_set(side.buf, out_at, pos - first, EVBUFFER_PTR_ADD));
    EXPECT_EQ(static_cast<ev_ssize_t>(pos), out_at->pos);
    return pos;
  }

  void Step();
  void Add(Side &side);
  void Take(Side &side);
  void Look(Side &side);
  void Transfer(Side &from, Side &to);
  void Io(Side &side);
  void Search(Side &side);
  void SearchEol(Side &side);
  void Readln(Side &side);
  void Reserve(Side &side);
  void Check(Side &side);

  std::mt19937 random_;
  Side sides_[kNumBuffers];
  int num_references_ = 0;
  int fds_[2];
};

void Model::Check(Side &side) {
  ASSERT_EQ(side.model.size(), evbuffer_get_length(side.buf));
  std::string got(side.model.size(), '\0');
  ASSERT_EQ(static_cast<ev_ssize_t>(got.size()), evbuffer_copyout(side.buf, &got[0], got.size()));
  ASSERT_TRUE(side.model == got);
}

void Model::Add(Side &side) {
  std::string bytes = RandomBytes(RandomLen());
  switch (Random(7)) {
    case 0:
      EXPECT_EQ(0, evbuffer_prepend(side.buf, bytes.data(), bytes.size()));
      side.model.insert(0, bytes);
      return;
    case 1: {
      if (bytes.empty()) return;
      void *memory = malloc(bytes.size());
      memcpy(memory, bytes.data(), bytes.size());
      num_references_++;
      EXPECT_EQ(
          0, evbuffer_add_reference(side.buf, memory, bytes.size(), FreeMemory, &num_references_));
      break;
    }
    case 2: {
      for (char &c : bytes) c = c ? c : 'z';
      EXPECT_EQ(static_cast<int>(bytes.size()), evbuffer_add_printf(side.buf, "%s", bytes.c_str()));
      break;
    }
    case 3: {
      size_t half = bytes.size() / 2;
      struct evbuffer_iovec vec[2] = {{&bytes[0], half}, {&bytes[half], bytes.size() - half}};
      EXPECT_EQ(bytes.size(), evbuffer_add_iovec(side.buf, vec, 2));
      break;
    }
    case 4:
      EXPECT_EQ(0, evbuffer_expand(side.buf, RandomLen()));
      EXPECT_EQ(0, evbuffer_add(side.buf, bytes.data(), bytes.size()));
      break;
    default:
      EXPECT_EQ(0, evbuffer_add(side.buf, bytes.data(), bytes.size()));
  }
  side.model += bytes;
}

void Model::Take(Side &side) {
  size_t len = Random(4) ? RandomLen() : side.model.size();
  size_t have = std::min(len, side.model.size());
  if (Random(2)) {
    EXPECT_EQ(0, evbuffer_drain(side.buf, len));
  } else {
    std::string bytes(len, '\0');
    EXPECT_EQ(static_cast<int>(have), evbuffer_remove(side.buf, &bytes[0], len));
    EXPECT_TRUE(side.model.substr(0, have) == bytes.substr(0, have));
  }
  side.model.erase(0, have);
}

void Model::Look(Side &side) {
  struct evbuffer_ptr at;
  size_t pos = RandomPointer(side, &at);
  std::string rest = side.model.substr(pos, RandomLen());
  if (Random(2)) {
    std::string got(rest.size(), '\0');
    EXPECT_EQ(static_cast<ev_ssize_t>(rest.size()),
              evbuffer_copyout_from(side.buf, &at, &got[0], got.size()));
    EXPECT_TRUE(rest == got);
    return;
  }
  int num = evbuffer_peek(side.buf, static_cast<ev_ssize_t>(rest.size()), &at, nullptr, 0);
  std::vector<struct evbuffer_iovec> vec(static_cast<size_t>(num) + 1);
  EXPECT_EQ(num,
            evbuffer_peek(side.buf, static_cast<ev_ssize_t>(rest.size()), &at, vec.data(), num));
  std::string got;
  for (int i = 0; i < num; i++) {
    got.append(static_cast<char *>(vec[i].iov_base), vec[i].iov_len);
  }
  ASSERT_GE(got.size(), rest.size());
  EXPECT_TRUE(rest == got.substr(0, rest.size()));
}

void Model::Transfer(Side &from, Side &to) {
  if (from.model.size() + to.model.size() > kMaxLen) return;
  switch (Random(5)) {
    case 0:
      EXPECT_EQ(0, evbuffer_add_buffer(to.buf, from.buf));
      to.model += from.model;
      from.model.clear();
      return;
    case 1:
      EXPECT_EQ(0, evbuffer_prepend_buffer(to.buf, from.buf));
      to.model.insert(0, from.model);
      from.model.clear();
      return;
    case 2:
      if (!KnowsBufferReferences()) return;
      if (evbuffer_add_buffer_reference(to.buf, from.buf) == 0) to.model += from.model;
      return;
    default: {
      size_t len = RandomLen();
      size_t have = std::min(len, from.model.size());
      EXPECT_EQ(static_cast<int>(have), evbuffer_remove_buffer(from.buf, to.buf, len));
      to.model += from.model.substr(0, have);
      from.model.erase(0, have);
    }
  }
}

void Model::Io(Side &side) {
  int len = evbuffer_write_atmost(side.buf, fds_[0], static_cast<ev_ssize_t>(1 + RandomLen()));
  if (len <= 0) return;
  std::string sent = side.model.substr(0, static_cast<size_t>(len));
  side.model.erase(0, static_cast<size_t>(len));
  Side &to = sides_[Random(kNumBuffers)];
  size_t got = 0;
  while (got < sent.size()) {
    int num = evbuffer_read(to.buf, fds_[1], -1);
    ASSERT_GT(num, 0);
    got += static_cast<size_t>(num);
  }
  to.model += sent;
}

void Model::Search(Side &side) {
  struct evbuffer_ptr start, end;
  size_t from = RandomPointer(side, &start);
  std::string what = RandomBytes(1 + Random(4));
  size_t found = side.model.find(what, from);
  ev_ssize_t want = found == std::string::npos ? -1 : static_cast<ev_ssize_t>(found);
  EXPECT_EQ(want, evbuffer_search(side.buf, what.data(), what.size(), &start).pos);
  size_t to = RandomPointer(side, &end);
  if (to < from) return;
  if (want >= 0 && found + what.size() > to) want = -1;
  EXPECT_EQ(want, evbuffer_search_range(side.buf, what.data(), what.size(), &start, &end).pos);
}

// Position and length of the first ending, by definition.
ev_ssize_t FindEol(const std::string &bytes, size_t from, int style, size_t *out_len) {
  size_t pos = std::string::npos;
  *out_len = 1;
  switch (style) {
    case EVBUFFER_EOL_ANY: {
      pos = bytes.find_first_of("\r\n", from);
      if (pos == std::string::npos) break;
      size_t end = bytes.find_first_not_of("\r\n", pos);
      *out_len = (end == std::string::npos ? bytes.size() : end) - pos;
      break;
    }
    case EVBUFFER_EOL_CRLF:
      pos = bytes.find('\n', from);
      if (pos != std::string::npos && pos > from && bytes[pos - 1] == '\r') {
        pos--;
        *out_len = 2;
      }
      break;
    case EVBUFFER_EOL_CRLF_STRICT:
      pos = bytes.find("\r\n", from);
      *out_len = 2;
      break;
    case EVBUFFER_EOL_LF:
      pos = bytes.find('\n', from);
      break;
    case EVBUFFER_EOL_NUL:
      pos = bytes.find('\0', from);
      break;
  }
  return pos == std::string::npos ? -1 : static_cast<ev_ssize_t>(pos);
}

void Model::SearchEol(Side &side) {
  struct evbuffer_ptr start;
  size_t from = RandomPointer(side, &start);
  int style = static_cast<int>(Random(5));
  size_t want_len, got_len = 0;
  ev_ssize_t want = FindEol(side.model, from, style, &want_len);
  struct evbuffer_ptr got =
      evbuffer_search_eol(side.buf, &start, &got_len, static_cast<enum evbuffer_eol_style>(style));
  EXPECT_EQ(want, got.pos) << style;
  if (want >= 0) {
    EXPECT_EQ(want_len, got_len) << style;
  }
}

void Model::Readln(Side &side) {
  int style = static_cast<int>(Random(5));
  size_t eol_len, got_len;
  ev_ssize_t pos = FindEol(side.model, 0, style, &eol_len);
  char *line = evbuffer_readln(side.buf, &got_len, static_cast<enum evbuffer_eol_style>(style));
  ASSERT_EQ(pos >= 0, line != nullptr);
  if (!line) return;
  ASSERT_EQ(static_cast<size_t>(pos), got_len);
  EXPECT_TRUE(side.model.compare(0, got_len, line, got_len) == 0);
  EXPECT_EQ('\0', line[got_len]);
  free(line);
  side.model.erase(0, got_len + eol_len);
}

void Model::Reserve(Side &side) {
  struct evbuffer_iovec vec[2];
  int num = evbuffer_reserve_space(side.buf, static_cast<ev_ssize_t>(1 + RandomLen()), vec,
                                   1 + static_cast<int>(Random(2)));
  ASSERT_GE(num, 1);
  std::string written;
  for (int i = 0; i < num; i++) {
    vec[i].iov_len = std::min(vec[i].iov_len, Random(3) ? RandomLen() : vec[i].iov_len);
    std::string bytes = RandomBytes(vec[i].iov_len);
    if (!bytes.empty()) memcpy(vec[i].iov_base, bytes.data(), bytes.size());
    written += bytes;
  }
  ASSERT_EQ(0, evbuffer_commit_space(side.buf, vec, num));
  side.model += written;
}

void Model::Step() {
  Side &side = sides_[Random(kNumBuffers)];
  Side &other = sides_[(static_cast<size_t>(&side - sides_) + 1 + Random(2)) % kNumBuffers];
  bool may_grow = side.model.size() < kMaxLen;
  switch (Random(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return may_grow ? Add(side) : Take(side);
    case 4:
      return may_grow ? Reserve(side) : Take(side);
    case 5:
    case 6:
      return Take(side);
    case 7:
    case 8:
      return Transfer(side, other);
    case 9:
      return Io(side);
    case 10:
      return Search(side);
    case 11:
      return SearchEol(side);
    case 12:
      return Readln(side);
    case 13: {
      size_t len = Random(side.model.size() + 1);
      unsigned char *front = evbuffer_pullup(side.buf, static_cast<ev_ssize_t>(len));
      if (len > 0) {
        ASSERT_NE(nullptr, front);
        EXPECT_EQ(0, memcmp(front, side.model.data(), len));
      }
      return;
    }
    default:
      return Look(side);
  }
}

TEST_P(Model, AgreesWithAString) {
  for (int i = 0; i < 2000 && !HasFailure(); i++) {
    SCOPED_TRACE(i);
    Step();
    for (Side &side : sides_) Check(side);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Model, ::testing::Range(0, 12));

}  // namespace

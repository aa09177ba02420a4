#ifndef STRATA_BUFFER_MODEL_TESTING_H_
#define STRATA_BUFFER_MODEL_TESTING_H_

// Operations on several evbuffers, each checked against a byte string that does the same. What is
// done is chosen by a source: random numbers in buffer/model_test.cc (which runs on the installed
// libevent too), a fuzzer's input in fuzz/buffer_ops_fuzz.cc.

#include <event2/buffer.h>
#include <event2/util.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

// libevent's does not say that its functions are C.
extern "C" {
#include <event2/buffer_compat.h>
}

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

namespace buffer_model {

// libevent loses bytes and clean-ups when buffers that refer to each other are changed further.
constexpr bool kKnowsBufferReferences = !STRATA_ORACLE;

constexpr size_t kNumBuffers = 3;
constexpr size_t kMaxLen = 60000;
constexpr size_t kFileLen = 10000;

class Source {
 public:
  virtual ~Source() = default;
  // Below limit; 0 when limit is 0.
  virtual size_t Choose(size_t limit) = 0;
  // Says that `what` does not hold. May return.
  virtual void Fail(const char *what, const char *file, int line) = 0;
};

// Position and length of the first ending, by definition; -1 when there is none.
inline ev_ssize_t FindEol(const std::string &bytes, size_t from, int style, size_t *out_len) {
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

#define MODEL_EXPECT(condition) \
  ((condition) ? (void)0 : source_.Fail(#condition, __FILE__, __LINE__))

class Model {
 public:
  Model(Source &source, bool has_callbacks)
      : source_(source), content_state_(static_cast<uint32_t>(source.Choose(256))) {
    for (Side &side : sides_) {
      side.source = &source;
      side.buf = evbuffer_new();
      if (has_callbacks) evbuffer_add_cb(side.buf, Report, &side);
    }
    has_callbacks_ = has_callbacks;
    MODEL_EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds_) == 0);
    evutil_make_socket_nonblocking(fds_[0]);
    evutil_make_socket_nonblocking(fds_[1]);
  }
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;
  ~Model() {
    for (Side &side : sides_) evbuffer_free(side.buf);
    MODEL_EXPECT(num_references_ == 0);
    close(fds_[0]);
    close(fds_[1]);
    if (file_) fclose(file_);
  }

  // One operation, and a look at all buffers.
  void Step() {
    Operate();
    for (Side &side : sides_) Check(side);
  }

 private:
  struct Side {
    Source *source = nullptr;
    struct evbuffer *buf = nullptr;
    std::string model;
    size_t reported_len = 0;  // what callbacks say, to be equal to the length
  };

  static void Report(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg) {
    auto *side = static_cast<Side *>(arg);
    Source &source_ = *side->source;
    MODEL_EXPECT(side->reported_len == info->orig_size);
    side->reported_len = info->orig_size + info->n_added - info->n_deleted;
    MODEL_EXPECT(side->reported_len == evbuffer_get_length(buf));
  }
  static void FreeMemory(const void *data, size_t, void *arg) {
    --*static_cast<int *>(arg);
    free(const_cast<void *>(data));
  }

  size_t Choose(size_t limit) { return source_.Choose(limit); }
  // Small ones mostly, large ones sometimes.
  size_t ChooseLen() {
    switch (Choose(8)) {
      case 0:
        return Choose(20000);
      case 1:
      case 2:
        return Choose(2000);
      default:
        return Choose(100);
    }
  }
  // Bytes that searches and lines have something to find in.
  std::string MakeBytes(size_t len) {
    std::string bytes(len, '\0');
    for (char &c : bytes) {
      content_state_ = content_state_ * 1664525u + 1013904223u;
      c = "abcd\r\n\0e"[content_state_ >> 29];
    }
    return bytes;
  }
  // A position and the pointer to it.
  size_t ChoosePointer(Side &side, struct evbuffer_ptr *out_at) {
    size_t pos = Choose(side.model.size() + 1);
    size_t first = Choose(pos + 1);
    MODEL_EXPECT(evbuffer_ptr_set(side.buf, out_at, first, EVBUFFER_PTR_SET) == 0);
    MODEL_EXPECT(evbuffer_ptr_set(side.buf, out_at, pos - first, EVBUFFER_PTR_ADD) == 0);
    MODEL_EXPECT(out_at->pos == static_cast<ev_ssize_t>(pos));
    return pos;
  }

  void Check(Side &side) {
    std::string got(side.model.size(), '\0');
    MODEL_EXPECT(evbuffer_get_length(side.buf) == side.model.size());
    MODEL_EXPECT(evbuffer_copyout(side.buf, &got[0], got.size()) ==
                 static_cast<ev_ssize_t>(got.size()));
    MODEL_EXPECT(got == side.model);
    MODEL_EXPECT(evbuffer_get_contiguous_space(side.buf) <= side.model.size());
    if (has_callbacks_) MODEL_EXPECT(side.reported_len == side.model.size());
  }

  void Operate();
  void Add(Side &side);
  void AddReference(Side &side, const std::string &bytes);
  void AddFile(Side &side);
  void Take(Side &side);
  void Look(Side &side);
  void Peek(Side &side, const std::string &wanted, struct evbuffer_ptr *at);
  void Transfer(Side &from, Side &to);
  void Io(Side &side);
  void Search(Side &side);
  void SearchEol(Side &side);
  void Find(Side &side);
  void Readln(Side &side);
  void Reserve(Side &side);
  void Pullup(Side &side);
  void Freeze(Side &side, Side &other);

  Source &source_;
  uint32_t content_state_;
  bool has_callbacks_;
  Side sides_[kNumBuffers];
  int num_references_ = 0;
  int fds_[2] = {-1, -1};
  FILE *file_ = nullptr;
  std::string file_bytes_;
};

inline void Model::AddReference(Side &side, const std::string &bytes) {
  if (bytes.empty()) return;
  void *memory = malloc(bytes.size());
  memcpy(memory, bytes.data(), bytes.size());
  num_references_++;
  MODEL_EXPECT(
      evbuffer_add_reference(side.buf, memory, bytes.size(), FreeMemory, &num_references_) == 0);
  side.model += bytes;
}

inline void Model::Add(Side &side) {
  std::string bytes = MakeBytes(ChooseLen());
  switch (Choose(7)) {
    case 0:
      MODEL_EXPECT(evbuffer_prepend(side.buf, bytes.data(), bytes.size()) == 0);
      side.model.insert(0, bytes);
      return;
    case 1:
      return AddReference(side, bytes);
    case 2:
      for (char &c : bytes) c = c ? c : 'z';
      MODEL_EXPECT(evbuffer_add_printf(side.buf, "%s", bytes.c_str()) ==
                   static_cast<int>(bytes.size()));
      break;
    case 3: {
      size_t half = bytes.size() / 2;
      struct evbuffer_iovec vec[2] = {{&bytes[0], half}, {&bytes[half], bytes.size() - half}};
      MODEL_EXPECT(evbuffer_add_iovec(side.buf, vec, 2) == bytes.size());
      break;
    }
    case 4:
      MODEL_EXPECT(evbuffer_expand(side.buf, ChooseLen()) == 0);
      MODEL_EXPECT(evbuffer_add(side.buf, bytes.data(), bytes.size()) == 0);
      break;
    default:
      MODEL_EXPECT(evbuffer_add(side.buf, bytes.data(), bytes.size()) == 0);
  }
  side.model += bytes;
}

// Part of a segment of a file, which is brought into memory in one of the two ways there are.
inline void Model::AddFile(Side &side) {
  if (!file_) {
    file_ = tmpfile();
    file_bytes_ = MakeBytes(kFileLen);
    MODEL_EXPECT(file_ && fwrite(file_bytes_.data(), 1, kFileLen, file_) == kFileLen &&
                 fflush(file_) == 0);
  }
  size_t start = Choose(kFileLen), len = 1 + Choose(kFileLen - start);
  size_t offset = Choose(len), part_len = 1 + Choose(len - offset);
  struct evbuffer_file_segment *segment = evbuffer_file_segment_new(
      fileno(file_), static_cast<ev_off_t>(start), static_cast<ev_off_t>(len),
      Choose(2) ? EVBUF_FS_DISABLE_MMAP | EVBUF_FS_DISABLE_SENDFILE : EVBUF_FS_DISABLE_SENDFILE);
  MODEL_EXPECT(segment != nullptr);
  if (!segment) return;
  MODEL_EXPECT(evbuffer_add_file_segment(side.buf, segment, static_cast<ev_off_t>(offset),
                                         static_cast<ev_off_t>(part_len)) == 0);
  evbuffer_file_segment_free(segment);
  side.model.append(file_bytes_, start + offset, part_len);
}

inline void Model::Take(Side &side) {
  size_t len = Choose(4) ? ChooseLen() : side.model.size();
  size_t have = std::min(len, side.model.size());
  if (Choose(2)) {
    MODEL_EXPECT(evbuffer_drain(side.buf, len) == 0);
  } else {
    std::string bytes(len, '\0');
    MODEL_EXPECT(evbuffer_remove(side.buf, &bytes[0], len) == static_cast<int>(have));
    MODEL_EXPECT(bytes.compare(0, have, side.model, 0, have) == 0);
  }
  side.model.erase(0, have);
}

inline void Model::Peek(Side &side, const std::string &wanted, struct evbuffer_ptr *at) {
  ev_ssize_t len = static_cast<ev_ssize_t>(wanted.size());
  int num = evbuffer_peek(side.buf, len, at, nullptr, 0);
  MODEL_EXPECT(num >= 0);
  if (num < 0) return;
  std::vector<struct evbuffer_iovec> vec(static_cast<size_t>(num) + 1);
  MODEL_EXPECT(evbuffer_peek(side.buf, len, at, vec.data(), num) == num);
  std::string got;
  for (int i = 0; i < num; i++) {
    got.append(static_cast<char *>(vec[i].iov_base), vec[i].iov_len);
  }
  MODEL_EXPECT(got.compare(0, wanted.size(), wanted) == 0);
}

inline void Model::Look(Side &side) {
  struct evbuffer_ptr at;
  size_t pos = ChoosePointer(side, &at);
  std::string wanted = side.model.substr(pos, ChooseLen());
  if (Choose(2)) return Peek(side, wanted, &at);
  std::string got(wanted.size(), '\0');
  MODEL_EXPECT(evbuffer_copyout_from(side.buf, &at, &got[0], got.size()) ==
               static_cast<ev_ssize_t>(wanted.size()));
  MODEL_EXPECT(got == wanted);
}

inline void Model::Transfer(Side &from, Side &to) {
  if (from.model.size() + to.model.size() > kMaxLen) return;
  switch (Choose(5)) {
    case 0:
      MODEL_EXPECT(evbuffer_add_buffer(to.buf, from.buf) == 0);
      to.model += from.model;
      from.model.clear();
      return;
    case 1:
      MODEL_EXPECT(evbuffer_prepend_buffer(to.buf, from.buf) == 0);
      to.model.insert(0, from.model);
      from.model.clear();
      return;
    case 2:
      if (!kKnowsBufferReferences) return;
      if (evbuffer_add_buffer_reference(to.buf, from.buf) == 0) to.model += from.model;
      return;
    default: {
      size_t len = ChooseLen();
      size_t have = std::min(len, from.model.size());
      MODEL_EXPECT(evbuffer_remove_buffer(from.buf, to.buf, len) == static_cast<int>(have));
      to.model.append(from.model, 0, have);
      from.model.erase(0, have);
    }
  }
}

inline void Model::Io(Side &side) {
  int len = evbuffer_write_atmost(side.buf, fds_[0], static_cast<ev_ssize_t>(1 + ChooseLen()));
  if (len <= 0) return;
  MODEL_EXPECT(static_cast<size_t>(len) <= side.model.size());
  std::string sent = side.model.substr(0, static_cast<size_t>(len));
  side.model.erase(0, static_cast<size_t>(len));
  Side &to = sides_[Choose(kNumBuffers)];
  size_t got = 0;
  while (got < sent.size()) {
    int num = evbuffer_read(to.buf, fds_[1], -1);
    MODEL_EXPECT(num > 0);
    if (num <= 0) return;
    got += static_cast<size_t>(num);
  }
  to.model += sent;
}

inline void Model::Search(Side &side) {
  struct evbuffer_ptr start, end;
  size_t from = ChoosePointer(side, &start);
  std::string what = MakeBytes(1 + Choose(4));
  size_t found = side.model.find(what, from);
  ev_ssize_t want = found == std::string::npos ? -1 : static_cast<ev_ssize_t>(found);
  MODEL_EXPECT(evbuffer_search(side.buf, what.data(), what.size(), &start).pos == want);
  size_t to = ChoosePointer(side, &end);
  if (to < from) return;
  if (want >= 0 && found + what.size() > to) want = -1;
  MODEL_EXPECT(evbuffer_search_range(side.buf, what.data(), what.size(), &start, &end).pos == want);
}

inline void Model::SearchEol(Side &side) {
  struct evbuffer_ptr start;
  size_t from = ChoosePointer(side, &start);
  int style = static_cast<int>(Choose(5));
  size_t want_len, got_len = 0;
  ev_ssize_t want = FindEol(side.model, from, style, &want_len);
  struct evbuffer_ptr got =
      evbuffer_search_eol(side.buf, &start, &got_len, static_cast<enum evbuffer_eol_style>(style));
  MODEL_EXPECT(got.pos == want);
  if (want >= 0) MODEL_EXPECT(got_len == want_len);
}

inline void Model::Find(Side &side) {
  std::string what = MakeBytes(1 + Choose(4));
  size_t found = side.model.find(what);
  unsigned char *at =
      evbuffer_find(side.buf, reinterpret_cast<const unsigned char *>(what.data()), what.size());
  MODEL_EXPECT((at != nullptr) == (found != std::string::npos));
  if (at && found != std::string::npos) {
    MODEL_EXPECT(memcmp(at - found, side.model.data(), found + what.size()) == 0);
  }
}

inline void Model::Readln(Side &side) {
  int style = static_cast<int>(Choose(5));
  size_t eol_len, got_len;
  ev_ssize_t pos = FindEol(side.model, 0, style, &eol_len);
  char *line = evbuffer_readln(side.buf, &got_len, static_cast<enum evbuffer_eol_style>(style));
  MODEL_EXPECT((pos >= 0) == (line != nullptr));
  if (!line) return;
  MODEL_EXPECT(got_len == static_cast<size_t>(pos));
  MODEL_EXPECT(side.model.compare(0, static_cast<size_t>(pos), line, got_len) == 0);
  MODEL_EXPECT(line[got_len] == '\0');
  free(line);
  side.model.erase(0, got_len + eol_len);
}

inline void Model::Reserve(Side &side) {
  struct evbuffer_iovec vec[2];
  int num = evbuffer_reserve_space(side.buf, static_cast<ev_ssize_t>(1 + ChooseLen()), vec,
                                   1 + static_cast<int>(Choose(2)));
  MODEL_EXPECT(num >= 1);
  std::string written;
  for (int i = 0; i < num; i++) {
    vec[i].iov_len = std::min(vec[i].iov_len, Choose(3) ? ChooseLen() : vec[i].iov_len);
    std::string bytes = MakeBytes(vec[i].iov_len);
    if (!bytes.empty()) memcpy(vec[i].iov_base, bytes.data(), bytes.size());
    written += bytes;
  }
  MODEL_EXPECT(evbuffer_commit_space(side.buf, vec, num) == 0);
  side.model += written;
}

inline void Model::Pullup(Side &side) {
  size_t len = Choose(side.model.size() + 1);
  unsigned char *front = evbuffer_pullup(side.buf, static_cast<ev_ssize_t>(len));
  if (len == 0) return;
  MODEL_EXPECT(front && memcmp(front, side.model.data(), len) == 0);
  MODEL_EXPECT(evbuffer_get_contiguous_space(side.buf) >= len);
}

// What is refused changes nothing.
inline void Model::Freeze(Side &side, Side &other) {
  char bytes[4] = "xyz";
  struct evbuffer_iovec vec[1] = {{bytes, 3}};
  int at_front = static_cast<int>(Choose(2));
  evbuffer_freeze(side.buf, at_front);
  if (at_front) {
    MODEL_EXPECT(evbuffer_prepend(side.buf, bytes, 3) < 0);
    if (!side.model.empty()) {
      MODEL_EXPECT(evbuffer_drain(side.buf, 1) < 0);
      MODEL_EXPECT(evbuffer_remove(side.buf, bytes, 3) < 0);
      MODEL_EXPECT(evbuffer_add_buffer(other.buf, side.buf) < 0);
      MODEL_EXPECT(evbuffer_remove_buffer(side.buf, other.buf, 1) < 0);
    }
  } else {
    MODEL_EXPECT(evbuffer_add(side.buf, bytes, 3) < 0);
    MODEL_EXPECT(evbuffer_add_iovec(side.buf, vec, 1) == 0);
    MODEL_EXPECT(evbuffer_add_reference(side.buf, "abc", 3, nullptr, nullptr) < 0);
    MODEL_EXPECT(evbuffer_reserve_space(side.buf, 10, vec, 1) < 0);
    if (!other.model.empty()) MODEL_EXPECT(evbuffer_add_buffer(side.buf, other.buf) < 0);
  }
  evbuffer_unfreeze(side.buf, at_front);
}

inline void Model::Operate() {
  size_t index = Choose(kNumBuffers);
  Side &side = sides_[index];
  Side &other = sides_[(index + 1 + Choose(2)) % kNumBuffers];
  bool may_grow = side.model.size() < kMaxLen;
  switch (Choose(19)) {
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
    case 13:
      return Pullup(side);
    case 14:
      return Find(side);
    case 15:
      return may_grow ? AddFile(side) : Take(side);
    case 16:
      return Freeze(side, other);
    default:
      return Look(side);
  }
}

#undef MODEL_EXPECT

}  // namespace buffer_model

#endif

#ifndef STRATA_HTTP_WS_TESTING_H_
#define STRATA_HTTP_WS_TESTING_H_

// What the tests of WebSocket share: frames as bytes, written and read by means of their own, and a
// peer that sends exactly the bytes it is told to.

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "http/http_testing.h"

namespace ws_testing {

using http_testing::Loop;

enum { kFin = 0x80, kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// ---- Frames ----

struct FrameOptions {
  bool masked = true;
  int length_len = -1;  // Of the extended length: 0, 2, 8; -1: the shortest.
  std::string mask = std::string("\x12\xf3\x00\x9a", 4);
};

// `first` is the first byte: kFin, reserved bits and opcode.
inline std::string Frame(int first, const std::string &payload,
                         const FrameOptions &options = FrameOptions()) {
  std::string bytes(1, static_cast<char>(first));
  int length_len = options.length_len;
  if (length_len < 0) length_len = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
  size_t short_len = length_len == 0 ? payload.size() : length_len == 2 ? 126 : 127;
  bytes += static_cast<char>(short_len | (options.masked ? 0x80 : 0));
  for (int i = length_len; i-- > 0;)
    bytes += static_cast<char>(static_cast<uint64_t>(payload.size()) >> (8 * i));
  if (!options.masked) return bytes + payload;
  bytes += options.mask;
  for (size_t i = 0; i < payload.size(); ++i)
    bytes += static_cast<char>(payload[i] ^ options.mask[i % 4]);
  return bytes;
}
inline std::string ServerFrame(int first, const std::string &payload) {
  FrameOptions options;
  options.masked = false;
  return Frame(first, payload, options);
}
inline std::string Text(const std::string &payload) {
  return Frame(kFin | kText, payload);
}
inline std::string Binary(const std::string &payload) {
  return Frame(kFin | kBinary, payload);
}
inline std::string Ping(const std::string &payload) {
  return Frame(kFin | kPing, payload);
}
inline std::string Pong(const std::string &payload) {
  return Frame(kFin | kPong, payload);
}
inline std::string CodeBytes(int code) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code)};
}
inline std::string Close(int code, const std::string &reason = "") {
  return Frame(kFin | kClose, CodeBytes(code) + reason);
}

struct Received {
  int first = 0;
  bool masked = false;
  std::string payload;
};

// Takes the frame that begins at `*start`, and moves that behind it.
inline bool TakeFrame(const std::string &bytes, size_t *start, Received *out) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[*start + i]); };
  size_t available = bytes.size() - *start;
  if (available < 2) return false;
  size_t len = at(1) & 127, head_len = 2;
  size_t length_len = len == 126 ? 2 : len == 127 ? 8 : 0;
  if (available < head_len + length_len) return false;
  if (length_len) len = 0;
  for (size_t i = 0; i < length_len; ++i) len = len << 8 | at(head_len + i);
  head_len += length_len;
  out->first = at(0);
  out->masked = (at(1) & 128) != 0;
  std::string mask(4, '\0');
  if (out->masked) {
    if (available < head_len + 4) return false;
    mask = bytes.substr(*start + head_len, 4);
    head_len += 4;
  }
  if (available < head_len + len) return false;
  out->payload = bytes.substr(*start + head_len, len);
  for (size_t i = 0; i < len; ++i)
    out->payload[i] = static_cast<char>(out->payload[i] ^ mask[i % 4]);
  *start += head_len + len;
  return true;
}

// As the expectations of tests are written: "text(Hello) close(1000)".
inline std::string Describe(const Received &frame) {
  static const char *const kNames[] = {"continuation", "text", "binary", "3", "4", "5", "6", "7",
                                       "close",        "ping", "pong"};
  int opcode = frame.first & 15;
  std::string text = opcode <= kPong ? kNames[opcode] : std::to_string(opcode);
  if ((frame.first & 0xf0) != kFin) text += "!" + std::to_string(frame.first >> 4);
  if (opcode == kClose && frame.payload.size() >= 2) {
    int code = static_cast<unsigned char>(frame.payload[0]) << 8 |
               static_cast<unsigned char>(frame.payload[1]);
    std::string reason = frame.payload.substr(2);
    return text + "(" + std::to_string(code) + (reason.empty() ? "" : " " + reason) + ")";
  }
  if (frame.payload.size() > 100) return text + "[" + std::to_string(frame.payload.size()) + "]";
  return text + "(" + frame.payload + ")";
}

// ---- The peer ----

// A socket in the test's hands, driven by the same loop.
class Peer {
 public:
  Peer(Loop *loop, evutil_socket_t fd) : loop_(loop), fd_(fd) {
    evutil_make_socket_nonblocking(fd);
    read_ = event_new(loop->base(), fd, EV_READ | EV_PERSIST, OnRead, this);
    write_ = event_new(loop->base(), fd, EV_WRITE | EV_PERSIST, OnWrite, this);
    event_add(read_, nullptr);
  }
  ~Peer() { Hangup(); }
  Peer(const Peer &) = delete;
  Peer &operator=(const Peer &) = delete;

  void Send(const std::string &bytes) {
    out_ += bytes;
    Write();
  }
  void Shutdown() { shutdown(fd_, SHUT_WR); }
  void Hangup() {
    if (fd_ < 0) return;
    event_free(read_);
    event_free(write_);
    evutil_closesocket(fd_);
    fd_ = -1;
  }
  void Pause() { event_del(read_); }
  void Resume() { event_add(read_, nullptr); }

  // The frames that have come so far, described; " end" when the stream has ended.
  std::string Log() {
    Received frame;
    size_t taken = 0;
    while (TakeFrame(in_, &taken, &frame)) {
      frames_.push_back(frame);
      log_ += (log_.empty() ? "" : " ") + Describe(frame);
    }
    in_.erase(0, taken);
    if (!closed_) return log_;
    return log_ + (in_.empty() ? "" : " rest") + (log_.empty() ? "end" : " end");
  }
  bool WaitClosed() {
    return loop_->RunUntil([this] { return closed_; });
  }
  bool WaitFor(const std::string &log) {
    return loop_->RunUntil([&] { return Log() == log; });
  }

  bool closed() const { return closed_; }
  bool sent_all() const { return out_.empty(); }
  std::string &in() { return in_; }
  const std::vector<Received> &frames() const { return frames_; }

 private:
  void Write() {
    while (!out_.empty()) {
      ssize_t n = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) {
        event_add(write_, nullptr);
        return;
      }
      if (n < 0) {
        out_.clear();
        break;
      }
      out_.erase(0, static_cast<size_t>(n));
    }
    event_del(write_);
  }
  static void OnWrite(evutil_socket_t, short, void *arg) { static_cast<Peer *>(arg)->Write(); }
  static void OnRead(evutil_socket_t, short, void *arg) {
    Peer *self = static_cast<Peer *>(arg);
    static char bytes[65536];
    ssize_t n = recv(self->fd_, bytes, sizeof(bytes), 0);
    if (n > 0) {
      self->in_.append(bytes, static_cast<size_t>(n));
    } else if (n == 0 || errno != EAGAIN) {
      self->closed_ = true;
      event_del(self->read_);
    }
  }

  Loop *loop_;
  evutil_socket_t fd_;
  event *read_, *write_;
  std::string in_, out_, log_;
  std::vector<Received> frames_;
  bool closed_ = false;
};

// Two connected sockets.
inline void MakePair(evutil_socket_t fds[2]) {
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  evutil_make_socket_nonblocking(fds[0]);
  evutil_make_socket_nonblocking(fds[1]);
}

}  // namespace ws_testing

#endif

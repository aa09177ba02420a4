#include "samples/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/sockios.h>
#elif !defined(_WIN32)
#include <sys/filio.h>
#endif
#ifndef _WIN32
#include <sched.h>
#include <sys/ioctl.h>
#endif

#include <algorithm>
#include <chrono>

namespace samples {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kStalled(500);

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

int NewSocket(int receive_buffer_len) {
  int fd = samples::NewSocket();
  if (receive_buffer_len > 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_len, sizeof(receive_buffer_len));
  return fd;
}

// Winsock has no MSG_DONTWAIT.
#ifdef _WIN32
constexpr int kDontWait = 0;
void SetBlocking(int fd, bool is_blocking) {
  u_long is_nonblocking = is_blocking ? 0 : 1;
  ioctlsocket(static_cast<SOCKET>(fd), static_cast<long>(FIONBIO), &is_nonblocking);
}
#else
constexpr int kDontWait = MSG_DONTWAIT;
void SetBlocking(int, bool) {}
#endif

}  // namespace

std::string Pattern(size_t offset, size_t len) {
  std::string bytes(len, '\0');
  for (size_t i = 0; i < len; i++) {
    size_t position = offset + i;
    bytes[i] = static_cast<char>(position ^ (position >> 8) * 31 ^ (position >> 16) * 7);
  }
  return bytes;
}

Stream::Stream(int fd) : fd_(fd) {
  timeval patience = {30, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

Stream::Stream(Stream &&other) noexcept : fd_(other.fd_) {
  other.fd_ = -1;
}

Stream &Stream::operator=(Stream &&other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Stream Stream::Connect(int port, int receive_buffer_len) {
  Stream stream(NewSocket(receive_buffer_len));
  sockaddr_in address = Loopback(port);
  if (connect(stream.fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0)
    stream.Close();
  return stream;
}

bool Stream::Send(const std::string &bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    ssize_t now = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += static_cast<size_t>(now);
  }
  return true;
}

size_t Stream::SendUntilFull(size_t max_len) {
  constexpr size_t kChunkLen = 64 * 1024;
  size_t sent = 0;
  pollfd writable = {};
  writable.fd = static_cast<decltype(writable.fd)>(fd_);
  writable.events = POLLOUT;
  SetBlocking(fd_, false);
  Clock::time_point last_progress = Clock::now();
  while (sent < max_len && poll(&writable, 1, static_cast<int>(kStalled.count())) == 1) {
    std::string chunk = Pattern(sent, std::min(kChunkLen, max_len - sent));
    ssize_t now = send(fd_, chunk.data(), chunk.size(), MSG_NOSIGNAL | kDontWait);
    if (now > 0) {
      sent += static_cast<size_t>(now);
      last_progress = Clock::now();
    } else if (errno != EAGAIN || Clock::now() - last_progress >= kStalled) {
      break;  // Wine's poll may go on saying that there is room.
    }
  }
  SetBlocking(fd_, true);
  return sent;
}

std::string Stream::Receive(size_t len) {
  std::string bytes(len, '\0');
  size_t received = 0;
  ssize_t now;
  while (received < len && (now = recv(fd_, &bytes[received], len - received, 0)) > 0)
    received += static_cast<size_t>(now);
  bytes.resize(received);
  return bytes;
}

std::string Stream::ReceiveToEnd() {
  std::string bytes, more;
  while (!(more = Receive(64 * 1024)).empty()) bytes += more;
  return bytes;
}

size_t Stream::ReceivePattern(size_t offset, size_t len) {
  constexpr size_t kChunkLen = 64 * 1024;
  size_t received = 0;
  while (received < len) {
    std::string chunk = Receive(std::min(kChunkLen, len - received));
    if (chunk.empty() || chunk != Pattern(offset + received, chunk.size())) break;
    received += chunk.size();
  }
  return received;
}

void Stream::EndSending() {
  shutdown(fd_, SHUT_WR);
}

#ifndef _WIN32
bool Stream::IsAcknowledged() {
  int unacknowledged_len = 0;
#if defined(SIOCOUTQ)
  const int result = ioctl(fd_, SIOCOUTQ, &unacknowledged_len);  // tcp(7)
#elif defined(SO_NWRITE)
  socklen_t size = sizeof(unacknowledged_len);  // getsockopt(2) of macOS
  const int result = getsockopt(fd_, SOL_SOCKET, SO_NWRITE, &unacknowledged_len, &size);
#elif defined(FIONWRITE)
  const int result = ioctl(fd_, FIONWRITE, &unacknowledged_len);  // FreeBSD, NetBSD
#else
  const int result = ioctl(fd_, TIOCOUTQ, &unacknowledged_len);
#endif
  return result != 0 || unacknowledged_len == 0;
}

void Stream::WaitUntilAcknowledged() {
  while (!IsAcknowledged()) sched_yield();
}
#endif

void Stream::Reset() {
  linger none = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  Close();
}

void Stream::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Acceptor::Acceptor(int receive_buffer_len) : fd_(NewSocket(receive_buffer_len)) {
  sockaddr_in address = Loopback(0);
  socklen_t address_len = sizeof(address);
  timeval patience = {30, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (bind(fd_, reinterpret_cast<sockaddr *>(&address), address_len) != 0 ||
      listen(fd_, 1024) != 0 ||
      getsockname(fd_, reinterpret_cast<sockaddr *>(&address), &address_len) != 0)
    abort();
  port_ = ntohs(address.sin_port);
}

Stream Acceptor::Accept() {
  return Stream(ClosedOnExec(static_cast<int>(accept(fd_, nullptr, nullptr))));
}

void Acceptor::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

int PortOf(const std::string &line) {
  int port = 0;
  return sscanf(line.c_str(), "listening on 127.0.0.1:%d", &port) == 1 ? port : 0;
}

}  // namespace samples

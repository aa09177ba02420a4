#ifndef SAMPLES_STREAM_H_
#define SAMPLES_STREAM_H_

#include <string>

#include "samples/server_process.h"

// The other ends of the TCP samples: blocking sockets that the test drives itself. Whatever waits
// gives up after a generous time, so that no test hangs.
namespace samples {

// The bytes from `offset` on of a sequence that does not repeat itself soon: a byte that is lost,
// doubled or out of order shows.
std::string Pattern(size_t offset, size_t len);

// How much a program that holds little may grow, in kilobytes. AddressSanitizer keeps what was
// freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long kLittleMemory = 64 * 1024;
#else
constexpr long kLittleMemory = 2 * 1024;
#endif

// What a byte that a program holds takes of its memory. ThreadSanitizer notes for each who used it.
#ifdef __SANITIZE_THREAD__
constexpr long kMemoryOfAByte = 3;
#else
constexpr long kMemoryOfAByte = 1;
#endif

class Stream {
 public:
  Stream() = default;
  explicit Stream(int fd);
  Stream(Stream &&other) noexcept;
  Stream &operator=(Stream &&other) noexcept;
  ~Stream() { Close(); }

  // To a port of 127.0.0.1. `receive_buffer_len` bounds what the kernel takes for a slow reader.
  static Stream Connect(int port, int receive_buffer_len = 0);

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool Send(const std::string &bytes);
  // Sends Pattern() until the other end takes no more for half a second, or `max_len`. Returns how
  // many bytes went.
  size_t SendUntilFull(size_t max_len);
  std::string Receive(size_t len);  // less at the end of data and on error
  std::string ReceiveToEnd();
  // Receives up to `len` bytes or the end and returns how many of them are Pattern(offset, ...);
  // all, unless something is wrong.
  size_t ReceivePattern(size_t offset, size_t len);
  void EndSending();
#ifndef _WIN32            // which does not tell
  bool IsAcknowledged();  // everything sent has reached the other end's kernel
  void WaitUntilAcknowledged();
#endif
  void Reset();  // closes with RST instead of FIN
  void Close();

 private:
  int fd_ = -1;
};

class Acceptor {
 public:
  explicit Acceptor(int receive_buffer_len = 0);
  ~Acceptor() { Close(); }
  Acceptor(const Acceptor &) = delete;
  Acceptor &operator=(const Acceptor &) = delete;
  int port() const { return port_; }
  Stream Accept();
  void Close();

 private:
  int fd_ = -1;
  int port_ = 0;
};

// The port in "listening on HOST:PORT", 0 if there is none.
int PortOf(const std::string &line);

// A sample that announces where it listens on standard output.
class TcpServer : public Process {
 public:
  explicit TcpServer(const std::vector<std::string> &command)
      : Process(command), port_(PortOf(ReadLine())) {}
  int port() const { return port_; }

 private:
  int port_;
};

}  // namespace samples

#endif  // SAMPLES_STREAM_H_

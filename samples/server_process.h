#ifndef SAMPLES_SERVER_PROCESS_H_
#define SAMPLES_SERVER_PROCESS_H_

#include <map>
#include <string>
#include <vector>

#include "samples/process.h"

// What the tests of the samples need: the sample as a process of its own, and a client that sends
// exactly the bytes it is told to.
namespace samples {

// A sample that prints "listening on http://127.0.0.1:PORT/" first; it is given --port 0.
class Server : public Process {
 public:
  explicit Server(const std::vector<std::string> &command) : Server(command, Settings()) {}
  Server(const std::vector<std::string> &command, Settings settings);
  int port() const { return port_; }

 private:
  int port_ = 0;
};

struct Response {
  int status = 0;                              // 0: no complete response came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string Header(const std::string &lower_case_name) const;
};

// A client's connection. Receiving gives up after a generous time, so that no test hangs.
class Connection {
 public:
  explicit Connection(int port, int receive_buffer_len = 0);
  ~Connection();
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  bool connected() const { return fd_ >= 0; }
  bool Send(const std::string &bytes);
  Response Receive(bool to_head = false);
  // As Receive(), but leaves the body to be read by ReadSome().
  Response ReceiveHead();
  std::string ReadSome();  // "" at the end of the stream and on error
  void Close();

 private:
  int fd_ = -1;
  std::string buffered_;
};

// One request on a connection of its own; `lines` are header lines, each with its "\r\n".
Response Fetch(int port, const std::string &method, const std::string &target,
               const std::string &lines = "", const std::string &body = "");

// A directory that is removed with all its contents.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string &path() const { return path_; }
  std::string Write(const std::string &name, const std::string &contents) const;
  // A file of `file_len` bytes that takes no room on the disk.
  std::string WriteHoles(const std::string &name, int64_t file_len) const;

 private:
  std::string path_;
};

std::string ReadFile(const std::string &path);

// The path of a program built beside the test: the variable's value, or the one in the runfiles.
std::string ProgramPath(const char *variable, const std::string &runfile);

}  // namespace samples

#endif  // SAMPLES_SERVER_PROCESS_H_

#ifndef SAMPLES_SERVER_PROCESS_H_
#define SAMPLES_SERVER_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

// What the tests of the samples need: the sample as a process of its own, and a client that sends
// exactly the bytes it is told to.
namespace samples {

// A child process with its output on pipes.
class Process {
 public:
  struct Settings {
    bool without_openat2 = false;  // the system call fails with ENOSYS, as on an old kernel
    int input = -1;                // what becomes standard input; -1: the test's
  };

  explicit Process(const std::vector<std::string> &command) : Process(command, Settings()) {}
  Process(const std::vector<std::string> &command, Settings settings);
  ~Process();  // kills it if it still runs
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;

  pid_t pid() const { return pid_; }
  std::string ReadLine();       // of standard output, without the newline
  std::string ReadErrorLine();  // of standard error
  std::string ReadOutput();     // the rest of standard output, up to its end
  std::string ReadErrors();     // the rest of standard error, up to its end
  void Signal(int number);
  int Wait();  // the exit code, or minus the number of the signal that ended it

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  int errors_ = -1;
  bool running_ = false;
};

// A sample that prints "listening on http://127.0.0.1:PORT/" first; it is given --port 0.
class Server : public Process {
 public:
  explicit Server(const std::vector<std::string> &command) : Server(command, Settings()) {}
  Server(const std::vector<std::string> &command, Settings settings);
  int port() const { return port_; }
  long ResidentKilobytes() const;

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

 private:
  std::string path_;
};

std::string ReadFile(const std::string &path);

// The path of a program built beside the test: the variable's value, or the one in the runfiles.
std::string ProgramPath(const char *variable, const std::string &runfile);

}  // namespace samples

#endif  // SAMPLES_SERVER_PROCESS_H_

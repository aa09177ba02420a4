#ifndef SAMPLES_PROCESS_H_
#define SAMPLES_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace samples {

// A child process with its output on pipes. On Windows what it writes has its carriage returns
// removed.
class Process {
 public:
  struct Settings {
    bool without_openat2 = false;  // the system call fails with ENOSYS, as on an old kernel
    int input = -1;                // what becomes standard input, no socket; -1: the test's
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
  std::string ReadBytes();      // as ReadOutput(), with the carriage returns
  // On Windows, every signal that asks a program to stop is Ctrl-C.
  void Signal(int number);
  int Wait();  // the exit code, or minus the number of the signal that ended it
  long ResidentKilobytes() const;
  long PeakResidentKilobytes() const;

 private:
  pid_t pid_ = -1;
  void *handle_ = nullptr;  // Windows
  int output_ = -1;
  int errors_ = -1;
  bool running_ = false;
};

// `text` as it is on other systems: on Windows the C runtime writes one before each newline.
std::string WithoutCarriageReturns(std::string text);

// A TCP socket that children do not inherit.
int NewSocket();

int ClosedOnExec(int fd);  // `fd`, which a program that this process starts does not inherit;
                           // on Windows, a socket
void NewPipe(int *out_fds);

}  // namespace samples

#endif  // SAMPLES_PROCESS_H_

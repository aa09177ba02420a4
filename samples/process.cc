#include "samples/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <fstream>

namespace samples {
namespace {

#if defined(__linux__) && defined(SYS_openat2)
void ForbidOpenat2() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    _exit(126);
}
#else
void ForbidOpenat2() {}
#endif

// A line of /proc/PID/status.
long KilobytesOf(pid_t pid, const std::string &name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line))
    if (line.compare(0, name.size() + 1, name + ":") == 0) return atol(&line[name.size() + 1]);
  return -1;
}

}  // namespace

Process::Process(const std::vector<std::string> &command, Settings settings) {
  int output[2], errors[2];
  NewPipe(output);
  NewPipe(errors);
  std::vector<char *> arguments;
  // What runs programs of another CPU (tools/qemu/run.sh).
  char *runner = getenv("STRATA_RUNNER");
  if (runner != nullptr && *runner != '\0') arguments.push_back(runner);
  for (const std::string &argument : command)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) abort();
  if (pid_ == 0) {
    dup2(output[1], STDOUT_FILENO);
    dup2(errors[1], STDERR_FILENO);
    if (settings.input >= 0) dup2(settings.input, STDIN_FILENO);
    if (settings.without_openat2) ForbidOpenat2();
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(output[1]);
  close(errors[1]);
  output_ = output[0];
  errors_ = errors[0];
  running_ = true;
}

Process::~Process() {
  if (running_) {
    Signal(SIGKILL);
    Wait();
  }
  close(output_);
  close(errors_);
}

void Process::Signal(int number) {
  if (running_) kill(pid_, number);
}

int Process::Wait() {
  int status = 0;
  if (!running_ || waitpid(pid_, &status, 0) != pid_) return -1;
  running_ = false;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

long Process::ResidentKilobytes() const {
  return KilobytesOf(pid_, "VmRSS");
}

long Process::PeakResidentKilobytes() const {
  return KilobytesOf(pid_, "VmHWM");
}

int ClosedOnExec(int fd) {
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

void NewPipe(int *out_fds) {
  if (pipe(out_fds) != 0) abort();
  ClosedOnExec(out_fds[0]);
  ClosedOnExec(out_fds[1]);
}

int NewSocket() {
  return ClosedOnExec(socket(AF_INET, SOCK_STREAM, 0));
}

}  // namespace samples

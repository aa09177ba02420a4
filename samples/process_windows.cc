#include <fcntl.h>
#include <io.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#include "samples/process.h"

#include <psapi.h>

namespace samples {
namespace {

// "Parsing C++ command-line arguments": backslashes count before a quotation
// mark alone.
std::string Quoted(const std::string &argument) {
  std::string quoted = "\"";
  size_t num_backslashes = 0;
  for (char c : argument) {
    if (c == '"') quoted.append(num_backslashes + 1, '\\');
    num_backslashes = c == '\\' ? num_backslashes + 1 : 0;
    quoted.push_back(c);
  }
  return quoted.append(num_backslashes, '\\') + "\"";
}

// abort() says nothing there.
[[noreturn]] void Fail(const char *call) {
  fprintf(stderr, "%s: error %lu\n", call, GetLastError());
  abort();
}

// The child gets `*out_theirs`.
void NewPipe(HANDLE *out_ours, HANDLE *out_theirs) {
  if (!CreatePipe(out_ours, out_theirs, nullptr, 0) ||
      !SetHandleInformation(*out_theirs, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT))
    Fail("CreatePipe");
}

PROCESS_MEMORY_COUNTERS MemoryOf(HANDLE process) {
  PROCESS_MEMORY_COUNTERS counters = {};
  K32GetProcessMemoryInfo(process, &counters, sizeof(counters));
  return counters;
}

}  // namespace

Process::Process(const std::vector<std::string> &command, Settings settings) {
  HANDLE output, their_output, errors, their_errors;
  NewPipe(&output, &their_output);
  NewPipe(&errors, &their_errors);
  STARTUPINFOA startup = {};
  startup.cb = sizeof(startup);
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = settings.input < 0 ? GetStdHandle(STD_INPUT_HANDLE)
                                         : reinterpret_cast<HANDLE>(_get_osfhandle(settings.input));
  startup.hStdOutput = their_output;
  startup.hStdError = their_errors;
  std::string line;
  for (const std::string &argument : command) line += Quoted(argument) + " ";
  PROCESS_INFORMATION process;
  // Ctrl-Break goes to a process group.
  if (!CreateProcessA(nullptr, &line[0], nullptr, nullptr, TRUE, CREATE_NEW_PROCESS_GROUP, nullptr,
                      nullptr, &startup, &process))
    Fail("CreateProcess");
  CloseHandle(process.hThread);
  CloseHandle(their_output);
  CloseHandle(their_errors);
  handle_ = process.hProcess;
  pid_ = static_cast<pid_t>(process.dwProcessId);
  output_ = _open_osfhandle(reinterpret_cast<intptr_t>(output), _O_RDONLY | _O_BINARY);
  errors_ = _open_osfhandle(reinterpret_cast<intptr_t>(errors), _O_RDONLY | _O_BINARY);
  running_ = true;
}

Process::~Process() {
  if (running_) {
    TerminateProcess(handle_, 1);
    Wait();
  }
  CloseHandle(handle_);
  _close(output_);
  _close(errors_);
}

void Process::Signal(int number) {
  (void)number;
  if (running_) GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, static_cast<DWORD>(pid_));
}

int Process::Wait() {
  DWORD code;
  if (!running_ || WaitForSingleObject(handle_, INFINITE) != WAIT_OBJECT_0 ||
      !GetExitCodeProcess(handle_, &code))
    return -1;
  running_ = false;
  return static_cast<int>(code);
}

long Process::ResidentKilobytes() const {
  return static_cast<long>(MemoryOf(handle_).WorkingSetSize / 1024);
}

long Process::PeakResidentKilobytes() const {
  return static_cast<long>(MemoryOf(handle_).PeakWorkingSetSize / 1024);
}

// Handles fit: "Interprocess Communication Between 32-bit and 64-bit Applications".
int NewSocket() {
  return static_cast<int>(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                                     WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
}

}  // namespace samples

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

void SetInherited(HANDLE handle, bool is_inherited) {
  if (!SetHandleInformation(handle, HANDLE_FLAG_INHERIT, is_inherited ? HANDLE_FLAG_INHERIT : 0))
    Fail("SetHandleInformation");
}

// The child gets `*out_theirs`.
void NewOutputPipe(HANDLE *out_ours, HANDLE *out_theirs) {
  if (!CreatePipe(out_ours, out_theirs, nullptr, 0)) Fail("CreatePipe");
  SetInherited(*out_theirs, true);
}

int DescriptorOf(HANDLE handle, int flags) {
  return _open_osfhandle(reinterpret_cast<intptr_t>(handle), flags | _O_BINARY);
}

PROCESS_MEMORY_COUNTERS MemoryOf(HANDLE process) {
  PROCESS_MEMORY_COUNTERS counters = {};
  K32GetProcessMemoryInfo(process, &counters, sizeof(counters));
  return counters;
}

}  // namespace

Process::Process(const std::vector<std::string> &command, Settings settings) {
  HANDLE output, their_output, errors, their_errors;
  NewOutputPipe(&output, &their_output);
  NewOutputPipe(&errors, &their_errors);
  STARTUPINFOA startup = {};
  startup.cb = sizeof(startup);
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  if (settings.input >= 0) {
    startup.hStdInput = reinterpret_cast<HANDLE>(_get_osfhandle(settings.input));
    SetInherited(startup.hStdInput, true);
  }
  startup.hStdOutput = their_output;
  startup.hStdError = their_errors;
  std::string line;
  for (const std::string &argument : command) line += Quoted(argument) + " ";
  PROCESS_INFORMATION process;
  if (!CreateProcessA(nullptr, &line[0], nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup,
                      &process))
    Fail("CreateProcess");
  if (settings.input >= 0) SetInherited(startup.hStdInput, false);
  CloseHandle(process.hThread);
  CloseHandle(their_output);
  CloseHandle(their_errors);
  handle_ = process.hProcess;
  pid_ = static_cast<pid_t>(process.dwProcessId);
  output_ = DescriptorOf(output, _O_RDONLY);
  errors_ = DescriptorOf(errors, _O_RDONLY);
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

// As the system does it, by a thread in the program that begins with kernel32's CtrlRoutine: under
// Bazel there is no console that could be told to.
void Process::Signal(int number) {
  (void)number;
  if (!running_) return;
  void *routine =
      reinterpret_cast<void *>(GetProcAddress(GetModuleHandleA("kernel32"), "CtrlRoutine"));
  void *event = reinterpret_cast<void *>(static_cast<uintptr_t>(CTRL_C_EVENT));
  HANDLE thread = CreateRemoteThread(
      handle_, nullptr, 0, reinterpret_cast<LPTHREAD_START_ROUTINE>(routine), event, 0, nullptr);
  if (thread != nullptr) CloseHandle(thread);
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

int ClosedOnExec(int fd) {
  if (fd >= 0) SetInherited(reinterpret_cast<HANDLE>(static_cast<intptr_t>(fd)), false);
  return fd;
}

void NewPipe(int *out_fds) {
  HANDLE ends[2];
  if (!CreatePipe(&ends[0], &ends[1], nullptr, 0)) Fail("CreatePipe");
  out_fds[0] = DescriptorOf(ends[0], _O_RDONLY);
  out_fds[1] = DescriptorOf(ends[1], 0);
}

// Handles fit: "Interprocess Communication Between 32-bit and 64-bit Applications".
int NewSocket() {
  return static_cast<int>(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                                     WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
}

}  // namespace samples

#include <winsock2.h>
#include <winternl.h>

#include <atomic>

extern "C" {
#include "util/testing/winsock_calls.h"
NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, PIO_STATUS_BLOCK request, PIO_STATUS_BLOCK result);
}

namespace {

enum Kind { kReceive, kSend, kAccept, kPoll, kOther, kWait, kWake, kNumKinds };

std::atomic<long> counts[kNumKinds];
thread_local bool is_excepted = false;

void Count(Kind kind) {
  if (!is_excepted) counts[kind]++;
}

template <class Fn, Fn *kReal, Kind kKind>
struct Counted;

template <class R, class... Args, R(WINAPI **kReal)(Args...), Kind kKind>
struct Counted<R(WINAPI *)(Args...), kReal, kKind> {
  static R WINAPI Call(Args... args) {
    Count(kKind);
    return (*kReal)(args...);
  }
};

}  // namespace

// The linker's --wrap (ld(1)) of the pointer through which a program calls a library.
#define COUNT(kind, name)                     \
  extern decltype(&name) __real___imp_##name; \
  extern decltype(&name) __wrap___imp_##name; \
  decltype(&name) __wrap___imp_##name = Counted<decltype(&name), &__real___imp_##name, kind>::Call;

extern "C" {

COUNT(kReceive, WSARecv)
COUNT(kReceive, recv)
COUNT(kSend, WSASend)
COUNT(kSend, send)
COUNT(kAccept, accept)
COUNT(kOther, setsockopt)
COUNT(kOther, getsockopt)
COUNT(kOther, WSAIoctl)
COUNT(kOther, ioctlsocket)
COUNT(kOther, shutdown)
COUNT(kOther, closesocket)
COUNT(kOther, CancelIoEx)
COUNT(kWait, GetQueuedCompletionStatusEx)
COUNT(kWait, select)
COUNT(kWake, PostQueuedCompletionStatus)

// No header says that these are imported: they are called by their own names.
decltype(NtDeviceIoControlFile) __real_NtDeviceIoControlFile, __wrap_NtDeviceIoControlFile;
NTSTATUS NTAPI __wrap_NtDeviceIoControlFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE routine,
                                            PVOID context, PIO_STATUS_BLOCK status, ULONG code,
                                            PVOID in, ULONG in_len, PVOID out, ULONG out_len) {
  Count(kPoll);
  return __real_NtDeviceIoControlFile(file, event, routine, context, status, code, in, in_len, out,
                                      out_len);
}
decltype(NtCancelIoFileEx) __real_NtCancelIoFileEx, __wrap_NtCancelIoFileEx;
NTSTATUS NTAPI __wrap_NtCancelIoFileEx(HANDLE file, PIO_STATUS_BLOCK request,
                                       PIO_STATUS_BLOCK result) {
  Count(kPoll);
  return __real_NtCancelIoFileEx(file, request, result);
}

struct strata_winsock_calls strata_winsock_calls_now(void) {
  return {counts[kReceive], counts[kSend], counts[kAccept], counts[kPoll],
          counts[kOther],   counts[kWait], counts[kWake]};
}

void strata_winsock_calls_except_this_thread(void) {
  is_excepted = true;
}

}  // extern "C"

#ifndef STRATA_BENCH_IOCP_SIDES_H_
#define STRATA_BENCH_IOCP_SIDES_H_

#include <winsock2.h>
// After winsock2.h.
#include <windows.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <vector>

// What iocp_pools.cc has its pools do: between the two sides of each connection one byte goes to
// and fro.

struct Counts {
  uint64_t exchanges, receives, sends, waits, packets, starts, cancels, callbacks, ended, cancelled,
      faults;

  void Add(const Counts &other) {
    for (size_t i = 0; i < sizeof(Counts) / sizeof(uint64_t); i++)
      (&exchanges)[i] += (&other.exchanges)[i];
  }
};

inline void Check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "iocp_pools: %s (error %lu)\n", what, GetLastError());
  fflush(nullptr);
  ExitProcess(1);
}

inline HANDLE File(SOCKET fd) {
  return reinterpret_cast<HANDLE>(fd);
}

struct Round {
  std::atomic<bool> stopping{false};
  std::atomic<int> num_unanswered;  // connections
  std::atomic<int> num_running;     // sides
  HANDLE all_answered = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  HANDLE all_ended = CreateEventW(nullptr, TRUE, FALSE, nullptr);
};

// One end of a connection, with one operation at a time. It belongs to the thread that launches
// that one, and from then on to the one that learns of the end: so its counts need no lock.
struct Side : OVERLAPPED {
  SOCKET fd;
  Round *round;
  PTP_IO io;   // null: the port of own threads
  bool skips;  // what ends at once brings no packet
  bool is_client, is_sending;
  char byte;
  std::atomic<bool> in_flight;
  Counts counts;

  void Cancel() { CancelIoEx(File(fd), nullptr); }
};

// Whether the operation has ended at once; if not, the side may be another thread's by now.
inline bool Launch(Side *side, DWORD *out_error) {
  *static_cast<OVERLAPPED *>(side) = {};
  if (side->in_flight.exchange(true)) side->counts.faults++;
  ++*(side->is_sending ? &side->counts.sends : &side->counts.receives);
  // The system's pool counts the packets that are to come, and wants to know of each before the
  // operation begins; and again if none will come: it failed, or ended at once and skips.
  if (side->io) {
    side->counts.starts++;
    StartThreadpoolIo(side->io);
  }
  WSABUF buffer = {1, &side->byte};
  DWORD flags = 0;
  const int result = side->is_sending
                         ? WSASend(side->fd, &buffer, 1, nullptr, 0, side, nullptr)
                         : WSARecv(side->fd, &buffer, 1, nullptr, &flags, side, nullptr);
  *out_error = result == 0 ? 0 : WSAGetLastError();
  if (*out_error == WSA_IO_PENDING || (*out_error == 0 && !side->skips)) {
    // What was launched before `stopping` was set, the one who set it cancels.
    if (side->round->stopping) side->Cancel();
    return false;
  }
  if (side->io) {
    side->counts.cancels++;
    CancelThreadpoolIo(side->io);
  }
  return true;
}

// Counts an end. Returns whether the side goes on.
inline bool TakeEnd(Side *side, DWORD error, ULONG_PTR num_bytes) {
  Round *const round = side->round;
  const bool stopping = round->stopping;
  // A second packet for an operation finds none in flight, or the next one.
  if (!HasOverlappedIoCompleted(side) || !side->in_flight.exchange(false)) {
    side->counts.faults++;
    return false;
  }
  side->counts.ended++;
  if (error)
    ++*(stopping ? &side->counts.cancelled : &side->counts.faults);
  else if (num_bytes != 1)
    side->counts.faults++;
  else if (side->is_client && !side->is_sending && ++side->counts.exchanges == 1 &&
           --round->num_unanswered == 0)
    SetEvent(round->all_answered);
  if (!error && !stopping) return true;
  if (!stopping) SetEvent(round->all_answered);  // an error: they won't
  if (--round->num_running == 0) SetEvent(round->all_ended);
  return false;
}

inline void Continue(Side *side, DWORD error, ULONG_PTR num_bytes) {
  while (TakeEnd(side, error, num_bytes)) {
    side->is_sending = !side->is_sending;
    if (!Launch(side, &error)) return;
    num_bytes = side->InternalHigh;
  }
}

// Both ends of each, one after the other.
inline std::vector<SOCKET> Connect(int num_pairs) {
  sockaddr_in in_address = {};
  in_address.sin_family = AF_INET;
  in_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr *const address = reinterpret_cast<sockaddr *>(&in_address);
  int len = sizeof(in_address);
  const SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
  Check(!bind(listener, address, len) && !listen(listener, SOMAXCONN) &&
            !getsockname(listener, address, &len),
        "listen");
  std::vector<SOCKET> fds;
  for (int i = 0; i < num_pairs; i++) {
    fds.push_back(socket(AF_INET, SOCK_STREAM, 0));
    Check(!connect(fds.back(), address, len), "connect");
    fds.push_back(accept(listener, nullptr, nullptr));
    Check(fds.back() != INVALID_SOCKET, "accept");
  }
  closesocket(listener);
  return fds;
}

#endif

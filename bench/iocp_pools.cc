// Two pools of threads for completions on Windows: one like backends/iocp_workers.c (threads that
// take packets from a port of their own, a batch at a time), and the system's (CreateThreadpoolIo).
// Between the two sockets of each connection one byte goes to and fro; an exchange is a byte there
// and its answer: two receives and two sends. Each round ends with operations outstanding, and the
// program with 1 if one that was launched didn't end exactly once.
//
// usage: iocp_pools [--connections N] [--threads N] [--rounds N] [--seconds N] [--batch N]

// Winsock comes before windows.h.
#include "bench/iocp_sides.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kMaxBatch = 32;  // NUM_PACKETS in backends/iocp_workers.c
constexpr ULONG_PTR kOperation = 0, kEndOfThread = 1;
constexpr UCHAR kSkippingModes =
    FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE;

struct Options {
  double connections = 64, threads = 4, rounds = 5, seconds = 1, batch = kMaxBatch;
};

class OwnThreads {
 public:
  explicit OwnThreads(const Options &options) : batch_(options.batch), counts_(options.threads) {
    for (Counts &counts : counts_) threads_.emplace_back([this, &counts] { Work(&counts); });
  }
  void Attach(Side *side) {
    Check(CreateIoCompletionPort(File(side->fd), port_, kOperation, 0), "CreateIoCompletionPort");
  }
  void Stop(std::vector<Side> *, Counts *out_sums) {
    for (size_t i = 0; i < threads_.size(); i++) PostEndOfThread();
    for (std::thread &thread : threads_) thread.join();
    for (const Counts &counts : counts_) out_sums->Add(counts);
    CloseHandle(port_);
  }

 private:
  void PostEndOfThread() { PostQueuedCompletionStatus(port_, 0, kEndOfThread, nullptr); }

  void Work(Counts *out_counts) {
    OVERLAPPED_ENTRY packets[kMaxBatch];
    Counts counts{};  // no cache line of another thread's
    int num_ends = 0;
    while (!num_ends) {
      ULONG num = 0;
      Check(GetQueuedCompletionStatusEx(port_, packets, batch_, &num, INFINITE, FALSE), "wait");
      counts.waits++;
      for (const OVERLAPPED_ENTRY *packet = packets; packet < packets + num; packet++) {
        if (packet->lpCompletionKey == kEndOfThread) {
          num_ends++;
          continue;
        }
        counts.packets++;
        // An NTSTATUS: errors are negative.
        const bool failed = static_cast<LONG>(packet->lpOverlapped->Internal) < 0;
        Continue(static_cast<Side *>(packet->lpOverlapped), failed ? ERROR_GEN_FAILURE : 0,
                 packet->dwNumberOfBytesTransferred);
      }
    }
    while (--num_ends) PostEndOfThread();
    *out_counts = counts;
  }

  const ULONG batch_;
  std::vector<Counts> counts_;
  const HANDLE port_ = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, counts_.size());
  std::vector<std::thread> threads_;
};

class SystemPool {
 public:
  explicit SystemPool(const Options &options) {
    static const PTP_POOL pool = MakePool(options.threads);
    InitializeThreadpoolEnvironment(&environment_);
    SetThreadpoolCallbackPool(&environment_, pool);
  }
  void Attach(Side *side) {
    side->io = CreateThreadpoolIo(File(side->fd), OnEnd, nullptr, &environment_);
    Check(side->io, "CreateThreadpoolIo");
  }
  void Stop(std::vector<Side> *sides, Counts *) {
    for (Side &side : *sides) {
      WaitForThreadpoolIoCallbacks(side.io, FALSE);
      CloseThreadpoolIo(side.io);
    }
    DestroyThreadpoolEnvironment(&environment_);
  }

 private:
  // Made once and not closed: its threads can't be waited for, and Wine crashes now and then if
  // the process ends while some of its threads are ending by themselves.
  static PTP_POOL MakePool(int num_threads) {
    const PTP_POOL pool = CreateThreadpool(nullptr);
    Check(pool, "CreateThreadpool");
    SetThreadpoolThreadMaximum(pool, num_threads);
    Check(SetThreadpoolThreadMinimum(pool, num_threads), "SetThreadpoolThreadMinimum");
    return pool;
  }

  static void CALLBACK OnEnd(PTP_CALLBACK_INSTANCE, void *, void *overlapped, ULONG error,
                             ULONG_PTR num_bytes, PTP_IO) {
    Side *const side = static_cast<Side *>(static_cast<OVERLAPPED *>(overlapped));
    side->counts.callbacks++;
    Continue(side, error, num_bytes);
  }

  TP_CALLBACK_ENVIRON environment_;
};

template <class Pool>
double Run(const Options &options, Counts *sums) {
  Pool pool(options);
  Round round;
  round.num_unanswered = options.connections;
  round.num_running = 2 * round.num_unanswered;
  const std::vector<SOCKET> fds = Connect(round.num_unanswered);
  std::vector<Side> sides(fds.size());
  for (size_t i = 0; i < fds.size(); i++) {
    sides[i].fd = fds[i];
    sides[i].round = &round;
    sides[i].is_client = sides[i].is_sending = i % 2 == 0;
    // Of the socket, not of one operation: so for receives too, but of these few end at once.
    sides[i].skips = SetFileCompletionNotificationModes(File(fds[i]), kSkippingModes);
    pool.Attach(&sides[i]);
  }
  const auto begin = std::chrono::steady_clock::now();
  for (Side &side : sides) {
    DWORD error = 0;
    if (Launch(&side, &error)) Continue(&side, error, side.InternalHigh);
  }
  WaitForSingleObject(round.all_answered, INFINITE);
  std::this_thread::sleep_until(begin + std::chrono::duration<double>(options.seconds));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  round.stopping = true;
  for (Side &side : sides) side.Cancel();
  WaitForSingleObject(round.all_ended, INFINITE);
  Counts counts{};
  pool.Stop(&sides, &counts);
  for (const Side &side : sides) {
    closesocket(side.fd);
    counts.Add(side.counts);
  }
  CloseHandle(round.all_answered);
  CloseHandle(round.all_ended);
  sums->Add(counts);
  return counts.exchanges / elapsed.count();
}

Options Parse(int argc, char **argv) {
  Options options;
  const std::map<std::string, double *> all = {{"--connections", &options.connections},
                                               {"--threads", &options.threads},
                                               {"--rounds", &options.rounds},
                                               {"--seconds", &options.seconds},
                                               {"--batch", &options.batch}};
  for (int i = 1; i < argc; i += 2) {
    const auto found = all.find(argv[i]);
    Check(found != all.end() && i + 1 < argc, argv[i]);
    *found->second = atof(argv[i + 1]);
  }
  const double least =
      std::min({options.connections, options.threads, options.rounds, options.batch});
  Check(least >= 1 && options.seconds >= 0 && options.batch <= kMaxBatch, "an argument");
  return options;
}

struct Contestant {
  const char *name;
  double (*run)(const Options &, Counts *);
  std::vector<double> rates;
  Counts counts;
};

// How often the system pool's threads wait is not to be seen from outside.
void Print(Contestant *contestant, double *first_rate) {
  const Counts &counts = contestant->counts;
  std::vector<double> *const rates = &contestant->rates;
  std::sort(rates->begin(), rates->end());
  const double rate = (*rates)[rates->size() / 2];
  if (*first_rate == 0) *first_rate = rate;
  printf("%-11s %11.0f %6.2f", contestant->name, rate, rate / *first_rate);
  for (const uint64_t count : {counts.receives, counts.sends, counts.waits, counts.starts,
                               counts.cancels, counts.callbacks})
    printf(" %9.3f", 1.0 * count / counts.exchanges);
  if (counts.waits) printf(" %12.2f", 1.0 * counts.packets / counts.waits);
  printf("\n");
}

// Whether each operation has ended exactly once.
bool IsSound(const Contestant &contestant) {
  const Counts &counts = contestant.counts;
  const uint64_t num_launched = counts.receives + counts.sends;
  printf("%-11s %llu operations, %llu ended (%llu cancelled), %llu faults\n", contestant.name,
         num_launched, counts.ended, counts.cancelled, counts.faults);
  return num_launched == counts.ended && counts.faults == 0;
}

}  // namespace

int main(int argc, char **argv) {
  const Options options = Parse(argc, argv);
  WSADATA unused;
  Check(!WSAStartup(MAKEWORD(2, 2), &unused), "WSAStartup");
  // A round does not end if an operation doesn't.
  const double limit = 60 + 4 * options.rounds * (options.seconds + 1);
  std::thread([limit] {
    std::this_thread::sleep_for(std::chrono::duration<double>(limit));
    Check(false, "an operation did not end");
  }).detach();
  Contestant all[] = {{"own threads", Run<OwnThreads>, {}, {}},
                      {"system pool", Run<SystemPool>, {}, {}}};
  for (int i = 0; i < options.rounds; i++)
    for (Contestant &one : all) one.rates.push_back(one.run(options, &one.counts));
  printf("%-11s %11s %6s %9s %9s %9s %9s %9s %9s %12s\n", "", "exchanges/s", "ratio", "WSARecv",
         "WSASend", "waits", "starts", "cancels", "callbacks", "packets/wait");
  double first_rate = 0;
  for (Contestant &one : all) Print(&one, &first_rate);
  bool is_sound = true;
  for (const Contestant &one : all) is_sound = IsSound(one) && is_sound;
  fflush(nullptr);
  ExitProcess(!is_sound);  // the thread above sleeps
}

#ifndef STRATA_BENCH_SOCKET_PAIR_H_
#define STRATA_BENCH_SOCKET_PAIR_H_

#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

// What loop_bench.cc and its peers' versions share.

// A connected pair of sockets that don't block. Closed at the end.
class SocketPair {
 public:
  SocketPair() {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_) < 0) fds_[0] = -1;
  }
  ~SocketPair() {
    if (!is_open()) return;
    close(fds_[0]);
    close(fds_[1]);
  }
  SocketPair(const SocketPair &) = delete;
  SocketPair &operator=(const SocketPair &) = delete;

  bool is_open() const { return fds_[0] >= 0; }
  int reader() const { return fds_[0]; }
  bool SendByte() const { return write(fds_[1], "x", 1) == 1; }
  bool TakeByte() const {
    char byte;
    return read(fds_[0], &byte, 1) == 1;
  }

 private:
  int fds_[2];
};

// How many bytes are passed on in a run of BM_Ring, besides those that it begins with.
constexpr int kNumRingWrites = 1000;

// As many pairs as the process may have descriptors for.
inline void AddRingSizes(benchmark::internal::Benchmark *benchmark,
                         const std::vector<int64_t> &timeouts) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  benchmark->ArgNames({"pairs", "active", "timeouts"});
  for (const int64_t num_pairs : {100, 1000, 8000}) {
    if (static_cast<rlim_t>(2 * num_pairs + 100) > limit.rlim_cur) continue;
    benchmark->ArgsProduct({{num_pairs}, {1, 100}, timeouts});
  }
}
inline void RingSizes(benchmark::internal::Benchmark *benchmark) {
  AddRingSizes(benchmark, {0, 1});
}
inline void RingSizesWithoutTimeouts(benchmark::internal::Benchmark *benchmark) {
  AddRingSizes(benchmark, {0});
}

#endif

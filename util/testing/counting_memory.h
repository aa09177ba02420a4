// The library's memory in a test: counted, and out of stock where the test says. It includes
// nothing of the library, so that a test on the installed libevent can have it too.
#ifndef STRATA_UTIL_TESTING_COUNTING_MEMORY_H_
#define STRATA_UTIL_TESTING_COUNTING_MEMORY_H_

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdlib>

// One for the whole program; any thread may allocate.
class CountingMemory {
 public:
  typedef void (*Setter)(void *(*)(size_t), void *(*)(void *, size_t), void (*)(void *));

  // `set` is event_set_mem_functions or strata_set_mem_functions. Best before the library has
  // allocated anything: the blocks of before are not counted when made, but when freed.
  static void Install(Setter set) { set(Malloc, Realloc, Free); }

  static constexpr long kAll = LONG_MAX;

  // Counts calls from 0 again. Of those that come, the first_failing-th fails (1: the next; 0: none
  // does), and num_failing in a row in all.
  static void Begin(long first_failing = 0, long num_failing = 1) {
    StopFailing();
    num_calls_ = 0;
    has_failed_ = false;
    num_failing_ = num_failing;
    first_failing_ = first_failing;
  }
  // From here on no call fails.
  static void StopFailing() { first_failing_ = 0; }

  // Calls that allocate, since Begin(); those that failed too.
  static long num_calls() { return num_calls_; }
  // Whether any has failed since Begin().
  static bool has_failed() { return has_failed_; }
  // Allocated and not freed.
  static long num_blocks() { return num_blocks_; }

 private:
  static bool Fails() {
    const long call = ++num_calls_, first = first_failing_;
    if (first == 0 || call < first || call - first >= num_failing_) return false;
    has_failed_ = true;
    errno = ENOMEM;
    return true;
  }
  static void *Malloc(size_t size) { return Realloc(nullptr, size); }
  static void *Realloc(void *old, size_t size) {
    if (Fails()) return nullptr;
    void *block = realloc(old, size);
    if (block != nullptr && old == nullptr) num_blocks_++;
    return block;
  }
  static void Free(void *block) {
    if (block != nullptr) num_blocks_--;
    free(block);
  }

  inline static std::atomic<long> num_calls_{0};
  inline static std::atomic<long> num_blocks_{0};
  inline static std::atomic<long> first_failing_{0};
  inline static std::atomic<long> num_failing_{1};
  inline static std::atomic<bool> has_failed_{false};
};

#endif

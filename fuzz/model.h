// What the models share: the input as a source of choices, and how a run is followed and ended.
#ifndef STRATA_FUZZ_MODEL_H_
#define STRATA_FUZZ_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace fuzz_model {

// What is done, on stderr, for whoever looks into a finding.
inline const bool g_is_traced = getenv("STRATA_FUZZ_TRACE") != nullptr;
#define TRACE(...)                                             \
  do {                                                         \
    if (fuzz_model::g_is_traced) fprintf(stderr, __VA_ARGS__); \
  } while (0)

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                \
    }                                                                         \
  } while (0)

class Source {
 public:
  Source(const uint8_t *data, size_t data_len) : data_(data), data_len_(data_len) {}
  bool IsEmpty() const { return pos_ >= data_len_; }
  size_t Choose(size_t limit) { return IsEmpty() ? 0 : data_[pos_++] % limit; }

 private:
  const uint8_t *data_;
  size_t data_len_;
  size_t pos_ = 0;
};

}  // namespace fuzz_model

#endif  // STRATA_FUZZ_MODEL_H_

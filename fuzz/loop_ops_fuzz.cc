// Operations on a base over the simulated backend as the input says, against a plain model of the
// loop. The input is read as a list of choices; loop/model_testing.h gives them their meaning.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "loop/model_testing.h"

namespace {

class InputSource : public loop_model::Source {
 public:
  InputSource(const uint8_t *data, size_t data_len) : data_(data), data_len_(data_len) {}

  bool IsEmpty() const { return pos_ >= data_len_; }
  unsigned Choose(unsigned limit) override { return pos_ < data_len_ ? data_[pos_++] % limit : 0; }
  void Fail(const char *what, const char *file, int line) override {
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    abort();
  }

 private:
  const uint8_t *data_;
  size_t data_len_;
  size_t pos_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  InputSource source(data, size);
  loop_model::Model model(source);
  for (int i = 0; i < 1000 && !source.IsEmpty(); i++) model.Step();
  return 0;
}

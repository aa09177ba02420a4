// Operations on evbuffers as the input says, against byte strings. The input is read as a list of
// choices; buffer/model_testing.h gives them their meaning.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "buffer/model_testing.h"

namespace {

class InputSource : public buffer_model::Source {
 public:
  InputSource(const uint8_t *data, size_t data_len) : data_(data), data_len_(data_len) {}

  bool IsEmpty() const { return pos_ >= data_len_; }
  size_t Choose(size_t limit) override {
    size_t value = Byte();
    if (limit > 256) value = value << 8 | Byte();
    return limit ? value % limit : 0;
  }
  void Fail(const char *what, const char *file, int line) override {
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    abort();
  }

 private:
  size_t Byte() { return pos_ < data_len_ ? data_[pos_++] : 0; }

  const uint8_t *data_;
  size_t data_len_;
  size_t pos_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  InputSource source(data, size);
  size_t has_callbacks = source.Choose(2);
  buffer_model::Model model(source, has_callbacks);
  for (int i = 0; i < 400 && !source.IsEmpty(); i++) model.Step();
  return 0;
}

// Random operations on several buffers, each checked against a byte string that does the same.
// Runs on strata and on the installed libevent.
#include "buffer/model_testing.h"

#include <gtest/gtest.h>

#include <random>

namespace {

class RandomSource : public buffer_model::Source {
 public:
  explicit RandomSource(unsigned seed) : random_(seed) {}
  size_t Choose(size_t limit) override { return limit ? random_() % limit : 0; }
  void Fail(const char *what, const char *file, int line) override {
    ADD_FAILURE_AT(file, line) << what;
  }

 private:
  std::mt19937 random_;
};

class Model : public ::testing::TestWithParam<int> {};

TEST_P(Model, AgreesWithAString) {
  RandomSource source(static_cast<unsigned>(GetParam()) * 7919u + 1);
  buffer_model::Model model(source, GetParam() % 2);
  for (int i = 0; i < 2000 && !HasFailure(); i++) {
    SCOPED_TRACE(i);
    model.Step();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Model, ::testing::Range(0, 12));

}  // namespace

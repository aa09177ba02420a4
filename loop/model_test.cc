// Random operations on a base over the simulated backend, from inside and outside of callbacks,
// against a plain model of the loop. loop/model_testing.h gives the numbers their meaning.
#include "loop/model_testing.h"

#include <random>

#include "gtest/gtest.h"

namespace {

class RandomSource : public loop_model::Source {
 public:
  explicit RandomSource(unsigned seed) : random_(seed) {}
  unsigned Choose(unsigned limit) override { return static_cast<unsigned>(random_() % limit); }
  void Fail(const char *what, const char *file, int line) override {
    ADD_FAILURE_AT(file, line) << what;
  }

 private:
  std::mt19937 random_;
};

class LoopModel : public ::testing::TestWithParam<unsigned> {};

TEST_P(LoopModel, AgreesWithAPlainLoop) {
  constexpr int kNumModels = 60, kNumSteps = 300;
  long num_calls = 0;
  for (int k = 0; k < kNumModels && !HasFailure(); k++) {
    RandomSource source(GetParam() * 1000 + k);
    loop_model::Model model(source);
    for (int i = 0; i < kNumSteps && !HasFailure(); i++) {
      SCOPED_TRACE(::testing::Message() << "model " << k << ", step " << i);
      model.Step();
    }
    num_calls += model.num_calls();
  }
  if (HasFailure()) return;
  EXPECT_LT(kNumModels * kNumSteps / 4, num_calls);  // The loop does run callbacks.
}

INSTANTIATE_TEST_SUITE_P(Seeds, LoopModel, ::testing::Range(0u, 10u));

}  // namespace

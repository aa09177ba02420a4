// Linked into every suite that runs again under faults (strata_fault_tests): a run in which none
// happened proves nothing, and fails.

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "util/testing/faults.h"

namespace {

class FaultsHappened : public ::testing::Environment {
 public:
  void TearDown() override {
    const char *plan = std::getenv("STRATA_FAULTS");
    const std::string filter = ::testing::GTEST_FLAG(filter);
    // A test chosen by hand may have no use for a fault.
    if (plan == nullptr || (filter != "*" && filter[0] != '-')) return;
    std::cout << strata_faults_total() << " faults of " << plan << "\n";
    EXPECT_GT(strata_faults_total(), 0u) << plan;
  }
};

// GoogleTest deletes it.
[[maybe_unused]] const auto *const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new FaultsHappened);

}  // namespace

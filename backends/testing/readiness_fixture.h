// The fixture that the parts of the readiness suite share.
#ifndef BACKENDS_TESTING_READINESS_FIXTURE_H_
#define BACKENDS_TESTING_READINESS_FIXTURE_H_

#include <cctype>
#include <string>

#include "backends/testing/readiness_driver.h"

struct ReadinessName {
  std::string operator()(
      const testing::TestParamInfo<const struct event_readiness_ops *> &info) const {
    std::string name = info.param->name;
    for (char &c : name) {
      if (!isalnum(static_cast<unsigned char>(c))) c = '_';
    }
    return name;
  }
};

class ReadinessConformance : public testing::TestWithParam<const struct event_readiness_ops *> {
 protected:
  typedef readiness_testing::Backend Backend;
  typedef readiness_testing::Fd Fd;
  typedef readiness_testing::Pair Pair;
  typedef readiness_testing::Report Report;
  typedef readiness_testing::Sink Sink;
  typedef readiness_testing::TcpPair TcpPair;

  ReadinessConformance() : backend_(GetParam()) {}
  void SetUp() override {
    if (!backend_.exists() && std::string(GetParam()->name) == "io_uring")
      GTEST_SKIP() << "the kernel has none for this program";
    ASSERT_TRUE(backend_.exists());
  }

  Backend backend_;
};

// Wine's driver looks at the first byte that waits: behind unread data it sees no end.
#ifdef _WIN32
#define READINESS_NOT_ON_WINE()                                                     \
  if (GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != nullptr) \
  GTEST_SKIP() << "Wine does not see it"
#else
#define READINESS_NOT_ON_WINE() (void)0
#endif

#define READINESS_NEEDS(feature) \
  if (!backend_.Has(feature)) GTEST_SKIP() << "the backend does not have " #feature

#endif  // BACKENDS_TESTING_READINESS_FIXTURE_H_

// Linked into every test of strata's own: fails the test program when the installed libevent is
// loaded in its process. Then a missing dependency was satisfied by the machine, and the test is
// not a test of strata.

#include <gtest/gtest.h>

#include <cstring>
#if __has_include(<link.h>)
#include <link.h>
#endif

namespace {

#if __has_include(<link.h>)
int FailIfLibevent(struct dl_phdr_info *info, size_t, void *) {
  if (std::strstr(info->dlpi_name, "libevent") != nullptr) {
    ADD_FAILURE() << info->dlpi_name << " is loaded: this is a test of libevent, not of strata";
  }
  return 0;
}

class NoSystemLibevent : public ::testing::Environment {
 public:
  void SetUp() override { dl_iterate_phdr(FailIfLibevent, nullptr); }
};

// GoogleTest deletes it.
[[maybe_unused]] const auto *const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new NoSystemLibevent);
#endif

}  // namespace

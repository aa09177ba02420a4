// The names of libevent's API that strata has: most of the test is that this program compiles (each
// name is declared by its header, which needs no other header before it) and links.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tools/api/symbol.h"

namespace {

TEST(Api, EveryNameHasAnAddress) {
  size_t num_symbols = 0;
  for (const struct api_header *const *header = api_headers; *header; header++) {
    for (size_t i = 0; i < (*header)->num_symbols; i++) {
      EXPECT_NE(0u, (*header)->symbols[i].address) << (*header)->symbols[i].name;
    }
    num_symbols += (*header)->num_symbols;
  }
  EXPECT_GT(num_symbols, 300u);
  RecordProperty("names", static_cast<int>(num_symbols));
}

// An old header gives the same function as the new one.
TEST(Api, ANameMeansOneThing) {
  std::map<std::string, uintptr_t> addresses;
  for (const struct api_header *const *header = api_headers; *header; header++) {
    for (size_t i = 0; i < (*header)->num_symbols; i++) {
      const struct api_symbol &symbol = (*header)->symbols[i];
      EXPECT_EQ(symbol.address, addresses.emplace(symbol.name, symbol.address).first->second)
          << symbol.name;
    }
  }
}

}  // namespace

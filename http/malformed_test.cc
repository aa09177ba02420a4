#include "http/malformed_cases.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "http/parser_testing.h"

namespace {

using parser_testing::Describe;
using parser_testing::DifferenceWhenCut;
using parser_testing::Outcome;
using parser_testing::ReadWhole;

TEST(Malformed, ThereAreEnoughCasesAndNoneTwice) {
  std::set<std::string> names;
  for (const MalformedCase &c : MalformedCases()) {
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
  }
  EXPECT_GE(names.size(), 60u);
}

TEST(Malformed, EachGetsItsStatus) {
  for (const MalformedCase &c : MalformedCases()) {
    Outcome outcome = ReadWhole(c.bytes);
    EXPECT_EQ(outcome.status(), c.status) << c.name << " (" << c.rfc << ")\n"
                                          << Describe(outcome).substr(0, 2000);
  }
}

TEST(Malformed, EachIsTheSameHoweverCut) {
  for (const MalformedCase &c : MalformedCases()) {
    EXPECT_EQ(DifferenceWhenCut(c.bytes).substr(0, 4000), "") << c.name;
  }
}

// One byte less than the offending one must not be refused: the answer comes at the first byte
// that makes the request hopeless, and not for a wrong reason before.
TEST(Malformed, NothingIsRefusedTooEarly) {
  for (const MalformedCase &c : MalformedCases()) {
    Outcome outcome = ReadWhole(c.bytes);
    if (outcome.stage == "framing") continue;
    // At a limit the byte before it is already the last straw.
    if (outcome.status() == 414 || outcome.status() == 431 || outcome.status() == 501) continue;
    Outcome before = ReadWhole(c.bytes.substr(0, outcome.consumed));
    EXPECT_EQ(before.result, EVHTTP_PARSE_PARTIAL) << c.name;
  }
}

}  // namespace

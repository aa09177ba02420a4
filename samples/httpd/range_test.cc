#include "samples/httpd/range.h"

#include <gtest/gtest.h>

namespace {

struct Case {
  const char *header;
  range_outcome outcome;
  uint64_t offset;
  uint64_t length;
};

// Of a file of 1000 bytes.
const Case kCases[] = {
    {nullptr, RANGE_WHOLE, 0, 1000},
    {"bytes=0-0", RANGE_PART, 0, 1},
    {"bytes=0-999", RANGE_PART, 0, 1000},
    {"bytes=10-19", RANGE_PART, 10, 10},
    {"BYTES=10-19", RANGE_PART, 10, 10},
    {"bytes=990-5000", RANGE_PART, 990, 10},
    {"bytes=990-", RANGE_PART, 990, 10},
    {"bytes=999-", RANGE_PART, 999, 1},
    {"bytes=-1", RANGE_PART, 999, 1},
    {"bytes=-1000", RANGE_PART, 0, 1000},
    {"bytes=-2000", RANGE_PART, 0, 1000},
    {"bytes= 1-2 ", RANGE_PART, 1, 2},
    {"bytes=0-99999999999999999999999999", RANGE_PART, 0, 1000},
    {"bytes=-99999999999999999999999999", RANGE_PART, 0, 1000},
    {"bytes=1000-", RANGE_UNSATISFIABLE, 0, 1000},
    {"bytes=1000-1001", RANGE_UNSATISFIABLE, 0, 1000},
    {"bytes=99999999999999999999-", RANGE_UNSATISFIABLE, 0, 1000},
    {"bytes=-0", RANGE_UNSATISFIABLE, 0, 1000},
    {"bytes=2-1", RANGE_WHOLE, 0, 1000},
    {"bytes=5000-1", RANGE_WHOLE, 0, 1000},
    {"bytes=", RANGE_WHOLE, 0, 1000},
    {"bytes=-", RANGE_WHOLE, 0, 1000},
    {"bytes=1", RANGE_WHOLE, 0, 1000},
    {"bytes=a-b", RANGE_WHOLE, 0, 1000},
    {"bytes=1-2x", RANGE_WHOLE, 0, 1000},
    {"bytes=--1", RANGE_WHOLE, 0, 1000},
    {"bytes=+1-2", RANGE_WHOLE, 0, 1000},
    {"bytes=0-1,5-6", RANGE_WHOLE, 0, 1000},
    {"lines=1-2", RANGE_WHOLE, 0, 1000},
    {"", RANGE_WHOLE, 0, 1000},
};

TEST(RangeTest, ReadsEveryForm) {
  for (const Case &c : kCases) {
    SCOPED_TRACE(c.header == nullptr ? "(none)" : c.header);
    range range;
    EXPECT_EQ(c.outcome, range_parse(c.header, 1000, &range));
    EXPECT_EQ(c.offset, range.offset);
    EXPECT_EQ(c.length, range.length);
  }
}

TEST(RangeTest, AnEmptyFileHasNoParts) {
  range range;
  for (const char *header : {"bytes=0-", "bytes=0-0", "bytes=-1"}) {
    EXPECT_EQ(RANGE_WHOLE, range_parse(header, 0, &range));
    EXPECT_EQ(0u, range.length);
  }
}

TEST(RangeTest, TheLargestSizeDoesNotOverflow) {
  range range;
  EXPECT_EQ(RANGE_PART, range_parse("bytes=0-18446744073709551615", UINT64_MAX, &range));
  EXPECT_EQ(UINT64_MAX, range.length);
  EXPECT_EQ(RANGE_PART, range_parse("bytes=-1", UINT64_MAX, &range));
  EXPECT_EQ(UINT64_MAX - 1, range.offset);
}

}  // namespace

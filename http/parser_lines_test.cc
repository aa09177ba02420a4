#include "http/parser_lines.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "http/malformed_cases.h"
#include "http/parser_lines_testing.h"

namespace {

using parser_lines_testing::AllLines;
using parser_lines_testing::Disagreement;
using parser_lines_testing::Init;
using parser_lines_testing::kStepsOnly;
using parser_lines_testing::ParseUpTo;
using parser_lines_testing::Using;

const evhttp_head_limits kLimits = {8192, 65536, 100};

std::vector<size_t> EveryCut(const std::string &bytes) {
  std::vector<size_t> cuts;
  size_t step = bytes.size() > 300 ? bytes.size() / 41 : 1;
  for (size_t cut = 1; cut < bytes.size(); cut += step) cuts.push_back(cut);
  return cuts;
}

std::string RequestDisagreement(const std::string &bytes,
                                const evhttp_head_limits &limits = kLimits) {
  return Disagreement(evhttp_head_parser_init_request, bytes, limits, EveryCut(bytes));
}

// The whole head at once only, which is what reaches the fast path furthest.
std::string WholeDisagreement(Init init, const std::string &bytes) {
  std::string expected = ParseUpTo(&kStepsOnly, init, bytes, {bytes.size()}, kLimits);
  for (const strata_http_lines *lines : AllLines()) {
    std::string states = ParseUpTo(lines, init, bytes, {bytes.size()}, kLimits);
    if (states != expected) return std::string(lines->name) + ": " + states + "not " + expected;
  }
  return "";
}

TEST(Lines, ListBeginsWithThePortableOneAndEndsWithTheFastest) {
  std::vector<const strata_http_lines *> all = AllLines();
  ASSERT_FALSE(all.empty());
  EXPECT_STREQ(all.front()->name, "portable");
  EXPECT_EQ(strata_http_lines_current(), all.back());
  EXPECT_EQ(strata_http_lines_get(100), nullptr);
  {
    Using use(all.front());
    EXPECT_EQ(strata_http_lines_current(), all.front());
  }
  EXPECT_EQ(strata_http_lines_current(), all.back());
}

// Not every C library that programs are linked with has what the compiler asks for the processor.
#if defined(STRATA_HTTP_HAS_AVX2) && defined(__GLIBC__)
TEST(Lines, MachinesWithAvx2UseIt) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2")) GTEST_SKIP();
  EXPECT_STREQ(strata_http_lines_current()->name, "avx2");
}
#endif

// A well-formed head must not fall back to the steps: nothing but the speed would tell.
TEST(Lines, UsualHeadsAreReadToTheirEnd) {
  const struct {
    Init init;
    strata_http_lines_from from;
    std::string bytes;
  } cases[] = {
      {evhttp_head_parser_init_request, STRATA_HTTP_FROM_REQUEST_LINE,
       "GET /a?b HTTP/1.1\r\nHost: a\r\nA:\r\nB:c \t\r\nC: d\te\r\n\r\n"},
      {evhttp_head_parser_init_request, STRATA_HTTP_FROM_REQUEST_LINE, "GET / HTTP/1.0\r\n\r\n"},
      {evhttp_head_parser_init_response, STRATA_HTTP_FROM_STATUS_LINE,
       "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n"},
      {evhttp_head_parser_init_response, STRATA_HTTP_FROM_STATUS_LINE, "HTTP/1.0 200 \r\n\r\n"},
      {evhttp_head_parser_init_trailer, STRATA_HTTP_FROM_FIELDS, "A: b\r\nC: d\r\n\r\n"},
      {evhttp_head_parser_init_trailer, STRATA_HTTP_FROM_FIELDS, "\r\n"},
  };
  for (const strata_http_lines *lines : AllLines()) {
    for (const auto &c : cases) {
      evhttp_head_field fields[8];
      evhttp_head_limits limits = {100, 1000, 8};
      evhttp_head_parser parser;
      c.init(&parser, fields, &limits);
      uint32_t len = static_cast<uint32_t>(c.bytes.size());
      EXPECT_TRUE(lines->take(&parser, c.bytes.data(), len, c.from)) << lines->name << c.bytes;
      EXPECT_EQ(parser.consumed, len);
    }
  }
}

TEST(Lines, MalformedRequestsComeToTheSame) {
  for (const MalformedCase &c : MalformedCases()) {
    // The long ones are for the limits, which the head shows in its beginning.
    std::string bytes = c.bytes.substr(0, 9000);
    std::string difference = bytes.size() > 100
                                 ? WholeDisagreement(evhttp_head_parser_init_request, bytes)
                                 : RequestDisagreement(bytes);
    EXPECT_EQ(difference, "") << c.name;
  }
}

// Names, targets, values and reasons of all lengths about those of registers and blocks, the head
// ending with the memory that it lies in.
TEST(Lines, LengthsAboutThoseOfRegisters) {
  for (size_t len = 0; len <= 140; ++len) {
    const std::string part(len, 'p');
    const std::string heads[] = {
        part + " / HTTP/1.1\r\n\r\n",
        "GET " + part + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n" + part + ":\r\n\r\n",
        "GET / HTTP/1.1\r\nA: " + part + "\r\n\r\n",
        "GET / HTTP/1.1\r\nA:" + part + "  \r\nB: c\r\n\r\n",
        "GET / HTTP/1.1\r\n" + part + ": " + part + "\r\nB: c\r\n\r\n" + part,
    };
    for (const std::string &head : heads) {
      for (size_t cut = 0; cut < 6 && cut < head.size(); ++cut) {
        EXPECT_EQ(
            WholeDisagreement(evhttp_head_parser_init_request, head.substr(0, head.size() - cut)),
            "");
      }
    }
    EXPECT_EQ(WholeDisagreement(evhttp_head_parser_init_response,
                                "HTTP/1.1 200 " + part + "\r\nA: b\r\n\r\n"),
              "");
    EXPECT_EQ(WholeDisagreement(evhttp_head_parser_init_trailer, part + ":" + part + "\r\n\r\n"),
              "");
  }
}

TEST(Lines, EverySplitAtTheSizesOfRegisters) {
  for (size_t len : {15, 16, 17, 31, 32, 33, 63, 64, 65}) {
    const std::string start = "GET / HTTP/1.1\r\n", end = "\r\n\r\n";
    for (size_t total : {len, len + 64}) {
      std::string head = start + "A: ";
      if (total < head.size() + end.size()) {
        head = (start + end).substr(0, total);
      } else {
        head += std::string(total - head.size() - end.size(), 'v') + end;
        ASSERT_EQ(head.size(), total);
      }
      EXPECT_EQ(RequestDisagreement(head), "");
    }
  }
}

// Every byte value at every place of a register, in each kind of run.
TEST(Lines, EachByteAtEachPlace) {
  for (size_t place : {0, 1, 15, 16, 17, 31, 32, 47, 63, 64, 69}) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string run(70, 'r');
      run[place] = static_cast<char>(byte);
      const std::string heads[] = {
          run + " / HTTP/1.1\r\n\r\n",
          "GET /" + run + " HTTP/1.1\r\n\r\n",
          "GET / HTTP/1.1\r\n" + run + ": v\r\n\r\n",
          "GET / HTTP/1.1\r\nName: " + run + "\r\n\r\n",
      };
      for (const std::string &head : heads) {
        ASSERT_EQ(WholeDisagreement(evhttp_head_parser_init_request, head), "")
            << place << " " << byte;
      }
    }
  }
}

TEST(Lines, Limits) {
  const std::string head =
      "GET /0123456789012345678901234567890123456789 HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n";
  auto disagreement = [](const std::string &bytes, const evhttp_head_limits &limits) {
    return Disagreement(evhttp_head_parser_init_request, bytes, limits, {});
  };
  for (uint32_t line_len = 50; line_len < 62; ++line_len) {
    EXPECT_EQ(disagreement(head, {line_len, 1000, 10}), "") << line_len;
  }
  for (uint32_t head_len = 50; head_len <= head.size() + 3; ++head_len) {
    EXPECT_EQ(disagreement(head, {1000, head_len, 10}), "") << head_len;
    EXPECT_EQ(disagreement("\r\n" + head, {1000, head_len, 10}), "") << head_len;
  }
  for (uint32_t num_fields = 0; num_fields < 4; ++num_fields) {
    EXPECT_EQ(disagreement(head, {1000, 1000, num_fields}), "") << num_fields;
  }
}

TEST(Lines, UnusualButGood) {
  const std::string heads[] = {
      "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n",
      "GET / HTTP/1.7\r\nA: b\r\n\r\n",
      "GET / HTTP/1.1\r\nA:  b\r\nC:\td\r\nE: \t \r\nF: g\r\n\r\n",
      "GET / HTTP/1.1\r\nA:" + std::string(200, ' ') + "\r\nB: c\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b" + std::string(200, ' ') + "\r\nB: c\r\n\r\n",
  };
  for (const std::string &head : heads) {
    EXPECT_EQ(RequestDisagreement(head), "") << head;
  }
  const std::string responses[] = {
      "HTTP/1.1 200\r\nA: b\r\n\r\n",
      "HTTP/1.5 200 OK\r\nA: b\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/1.1 999 \xff\r\n\r\n",
  };
  for (const std::string &head : responses) {
    EXPECT_EQ(Disagreement(evhttp_head_parser_init_response, head, kLimits, EveryCut(head)), "")
        << head;
  }
}

// Heads put together at random out of what matters to the parser.
TEST(Lines, RandomHeads) {
  static const std::string parts[] = {"\r\n",
                                      "\r",
                                      "\n",
                                      ":",
                                      ": ",
                                      " ",
                                      "\t",
                                      "a",
                                      "Name",
                                      "/path",
                                      "HTTP/1.1",
                                      "HTTP/1.0",
                                      " HTTP/1.1\r\n",
                                      "GET / HTTP/1.1\r\n",
                                      "A: b\r\n",
                                      "HTTP/1.1 200 OK\r\n",
                                      "#",
                                      "\x7f",
                                      std::string(1, '\0'),
                                      "\xc3\xa9",
                                      std::string(29, 'x'),
                                      std::string(61, 'y')};
  std::mt19937 random(6);
  for (int round = 0; round < 60; ++round) {
    std::string bytes;
    if (random() % 4) bytes = random() % 2 ? "GET / HTTP/1.1\r\n" : "HTTP/1.1 200 OK\r\n";
    for (size_t i = random() % 12; i > 0; --i) {
      bytes += parts[random() % (sizeof(parts) / sizeof(parts[0]))];
      if (random() % 3 == 0) bytes += "A: b\r\n";
    }
    for (Init init : {evhttp_head_parser_init_request, evhttp_head_parser_init_response,
                      evhttp_head_parser_init_trailer}) {
      ASSERT_EQ(Disagreement(init, bytes, {80, 300, 4}, {bytes.size() / 2}), "") << bytes;
    }
  }
}

}  // namespace

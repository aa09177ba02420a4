#ifndef STRATA_HTTP_PARSER_LINES_TESTING_H_
#define STRATA_HTTP_PARSER_LINES_TESTING_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "http/parser.h"
#include "http/parser_lines.h"

// What the ways to read lines are held against each other with: the parser's whole state after
// each of the pieces that a head arrives in.

namespace parser_lines_testing {

inline int TakeNothing(evhttp_head_parser *, const char *, uint32_t, strata_http_lines_from) {
  return 0;
}

// Leaves every line to the state machine: what the others are compared with.
constexpr strata_http_lines kStepsOnly = {"steps only", TakeNothing};

inline std::vector<const strata_http_lines *> AllLines() {
  std::vector<const strata_http_lines *> all;
  for (unsigned i = 0; strata_http_lines_get(i); ++i) all.push_back(strata_http_lines_get(i));
  return all;
}

// All parsers use `lines` during its life.
class Using {
 public:
  explicit Using(const strata_http_lines *lines) { strata_http_lines_use(lines); }
  ~Using() { strata_http_lines_use(nullptr); }
  Using(const Using &) = delete;
  Using &operator=(const Using &) = delete;
};

using Init = void (*)(evhttp_head_parser *, evhttp_head_field *, const evhttp_head_limits *);

// Everything but `field`, which only the steps use.
inline std::string State(const evhttp_head_parser &p,
                         const std::vector<evhttp_head_field> &fields) {
  const uint32_t numbers[] = {
      static_cast<uint32_t>(p.error),
      p.state,
      p.index,
      p.scan_off,
      p.consumed,
      p.line_end_max,
      p.method.off,
      p.method.len,
      p.target.off,
      p.target.len,
      p.reason.off,
      p.reason.len,
      p.status_code,
      p.version_major,
      p.version_minor,
      p.sent_minor,
      p.num_fields,
  };
  std::string text;
  for (uint32_t number : numbers) text += std::to_string(number) + " ";
  for (uint32_t i = 0; i < p.num_fields; ++i) {
    const evhttp_head_field &f = fields[i];
    text += "[" + std::to_string(f.name_off) + "+" + std::to_string(f.name_len) + " " +
            std::to_string(f.value_off) + "+" + std::to_string(f.value_len) + "]";
  }
  return text + "\n";
}

// Gives the parser the first `ends[0]` bytes, then the first `ends[1]` ..., each time in memory of
// exactly that size, and returns its states, or the last of them.
inline std::string ParseUpTo(const strata_http_lines *lines, Init init, const std::string &bytes,
                             const std::vector<size_t> &ends, const evhttp_head_limits &limits,
                             bool only_last = false) {
  Using use(lines);
  std::vector<evhttp_head_field> fields(limits.num_fields);
  evhttp_head_parser parser;
  std::string states;
  init(&parser, fields.data(), &limits);
  for (size_t end : ends) {
    std::unique_ptr<char[]> exact(new char[end]);
    std::copy_n(bytes.begin(), end, exact.get());
    enum evhttp_parse_result result = evhttp_head_parse(&parser, exact.get(), end);
    std::string state = std::to_string(result) + ": " + State(parser, fields);
    states = only_last ? state : states + state;
  }
  return states;
}

inline std::vector<size_t> ByteByByte(const std::string &bytes) {
  std::vector<size_t> ends;
  for (size_t end = 1; end <= bytes.size(); ++end) ends.push_back(end);
  return ends;
}

// Empty if the bytes, cut at each place of `cuts`, bring every way to read lines to the states that
// the state machine comes to alone; otherwise what differs.
inline std::string Disagreement(Init init, const std::string &bytes,
                                const evhttp_head_limits &limits, const std::vector<size_t> &cuts) {
  std::vector<std::vector<size_t>> ways = {{bytes.size()}, ByteByByte(bytes)};
  for (size_t cut : cuts) ways.push_back({cut, bytes.size()});
  std::string whole;
  if (bytes.empty()) return "";
  for (const std::vector<size_t> &ends : ways) {
    std::string expected = ParseUpTo(&kStepsOnly, init, bytes, ends, limits);
    std::string last = ParseUpTo(&kStepsOnly, init, bytes, ends, limits, true);
    if (whole.empty()) whole = last;
    if (last != whole) return "the steps depend on the cut at " + std::to_string(ends[0]);
    for (const strata_http_lines *lines : AllLines()) {
      std::string states = ParseUpTo(lines, init, bytes, ends, limits);
      if (states != expected) {
        return std::string(lines->name) + ", cut at " + std::to_string(ends[0]) + ":\n" + states +
               "steps only:\n" + expected;
      }
    }
  }
  return "";
}

}  // namespace parser_lines_testing

#endif

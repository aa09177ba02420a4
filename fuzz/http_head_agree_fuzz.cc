// Heads as bytes: every way to read lines comes to what the state machine comes to alone, after
// each of the pieces that a head arrives in, wherever it is cut.
//
// Input: what kind of head and which limits (a byte), the head.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "fuzz/model.h"
#include "http/parser.h"
#include "http/parser_lines.h"
#include "http/parser_lines_testing.h"

namespace {

using parser_lines_testing::Init;
using parser_lines_testing::kStepsOnly;

constexpr uint32_t kMaxFields = 12;

struct Parse {
  evhttp_head_parser parser;
  evhttp_head_field fields[kMaxFields];
};

bool IsSame(const evhttp_span &a, const evhttp_span &b) {
  return a.off == b.off && a.len == b.len;
}

bool IsSame(const evhttp_head_field &a, const evhttp_head_field &b) {
  return a.name_off == b.name_off && a.name_len == b.name_len && a.value_off == b.value_off &&
         a.value_len == b.value_len;
}

// Everything but `field`, which only the steps use.
bool IsSame(const Parse &x, const Parse &y) {
  const evhttp_head_parser &a = x.parser, &b = y.parser;
  if (a.error != b.error || a.state != b.state || a.index != b.index) return false;
  if (a.scan_off != b.scan_off || a.consumed != b.consumed) return false;
  if (a.num_fields != b.num_fields || a.line_end_max != b.line_end_max) return false;
  if (!IsSame(a.method, b.method) || !IsSame(a.target, b.target)) return false;
  if (!IsSame(a.reason, b.reason) || a.status_code != b.status_code) return false;
  if (a.version_major != b.version_major || a.version_minor != b.version_minor) return false;
  if (a.sent_minor != b.sent_minor) return false;
  for (uint32_t i = 0; i < a.num_fields; ++i) {
    if (!IsSame(x.fields[i], y.fields[i])) return false;
  }
  return true;
}

class Heads {
 public:
  Heads(uint8_t choice, const uint8_t *data, size_t len)
      : bytes_(reinterpret_cast<const char *>(data)), len_(len) {
    static const Init kInits[] = {evhttp_head_parser_init_request, evhttp_head_parser_init_response,
                                  evhttp_head_parser_init_trailer};
    static const evhttp_head_limits kLimits[] = {
        {400, 2000, kMaxFields}, {60, 150, 3}, {8000, 100, 2}, {33, 64, 1}};
    init_ = kInits[choice % 3];
    limits_ = kLimits[choice / 3 % 4];
  }

  void Check() {
    Parse whole;
    Start(&whole);
    Feed(&kStepsOnly, &whole, len_);
    CheckCut(len_, whole);
    for (size_t cut = 0; cut<len_; cut += len_> 300 ? 1 + len_ / 200 : 1) CheckCut(cut, whole);
    CheckByteByByte(whole);
  }

 private:
  void Start(Parse *out) { init_(&out->parser, out->fields, &limits_); }

  // The bytes lie in memory of exactly their length, at a new place each time.
  void Feed(const strata_http_lines *lines, Parse *parse, size_t len) {
    std::unique_ptr<char[]> exact(new char[len]);
    std::copy_n(bytes_, len, exact.get());
    strata_http_lines_use(lines);
    enum evhttp_parse_result result = evhttp_head_parse(&parse->parser, exact.get(), len);
    CHECK(result == parse->parser.error);
    CHECK(parse->parser.scan_off <= len);
  }

  void CheckCut(size_t cut, const Parse &whole) {
    Parse expected;
    Start(&expected);
    Feed(&kStepsOnly, &expected, cut);
    for (unsigned i = 0; strata_http_lines_get(i); ++i) {
      Parse parse;
      Start(&parse);
      Feed(strata_http_lines_get(i), &parse, cut);
      CHECK(IsSame(parse, expected));
      Feed(strata_http_lines_get(i), &parse, len_);
      CHECK(IsSame(parse, whole));
    }
  }

  void CheckByteByByte(const Parse &whole) {
    for (unsigned i = 0; strata_http_lines_get(i) && len_ <= 600; ++i) {
      Parse parse;
      Start(&parse);
      for (size_t len = 1; len <= len_; ++len) Feed(strata_http_lines_get(i), &parse, len);
      CHECK(IsSame(parse, whole));
    }
  }

  const char *bytes_;
  size_t len_;
  Init init_;
  evhttp_head_limits limits_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > 2500) return 0;
  Heads(data[0], data + 1, size - 1).Check();
  return 0;
}

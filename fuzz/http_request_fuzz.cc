// Requests, responses and chunked bodies as bytes: besides not crashing, the outcome must not
// depend on how the bytes arrive, what was accepted must mean the same when written out again, and
// nothing that another recipient could read differently may be accepted.

#include <event2/http.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "http/chunked.h"
#include "http/framing.h"
#include "http/parser.h"
#include "http/parser_testing.h"
#include "http/scan.h"
#include "http/uri.h"

namespace {

using parser_testing::Describe;
using parser_testing::Field;
using parser_testing::Limits;
using parser_testing::Outcome;

void Check(bool holds, const char *what, const std::string &details) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n%s\n", what, details.c_str());
  abort();
}

// Small ones, so that the fuzzer reaches them.
Limits SmallLimits() {
  Limits limits;
  limits.head = {200, 1000, 8};
  limits.body_len = 500;
  return limits;
}

// The same input is always cut the same way.
class Random {
 public:
  explicit Random(const std::string &seed) {
    for (char c : seed) Next(static_cast<unsigned char>(c));
  }
  uint32_t Next(uint32_t salt = 0) {
    state_ = (state_ ^ salt) * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33);
  }

 private:
  uint64_t state_ = 88172645463325252u;
};

void CheckCuts(const std::string &bytes, const Outcome &whole, const Limits &limits) {
  std::string expected = Describe(whole);
  Random random(bytes);
  if (bytes.size() <= 1500) {
    std::string other = Describe(parser_testing::ReadByByte(bytes, limits));
    Check(other == expected, "byte by byte differs", expected + other);
  }
  for (uint32_t most : {3u, 40u, 400u}) {
    std::string other = Describe(parser_testing::ReadInPieces(
        bytes, [&] { return random.Next() % most + 1; }, limits));
    Check(other == expected, "in pieces differs", expected + other);
  }
}

std::string HeadText(const Outcome &outcome) {
  std::string text =
      outcome.method + " " + outcome.target + " HTTP/1." + std::to_string(outcome.minor) + "\r\n";
  for (const Field &field : outcome.fields) text += field.first + ": " + field.second + "\r\n";
  return text + "\r\n";
}

// Written out canonically the head has the same fields and framing, the body sent as one piece
// the same bytes.
void CheckRoundTrip(const Outcome &outcome) {
  std::string text = HeadText(outcome);
  if (outcome.framing.body == EVHTTP_BODY_CHUNKED) {
    char size[20];
    snprintf(size, sizeof(size), "%zx\r\n", outcome.body.size());
    if (!outcome.body.empty()) text += size + outcome.body + "\r\n";
    text += "0\r\n";
    for (const Field &field : outcome.trailers) text += field.first + ":" + field.second + "\r\n";
    text += "\r\n";
  } else {
    text += outcome.body;
  }
  Outcome again = parser_testing::ReadWhole(text);
  Check(again.consumed == text.size(), "length of the rewritten message", text);
  again.consumed = outcome.consumed;
  Check(Describe(again) == Describe(outcome), "rewritten message", text);
}

void CheckText(const std::string &text) {
  for (char c : text) Check(strata_http_is(c, STRATA_HTTP_TEXT), "control byte accepted", text);
}

size_t Count(const Outcome &outcome, const char *name) {
  size_t count = 0;
  for (const Field &field : outcome.fields) {
    count += strata_http_equal_nocase(field.first.data(), field.first.size(), name);
  }
  return count;
}

void CheckAccepted(const Outcome &outcome) {
  size_t lengths = Count(outcome, "content-length"), codings = Count(outcome, "transfer-encoding");
  for (const Field &field : outcome.fields) {
    CheckText(field.first + field.second);
    Check(!field.first.empty(), "empty name accepted", "");
  }
  Check(lengths <= 1 && (lengths == 0 || codings == 0), "ambiguous length accepted", "");
  Check((codings > 0) == (outcome.framing.body == EVHTTP_BODY_CHUNKED), "coding ignored", "");
  Check((lengths > 0) == (outcome.framing.body == EVHTTP_BODY_LENGTH), "length ignored", "");
  Check(outcome.minor == 0 || Count(outcome, "host") == 1, "host", "");
}

void CheckUri(const Outcome &outcome) {
  evhttp_uri *uri =
      strata_http_uri_parse_target(outcome.target.c_str(), outcome.framing.target_form);
  char joined[1000];
  Check(uri != nullptr, "accepted target is no URI", outcome.target);
  if (outcome.framing.target_form == EVHTTP_TARGET_ORIGIN) {
    Check(evhttp_uri_join(uri, joined, sizeof(joined)) != nullptr, "join", outcome.target);
    // What would be read as a host stays a path by a dot segment.
    bool may_be_host = outcome.target.find_first_of("/\\", 1) == 1;
    Check((may_be_host ? "/." : "") + outcome.target == joined, "joined URI",
          outcome.target + "\n" + joined);
  }
  if (outcome.framing.target_form == EVHTTP_TARGET_ABSOLUTE) {
    Check(evhttp_uri_get_host(uri) == outcome.host, "host of the target", outcome.target);
    Check(evhttp_uri_get_port(uri) == outcome.framing.port, "port", outcome.target);
  }
  evhttp_uri_free(uri);
}

void FuzzRequest(const std::string &bytes) {
  Limits limits = SmallLimits();
  Outcome whole = parser_testing::ReadWhole(bytes, limits);
  Check(whole.consumed <= bytes.size(), "consumed too much", bytes);
  CheckCuts(bytes, whole, limits);
  if (evhttp_parse_is_error(whole.result)) {
    Check(whole.status() >= 400, "error without status", whole.name());
  }
  if (whole.stage != "body") return;
  CheckAccepted(whole);
  CheckUri(whole);
  if (whole.result != EVHTTP_PARSE_DONE) return;
  CheckRoundTrip(whole);
  Outcome only = parser_testing::ReadWhole(bytes.substr(0, whole.consumed), limits);
  Check(Describe(only) == Describe(whole), "bytes behind the message matter", bytes);
}

std::string ResponseOutcome(const std::string &bytes, size_t step) {
  const evhttp_head_limits limits = SmallLimits().head;
  evhttp_head_field fields[8];
  evhttp_head_parser parser;
  evhttp_framing framing = {};
  evhttp_parse_result result = EVHTTP_PARSE_PARTIAL;
  evhttp_head_parser_init_response(&parser, fields, &limits);
  for (size_t len = 0; len < bytes.size() && result == EVHTTP_PARSE_PARTIAL;) {
    len = std::min(len + step, bytes.size());
    result = evhttp_head_parse(&parser, bytes.data(), len);
  }
  std::string text = evhttp_parse_error_name(result) + std::to_string(parser.scan_off);
  if (result != EVHTTP_PARSE_DONE) return text;
  result = evhttp_response_framing(&parser, bytes.data(), EVHTTP_RESPONSE_TO_OTHER, &framing);
  text += evhttp_parse_error_name(result) + std::to_string(parser.status_code);
  if (result == EVHTTP_PARSE_DONE) text += std::to_string(framing.body);
  return text + Describe(parser_testing::Fields(bytes.data(), fields, parser.num_fields));
}

void FuzzResponse(const std::string &bytes) {
  std::string whole = ResponseOutcome(bytes, bytes.size());
  Check(whole == ResponseOutcome(bytes, 1), "response byte by byte differs", whole);
  Check(whole == ResponseOutcome(bytes, 7), "response in sevens differs", whole);
}

// Behind a fixed head, so that the fuzzer need not find one.
void FuzzChunks(const std::string &bytes) {
  FuzzRequest("POST / HTTP/1.1\r\nHost:a\r\nTransfer-Encoding:chunked\r\n\r\n" + bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  if (size > 4000) return 0;
  FuzzRequest(bytes);
  FuzzResponse(bytes);
  FuzzChunks(bytes);
  return 0;
}

// Responses as bytes: head, framing and a chunked body. How they are cut does not matter, the
// framing follows RFC 9112 6.3, and a response written out again means the same.
//
// Input: what is answered (a byte), seed of the cuts (a byte), the response.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/model.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "http/parser.h"
#include "http/parser_testing.h"
#include "http/scan.h"

namespace {

using parser_testing::Field;
using parser_testing::Fields;

const evhttp_head_limits kLimits = {200, 1000, 12};

struct Response {
  evhttp_parse_result head = EVHTTP_PARSE_PARTIAL, framing = EVHTTP_PARSE_PARTIAL,
                      body = EVHTTP_PARSE_PARTIAL;
  uint32_t error_at = 0;
  size_t consumed = 0;
  int status = 0, minor = 0;
  std::string reason, data;
  std::vector<Field> fields;
  evhttp_body_kind kind = EVHTTP_BODY_NONE;
  uint64_t content_length = 0;
  bool keeps_alive = false, upgrades = false;

  bool IsLike(const Response &o) const {
    return head == o.head && framing == o.framing && body == o.body && status == o.status &&
           minor == o.minor && reason == o.reason && data == o.data && fields == o.fields &&
           kind == o.kind && content_length == o.content_length && keeps_alive == o.keeps_alive &&
           upgrades == o.upgrades;
  }
};

void Judge(Response *out, const evhttp_head_parser &parser, const char *bytes,
           evhttp_response_to to) {
  evhttp_framing framing;
  out->consumed = parser.consumed;
  out->status = parser.status_code;
  out->minor = parser.version_minor;
  out->reason = parser_testing::Text(bytes, parser.reason);
  out->fields = Fields(bytes, parser.fields, parser.num_fields);
  out->framing = evhttp_response_framing(&parser, bytes, to, &framing);
  if (out->framing != EVHTTP_PARSE_DONE) return;
  out->kind = framing.body;
  out->content_length = framing.content_length;
  out->keeps_alive = framing.keep_alive;
  out->upgrades = framing.upgrade;
}

template <typename NextLen>
void ReadChunks(Response *out, const std::string &bytes, NextLen next_len) {
  evhttp_chunk_decoder decoder;
  evhttp_chunk_event event;
  size_t given = out->consumed;
  evhttp_chunk_decoder_init(&decoder, nullptr, nullptr);
  for (;;) {
    std::string piece = bytes.substr(out->consumed, given - out->consumed);
    size_t used = evhttp_chunk_step(&decoder, piece.data(), piece.size(), &event);
    out->consumed += used;
    out->body = event.error;
    if (event.kind == EVHTTP_CHUNK_DATA) {
      out->data.append(event.data, event.data_len);
    } else if (event.kind != EVHTTP_CHUNK_MORE || given == bytes.size()) {
      return;
    } else {
      given += std::min<size_t>(bytes.size() - given, next_len());
    }
  }
}

template <typename NextLen>
Response Read(const std::string &bytes, evhttp_response_to to, NextLen next_len) {
  Response out;
  evhttp_head_parser parser;
  evhttp_head_field fields[12];
  size_t len = 0;
  evhttp_head_parser_init_response(&parser, fields, &kLimits);
  while (len < bytes.size() && out.head == EVHTTP_PARSE_PARTIAL) {
    len += std::min<size_t>(bytes.size() - len, next_len());
    std::unique_ptr<char[]> exact(new char[len]);
    std::copy_n(bytes.begin(), len, exact.get());
    out.head = evhttp_head_parse(&parser, exact.get(), len);
    out.error_at = parser.scan_off;
    if (out.head == EVHTTP_PARSE_DONE) Judge(&out, parser, exact.get(), to);
  }
  if (out.framing == EVHTTP_PARSE_DONE && out.kind == EVHTTP_BODY_CHUNKED) {
    ReadChunks(&out, bytes, next_len);
  }
  return out;
}

size_t Count(const Response &response, const char *name) {
  return static_cast<size_t>(
      std::count_if(response.fields.begin(), response.fields.end(), [&](const Field &field) {
        return strata_http_equal_nocase(field.first.data(), field.first.size(), name);
      }));
}

// RFC 9112 6.3.
void CheckFraming(const Response &response, evhttp_response_to to) {
  const int status = response.status;
  const bool is_chunked = Count(response, "transfer-encoding") > 0;
  const size_t lengths = Count(response, "content-length");
  for (const Field &field : response.fields) {
    for (char byte : field.first) CHECK(strata_http_is(byte, STRATA_HTTP_TOKEN));
    for (char byte : field.second) CHECK(strata_http_is(byte, STRATA_HTTP_TEXT));
  }
  for (char byte : response.reason) CHECK(strata_http_is(byte, STRATA_HTTP_TEXT));
  CHECK(status >= 100 && status <= 999);
  if (to == EVHTTP_RESPONSE_TO_CONNECT && status / 100 == 2) {
    CHECK(response.kind == EVHTTP_BODY_TUNNEL);
  } else if (to == EVHTTP_RESPONSE_TO_HEAD || status < 200 || status == 204 || status == 304) {
    CHECK(response.kind == EVHTTP_BODY_NONE);
  } else if (is_chunked) {
    CHECK(response.kind == EVHTTP_BODY_CHUNKED && lengths == 0);
  } else {
    CHECK(lengths <= 1);
    CHECK(response.kind == (lengths ? EVHTTP_BODY_LENGTH : EVHTTP_BODY_UNTIL_CLOSE));
  }
  if (response.kind == EVHTTP_BODY_UNTIL_CLOSE) CHECK(!response.keeps_alive);
}

void CheckRewritten(const Response &response, evhttp_response_to to) {
  std::string text = "HTTP/1." + std::to_string(response.minor) + " " +
                     std::to_string(response.status) + " " + response.reason + "\r\n";
  for (const Field &field : response.fields) text += field.first + ":" + field.second + "\r\n";
  text += "\r\n";
  // Without the space that may be missing from the original it may be a byte longer.
  if (text.size() >= kLimits.head_len || response.reason.size() > 150) return;
  Response again = Read(text, to, [&] { return text.size(); });
  CHECK(again.head == EVHTTP_PARSE_DONE && again.framing == EVHTTP_PARSE_DONE);
  again.body = response.body;
  again.data = response.data;
  CHECK(again.IsLike(response));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const evhttp_response_to kTo[] = {EVHTTP_RESPONSE_TO_OTHER, EVHTTP_RESPONSE_TO_HEAD,
                                           EVHTTP_RESPONSE_TO_CONNECT};
  if (size < 3 || size > 3000) return 0;
  const evhttp_response_to to = kTo[data[0] % 3];
  uint32_t random = data[1];
  const std::string bytes(reinterpret_cast<const char *>(data + 2), size - 2);
  const Response whole = Read(bytes, to, [&] { return bytes.size(); });
  CHECK(whole.consumed <= bytes.size());
  for (uint32_t most : {1u, 9u, 90u}) {
    Response other = Read(bytes, to, [&] {
      random = random * 1664525 + 1013904223;
      return (random >> 16) % most + 1;
    });
    CHECK(other.IsLike(whole) && other.error_at == whole.error_at);
    CHECK(other.consumed == whole.consumed);
  }
  if (whole.framing != EVHTTP_PARSE_DONE) return 0;
  CheckFraming(whole, to);
  CheckRewritten(whole, to);
  return 0;
}

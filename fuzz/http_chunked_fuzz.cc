// Chunked bodies as bytes: the decoder, given them in pieces, comes to what a reader of the whole
// comes to, which is written from RFC 9112 7.1 with no thought of speed or of pieces.
//
// Input: limits (a byte), seed of the cuts (a byte), the body.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/model.h"
#include "http/chunked.h"

namespace {

enum Kind { kDone, kPartial, kBad };

struct Outcome {
  Kind kind = kPartial;
  std::string body;
  size_t consumed = 0;      // Once done.
  uint32_t num_fields = 0;  // Of the trailer, once done.
};

// Throws the Kind that ends it.
class WholeReader {
 public:
  WholeReader(const std::string &bytes, const evhttp_chunk_limits &limits)
      : bytes_(bytes), limits_(limits) {}

  Outcome Read() {
    try {
      while (ReadChunk()) continue;
      ReadTrailer();
      outcome_.consumed = pos_;
      outcome_.kind = kDone;
    } catch (Kind kind) {
      outcome_.kind = kind;
    }
    return outcome_;
  }

 private:
  static bool IsIn(char byte, const char *set) { return byte && std::string(set).find(byte) < 99; }
  static bool IsHex(char byte) { return IsIn(byte, "0123456789abcdefABCDEF"); }
  static bool IsToken(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           IsIn(byte, "0123456789!#$%&'*+-.^_`|~");
  }
  static bool IsText(char c) {
    unsigned char byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  }

  char Peek() {
    if (in_trailer_ && pos_ - trailer_start_ >= limits_.trailer.head_len) throw kBad;
    if (pos_ == bytes_.size()) throw kPartial;
    return bytes_[pos_];
  }
  char Take() {
    char byte = Peek();
    ++pos_;
    return byte;
  }
  void Expect(char byte) {
    if (Take() != byte) throw kBad;
  }

  // Of the size line, which has limits of its own.
  char TakeOfLine(bool of_extension) {
    char byte = Peek();
    if (++line_len_ > limits_.line_len) throw kBad;
    if (of_extension && ++extension_len_ > limits_.extension_len) throw kBad;
    return Take(), byte;
  }
  void SkipSpace() {
    while (IsIn(Peek(), " \t")) TakeOfLine(true);
  }
  void ReadToken() {
    if (!IsToken(Peek())) throw kBad;
    while (IsToken(Peek())) TakeOfLine(true);
  }
  void ReadQuoted() {
    TakeOfLine(true);
    for (;;) {
      // A line end is no text, and it's not counted.
      if (!IsText(Peek())) throw kBad;
      char byte = TakeOfLine(true);
      if (byte == '"') return;
      if (byte != '\\') continue;
      if (!IsText(Peek())) throw kBad;
      TakeOfLine(true);
    }
  }

  uint64_t ReadSize() {
    uint64_t size = 0;
    if (!IsHex(Peek())) throw kBad;
    while (IsHex(Peek())) {
      char digit = TakeOfLine(false);
      if (size > static_cast<uint64_t>(INT64_MAX) / 16) throw kBad;
      size = size * 16 + std::stoul(std::string(1, digit), nullptr, 16);
    }
    return size;
  }

  void ReadExtensions() {
    bool is_spaced = IsIn(Peek(), " \t");
    SkipSpace();
    while (Peek() == ';') {
      TakeOfLine(true);
      SkipSpace();
      ReadToken();
      is_spaced = IsIn(Peek(), " \t");
      SkipSpace();
      if (Peek() != '=') continue;
      TakeOfLine(true);
      SkipSpace();
      if (Peek() == '"') {
        ReadQuoted();
      } else {
        ReadToken();
      }
      is_spaced = IsIn(Peek(), " \t");
      SkipSpace();
    }
    // Whitespace stands before something.
    if (is_spaced) throw kBad;
  }

  // Returns whether there may be another.
  bool ReadChunk() {
    line_len_ = 0;
    uint64_t size = ReadSize();
    ReadExtensions();
    Expect('\r');
    Expect('\n');
    if (size > limits_.body_len - announced_) throw kBad;
    announced_ += size;
    if (size == 0) return false;
    size_t take = std::min<uint64_t>(size, bytes_.size() - pos_);
    outcome_.body += bytes_.substr(pos_, take);
    pos_ += take;
    if (take < size) throw kPartial;
    Expect('\r');
    Expect('\n');
    return true;
  }

  void ReadTrailer() {
    // The limit is judged with the first byte of it.
    if (pos_ == bytes_.size()) throw kPartial;
    in_trailer_ = true;
    trailer_start_ = pos_;
    while (Peek() != '\r') {
      if (!IsToken(Peek()) || outcome_.num_fields == limits_.trailer.num_fields) throw kBad;
      while (IsToken(Peek())) Take();
      Expect(':');
      while (IsText(Peek())) Take();
      Expect('\r');
      Expect('\n');
      ++outcome_.num_fields;
    }
    Take();
    Expect('\n');
  }

  const std::string &bytes_;
  const evhttp_chunk_limits &limits_;
  Outcome outcome_;
  size_t pos_ = 0, trailer_start_ = 0;
  uint64_t announced_ = 0;
  uint32_t line_len_ = 0, extension_len_ = 0;
  bool in_trailer_ = false;
};

constexpr uint32_t kMaxFields = 4;

// Gives the decoder what it has not consumed and `next_len()` bytes more, in memory of exactly that
// length, until all are given.
template <typename NextLen>
Outcome Decode(const std::string &bytes, const evhttp_chunk_limits &limits, NextLen next_len) {
  evhttp_chunk_decoder decoder;
  evhttp_head_field fields[kMaxFields];
  Outcome out;
  size_t given = 0;
  evhttp_chunk_decoder_init(&decoder, fields, &limits);
  for (;;) {
    size_t len = given - out.consumed;
    std::unique_ptr<char[]> exact(new char[len]);
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(out.consumed), len, exact.get());
    evhttp_chunk_event event;
    size_t used = evhttp_chunk_step(&decoder, exact.get(), len, &event);
    CHECK(used <= len);
    out.consumed += used;
    if (event.kind == EVHTTP_CHUNK_DATA) {
      CHECK(event.data_len > 0 && event.data + event.data_len == exact.get() + used);
      out.body.append(event.data, event.data_len);
    } else if (event.kind == EVHTTP_CHUNK_MORE) {
      if (given == bytes.size()) return out;
      given += std::min(bytes.size() - given, std::max<size_t>(next_len(), 1));
    } else {
      out.kind = event.kind == EVHTTP_CHUNK_DONE ? kDone : kBad;
      out.num_fields = decoder.trailer.num_fields;
      CHECK(out.kind == kBad ? evhttp_parse_is_error(event.error)
                             : decoder.body_len == out.body.size());
      return out;
    }
  }
}

void Compare(const Outcome &decoded, const Outcome &expected) {
  CHECK(decoded.kind == expected.kind);
  CHECK(decoded.body == expected.body);
  if (expected.kind != kDone) return;
  CHECK(decoded.consumed == expected.consumed);
  CHECK(decoded.num_fields == expected.num_fields);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const evhttp_chunk_limits kLimits[] = {
      {UINT64_MAX, 4096, 16384, {0, 8192, kMaxFields}},
      {100, 12, 20, {0, 30, 2}},
      {40, 5, 4, {0, 2, 0}},
  };
  if (size < 3 || size > 3000) return 0;
  const evhttp_chunk_limits &limits = kLimits[data[0] % 3];
  uint32_t random = data[1];
  const std::string bytes(reinterpret_cast<const char *>(data + 2), size - 2);
  Outcome expected = WholeReader(bytes, limits).Read();
  Compare(Decode(bytes, limits, [&] { return bytes.size(); }), expected);
  Compare(Decode(bytes, limits, [] { return 1; }), expected);
  for (uint32_t most : {4u, 60u}) {
    Compare(Decode(bytes, limits,
                   [&] {
                     random = random * 1664525 + 1013904223;
                     return (random >> 16) % most + 1;
                   }),
            expected);
  }
  return 0;
}

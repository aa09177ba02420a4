// Records as bytes from a stranger. Every reader must agree with a plain decoder of a byte string,
// take exactly one record off the buffer or leave it alone, and what was read must be the same
// after it was written again.

#include <event2/buffer.h>
#include <event2/tag.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "buffer/tag_testing.h"

namespace {

using tag_testing::Buffer;

void Check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

// ---- The plain decoder: bytes in, lengths out, -1 for no ----

int Nibble(const std::string &bytes, size_t index) {
  unsigned char byte = static_cast<unsigned char>(bytes[index / 2]);
  return index % 2 ? byte & 15 : byte >> 4;
}

long DecodeNumber(const std::string &bytes, int max_nibbles, uint64_t *out_number) {
  if (bytes.empty()) return -1;
  int num_nibbles = Nibble(bytes, 0) + 1;
  size_t len = static_cast<size_t>(num_nibbles + 2) / 2;
  if (num_nibbles > max_nibbles || len > bytes.size()) return -1;
  *out_number = 0;
  for (int i = num_nibbles; i >= 1; i--) {
    *out_number = *out_number * 16 + static_cast<uint64_t>(Nibble(bytes, static_cast<size_t>(i)));
  }
  return static_cast<long>(len);
}

long DecodeTag(const std::string &bytes, uint32_t *out_tag) {
  size_t len = 1;
  while (len <= bytes.size() && (bytes[len - 1] & 0x80)) len++;
  if (len > bytes.size() || len > 5) return -1;
  uint64_t tag = 0;
  for (size_t i = len; i > 0; i--) tag = tag * 128 + (bytes[i - 1] & 0x7f);
  if (tag > 0xffffffffu) return -1;
  *out_tag = static_cast<uint32_t>(tag);
  return static_cast<long>(len);
}

struct Record {
  bool has_tag = false;
  bool has_head = false;
  bool is_whole = false;
  uint32_t tag = 0;
  uint64_t content_len = 0;
  size_t tag_len = 0;
  size_t head_len = 0;
  std::string content;
  std::string rest;  // what follows the record
};

Record Decode(const std::string &bytes) {
  Record record;
  long tag_len = DecodeTag(bytes, &record.tag);
  if (tag_len < 0) return record;
  record.has_tag = true;
  record.tag_len = static_cast<size_t>(tag_len);
  long len_len = DecodeNumber(bytes.substr(record.tag_len), 8, &record.content_len);
  if (len_len < 0) return record;
  record.has_head = true;
  record.head_len = record.tag_len + static_cast<size_t>(len_len);
  size_t have_len = bytes.size() - record.head_len;
  record.is_whole = record.content_len <= 0x7fffffff && record.content_len <= have_len;
  if (!record.is_whole) return record;
  record.content = bytes.substr(record.head_len, record.content_len);
  record.rest = bytes.substr(record.head_len + record.content_len);
  return record;
}

// ---- Each function against it ----

constexpr uint32_t kUnset = 0x5eed5eed;

void CheckPeeks(const std::string &bytes, const Record &record, size_t block_len) {
  Buffer buffer(bytes, block_len);
  uint32_t tag = kUnset, len = kUnset, content_len = kUnset;
  int result = evtag_peek(buffer, &tag);
  Check(result == (record.has_tag ? static_cast<int>(record.tag_len) : -1), "peek");
  Check(tag == (record.has_tag ? record.tag : kUnset), "peeked tag");
  Check(evtag_payload_length(buffer, &content_len) == (record.has_head ? 0 : -1), "payload_length");
  Check(content_len == (record.has_head ? record.content_len : kUnset), "payload's length");
  uint64_t sum = record.head_len + record.content_len;
  bool fits = record.has_head && sum <= 0xffffffffu;
  Check(evtag_peek_length(buffer, &len) == (fits ? 0 : -1), "peek_length");
  Check(len == (fits ? sum : kUnset), "peeked length");
  Check(buffer.Bytes() == bytes, "peeking changed the buffer");
}

void CheckTaken(Buffer &buffer, const std::string &bytes, const Record &record, bool is_good) {
  Check(buffer.Bytes() == (is_good ? record.rest : bytes), "bytes left");
}

void CheckWhole(const std::string &bytes, const Record &record, size_t block_len) {
  uint32_t tag = kUnset;
  Buffer heads(bytes, block_len), records(bytes, block_len), consumed(bytes, block_len), content;
  int len = record.is_whole ? static_cast<int>(record.content_len) : -1;
  Check(evtag_unmarshal_header(heads, &tag) == len, "header");
  Check(tag == (record.is_whole ? record.tag : kUnset), "header's tag");
  Check(heads.Bytes() == (record.is_whole ? bytes.substr(record.head_len) : bytes), "header taken");
  Check(evtag_unmarshal(records, nullptr, content) == len, "unmarshal");
  Check(content.Bytes() == record.content, "content");
  CheckTaken(records, bytes, record, record.is_whole);
  Check(evtag_consume(consumed) == (record.is_whole ? 0 : -1), "consume");
  CheckTaken(consumed, bytes, record, record.is_whole);
}

void CheckNumbers(const std::string &bytes, const Record &record, uint32_t tag, size_t block_len) {
  bool is_mine = record.is_whole && record.tag == tag;
  uint64_t number = 0, wide_number = 0, got_wide = kUnset;
  uint32_t got = kUnset;
  long len = is_mine ? DecodeNumber(record.content, 8, &number) : -1;
  long wide_len = is_mine ? DecodeNumber(record.content, 16, &wide_number) : -1;
  Buffer narrow(bytes, block_len), wide(bytes, block_len);
  Check(evtag_unmarshal_int(narrow, tag, &got) == len, "int");
  Check(got == (len > 0 ? number : kUnset), "int's value");
  CheckTaken(narrow, bytes, record, len > 0);
  Check(evtag_unmarshal_int64(wide, tag, &got_wide) == wide_len, "int64");
  Check(got_wide == (wide_len > 0 ? wide_number : kUnset), "int64's value");
  CheckTaken(wide, bytes, record, wide_len > 0);
}

void CheckTime(const std::string &bytes, const Record &record, uint32_t tag, size_t block_len) {
  uint64_t seconds = 0, microseconds = 0;
  bool is_good = false;
  if (record.is_whole && record.tag == tag) {
    long len = DecodeNumber(record.content, 8, &seconds);
    is_good = len > 0 &&
              DecodeNumber(record.content.substr(static_cast<size_t>(len)), 8, &microseconds) > 0;
  }
  Buffer buffer(bytes, block_len);
  struct timeval tv = {-7, -7};
  Check(evtag_unmarshal_timeval(buffer, tag, &tv) == (is_good ? 0 : -1), "timeval");
  Check(static_cast<uint64_t>(tv.tv_sec) == (is_good ? seconds : static_cast<uint64_t>(-7)),
        "seconds");
  Check(static_cast<uint64_t>(tv.tv_usec) == (is_good ? microseconds : static_cast<uint64_t>(-7)),
        "microseconds");
  CheckTaken(buffer, bytes, record, is_good);
}

void CheckText(const std::string &bytes, const Record &record, uint32_t tag, size_t block_len) {
  bool is_mine = record.is_whole && record.tag == tag;
  Buffer text_buffer(bytes, block_len), fixed_buffer(bytes, block_len), other(bytes, block_len);
  char *text = nullptr;
  Check(evtag_unmarshal_string(text_buffer, tag, &text) == (is_mine ? 0 : -1), "string");
  Check((text != nullptr) == is_mine, "string's text");
  if (text) Check(std::string(text, record.content.size()) == record.content, "text");
  if (text) Check(text[record.content.size()] == '\0', "end of text");
  free(text);
  CheckTaken(text_buffer, bytes, record, is_mine);
  std::string fixed(record.content.size(), '-');
  Check(evtag_unmarshal_fixed(fixed_buffer, tag, &fixed[0], fixed.size()) == (is_mine ? 0 : -1),
        "fixed");
  if (is_mine) Check(fixed == record.content, "fixed content");
  CheckTaken(fixed_buffer, bytes, record, is_mine);
  std::string longer(record.content.size() + 1, '-');
  Check(evtag_unmarshal_fixed(other, tag, &longer[0], longer.size()) == -1, "fixed, too long");
  CheckTaken(other, bytes, record, false);
}

void CheckAgain(Buffer &written, const Record &record) {
  std::string bytes = written.Bytes();
  Record again = Decode(bytes);
  Check(again.is_whole && again.tag == record.tag && again.rest.empty(), "written record");
  Check(again.content == record.content, "written content");
}

// What was read, written in each of the ways that give the same record.
void CheckRoundTrip(const std::string &bytes, const Record &record) {
  Buffer whole, moved, content(record.content, 0), number;
  evtag_marshal(whole, record.tag, record.content.data(),
                static_cast<ev_uint32_t>(record.content.size()));
  CheckAgain(whole, record);
  evtag_marshal_buffer(moved, record.tag, content);
  Check(whole.Bytes() == moved.Bytes(), "marshal_buffer");
  Check(evbuffer_get_length(content) == 0, "content not moved");
  Check(whole.Bytes().size() <= bytes.size() - record.rest.size(), "the short form is longer");
  uint64_t value, again;
  if (DecodeNumber(record.content, 16, &value) < 0) return;
  evtag_marshal_int64(number, record.tag, value);
  Check(evtag_unmarshal_int64(number, record.tag, &again) > 0 && again == value, "number");
  evtag_encode_int64(number, value);
  std::string text = number.Bytes();
  Check(DecodeNumber(text, 16, &again) == static_cast<long>(text.size()) && again == value,
        "encoded number");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 3000) return 0;
  size_t block_len = data[0] % 8;
  std::string bytes(reinterpret_cast<const char *>(data) + 1, size - 1);
  for (int i = 0; i < 8; i++) {
    Record record = Decode(bytes);
    uint32_t tag = data[0] & 8 ? record.tag ^ 1 : record.tag;
    CheckPeeks(bytes, record, block_len);
    CheckWhole(bytes, record, block_len);
    CheckNumbers(bytes, record, tag, block_len);
    CheckTime(bytes, record, tag, block_len);
    CheckText(bytes, record, tag, block_len);
    if (!record.is_whole) break;
    CheckRoundTrip(bytes, record);
    bytes = record.rest;
  }
  return 0;
}

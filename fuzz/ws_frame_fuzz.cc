// WebSocket frames as bytes: besides not crashing, what is read must not depend on how the bytes
// arrive, must agree with a plain reading of RFC 6455, and must come out the same when what was
// accepted is written and read again.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "http/utf8.h"
#include "http/ws_frame.h"
#include "http/ws_reader.h"

namespace {

void Check(bool holds, const char *what, const std::string &details) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n%s\n", what, details.c_str());
  abort();
}

// Small ones, so that the fuzzer reaches them.
const uint64_t kMaxFrame = 300, kMaxMessage = 500;

std::string Number(uint64_t value) {
  return std::to_string(value) + " ";
}

// ---- The reader, fed in pieces ----

struct Outcome {
  std::string log;        // what was complete, and the error
  std::string rewritten;  // the complete frames, written again
};

Outcome Read(strata_ws_role role, const std::string &bytes, size_t step) {
  strata_ws_reader reader;
  strata_ws_reader_init(&reader, role, kMaxFrame, kMaxMessage);
  Outcome outcome;
  std::string payload;
  size_t taken = 0, arrived = 0;
  for (;;) {
    strata_ws_result result;
    if (!reader.in_frame) {
      size_t len = 0;
      result = strata_ws_reader_head(
          &reader, reinterpret_cast<const uint8_t *>(bytes.data()) + taken, arrived - taken, &len);
      if (result == STRATA_WS_HEAD) {
        Check(len > 0 && len <= arrived - taken && len == strata_ws_head_len(&reader.head),
              "length of a head", Number(len));
        taken += len;
        payload.clear();
      }
    } else {
      size_t len = std::min<uint64_t>(reader.left_len, arrived - taken);
      std::string piece = bytes.substr(taken, len);
      result = strata_ws_reader_payload(&reader, reinterpret_cast<uint8_t *>(&piece[0]), len);
      taken += len;
      payload += piece;
    }
    if (result >= STRATA_WS_FIRST_ERROR) {
      outcome.log += strata_ws_result_name(result);
      return outcome;
    }
    if (result >= STRATA_WS_CONTROL) {
      outcome.log += strata_ws_result_name(result) + (" " + Number(reader.head.opcode)) +
                     Number(result == STRATA_WS_CONTROL ? 0u : reader.type) + payload + "\n";
      uint8_t head[STRATA_WS_MAX_HEAD_LEN];
      size_t head_len = strata_ws_head_write(&reader.head, head);
      outcome.rewritten.append(reinterpret_cast<char *>(head), head_len);
      strata_ws_mask(reader.head.mask, 0, reinterpret_cast<const uint8_t *>(payload.data()),
                     payload.size(), reinterpret_cast<uint8_t *>(&payload[0]));
      outcome.rewritten += payload;
    }
    if (result != STRATA_WS_PARTIAL) continue;
    if (arrived == bytes.size()) return outcome;
    arrived = std::min(arrived + step, bytes.size());
  }
}

// ---- A plain reading of the RFC ----

bool IsText(const std::string &text, bool complete) {
  size_t at = 0;
  while (at < text.size()) {
    unsigned lead = static_cast<unsigned char>(text[at]);
    size_t num = lead < 0x80       ? 1
                 : lead >> 5 == 6  ? 2
                 : lead >> 4 == 14 ? 3
                 : lead >> 3 == 30 ? 4
                                   : 0;
    if (num == 0) return false;
    uint32_t least = num == 1 ? 0 : num == 2 ? 0x80 : num == 3 ? 0x800 : 0x10000;
    uint32_t low = num == 1 ? lead : lead & (0x7fu >> num), high = low;
    for (size_t i = 1; i < num; ++i) {
      bool there = at + i < text.size();
      unsigned byte = there ? static_cast<unsigned char>(text[at + i]) : 0;
      if (there && byte >> 6 != 2) return false;
      low = low << 6 | (there ? byte & 63 : 0);
      high = high << 6 | (there ? byte & 63 : 63);
    }
    // Whether any character that begins so is allowed.
    bool allowed = high >= least && low <= 0x10ffff && !(low >= 0xd800 && high <= 0xdfff);
    if (!allowed || (complete && at + num > text.size())) return false;
    at += num;
  }
  return true;
}

// As Read() of all bytes at once; "?" where it does not say.
std::string Expect(strata_ws_role role, const std::string &bytes) {
  std::string log, message;
  unsigned type = 0;
  size_t at = 0;
  auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  while (at + 2 <= bytes.size()) {
    unsigned first = byte(at), second = byte(at + 1), opcode = first & 15;
    bool fin = first & 128, control = opcode & 8, masked = second & 128;
    if (first & 0x70) return log + "reserved bit";
    if ((opcode > 2 && opcode < 8) || opcode > 10) return log + "unknown opcode";
    if (control && !fin) return log + "fragmented control frame";
    if (masked != (role == STRATA_WS_SERVER)) return log + (masked ? "masked" : "not masked");
    uint64_t len = second & 127;
    if (control && len > 125) return log + "long control frame";
    size_t extra = len == 126 ? 2 : len == 127 ? 8 : 0;
    at += 2;
    if (at + extra > bytes.size()) return log;
    if (extra) len = 0;
    for (size_t i = 0; i < extra; ++i) len = len << 8 | byte(at + i);
    if (len >> 63) return log + "length of 64 bits";
    if ((extra == 2 && len < 126) || (extra == 8 && len < 65536)) return log + "length not minimal";
    at += extra;
    std::string mask(4, '\0');
    if (masked) {
      if (at + 4 > bytes.size()) return log;
      mask = bytes.substr(at, 4);
      at += 4;
    }
    if (!control) {
      if (opcode == 0 && !type) return log + "continuation of nothing";
      if (opcode != 0 && type) return log + "message in a message";
      if (opcode) {
        type = opcode;
        message.clear();
      }
      if (len > kMaxFrame) return log + "frame too big";
      if (message.size() + len > kMaxMessage) return log + "message too big";
    }
    bool whole = len <= bytes.size() - at;
    std::string payload = bytes.substr(at, len);
    for (size_t i = 0; i < payload.size(); ++i)
      payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
    if (!control) {
      message += payload;
      if (type == 1 && !IsText(message, fin && whole)) return log + "not UTF-8";
    }
    if (!whole) return log;
    at += len;
    log += std::string(control ? "control "
                       : fin   ? "message "
                               : "fragment ") +
           Number(opcode) + Number(control ? 0 : type) + payload + "\n";
    if (!control && fin) type = 0;
  }
  // One byte can be enough to tell.
  if (at < bytes.size()) {
    unsigned first = byte(at), opcode = first & 15;
    if (first & 0x70) return log + "reserved bit";
    if ((opcode > 2 && opcode < 8) || opcode > 10) return log + "unknown opcode";
    if ((opcode & 8) && !(first & 128)) return log + "fragmented control frame";
  }
  return log;
}

void FuzzFrames(strata_ws_role role, const std::string &bytes) {
  Outcome whole = Read(role, bytes, bytes.size() + 1);
  std::string expected = Expect(role, bytes);
  Check(whole.log == expected, "the plain reading differs", whole.log + "\n---\n" + expected);
  for (size_t step : {1, 2, 7, 50}) {
    Outcome cut = Read(role, bytes, step);
    Check(cut.log == whole.log, "in pieces differs", whole.log + "\n---\n" + cut.log);
  }
  Check(bytes.compare(0, whole.rewritten.size(), whole.rewritten) == 0, "rewritten frames",
        whole.log);
}

void FuzzClose(const std::string &bytes) {
  uint16_t code = 0;
  strata_ws_result result =
      strata_ws_close_parse(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size(), &code);
  bool is_ok = bytes.empty();
  if (bytes.size() >= 2) {
    unsigned sent =
        static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1]);
    is_ok = strata_ws_close_code_is_valid(sent) && IsText(bytes.substr(2), true);
    Check(code == sent || !is_ok, "close code", Number(code));
  }
  Check((result == STRATA_WS_CONTROL) == is_ok, "close frame", strata_ws_result_name(result));
  Check((strata_utf8_is_valid(bytes.data(), bytes.size()) != 0) == IsText(bytes, true), "text",
        bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 3000) return 0;
  std::string bytes(reinterpret_cast<const char *>(data), size);
  FuzzFrames(STRATA_WS_SERVER, bytes);
  FuzzFrames(STRATA_WS_CLIENT, bytes);
  FuzzClose(bytes);
  return 0;
}

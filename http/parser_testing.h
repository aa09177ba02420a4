#ifndef STRATA_HTTP_PARSER_TESTING_H_
#define STRATA_HTTP_PARSER_TESTING_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/chunked.h"
#include "http/framing.h"
#include "http/parser.h"

// Runs a whole message (head, framing, body) through the parser, cut up in any way, and describes
// what came of it. Shared by the unit tests and the fuzzer.

namespace parser_testing {

using Field = std::pair<std::string, std::string>;

struct Limits {
  evhttp_head_limits head = {8192, 65536, 100};
  uint64_t body_len = 16 << 20;
};

struct Outcome {
  evhttp_parse_result result = EVHTTP_PARSE_PARTIAL;
  // "head", "framing" or "body": where the result was reached.
  std::string stage = "head";
  std::string method, target, host, path;
  int minor = -1;
  std::vector<Field> fields, trailers;
  evhttp_framing framing = {};
  std::string body;
  size_t consumed = 0;

  int status() const { return evhttp_parse_error_status(result); }
  const char *name() const { return evhttp_parse_error_name(result); }
};

inline std::string Describe(const std::vector<Field> &fields) {
  std::string text;
  for (const Field &field : fields) text += "  [" + field.first + "]=[" + field.second + "]\n";
  return text;
}

inline std::string Describe(const Outcome &o) {
  const evhttp_framing &f = o.framing;
  std::string text = o.stage + " " + o.name() + " consumed " + std::to_string(o.consumed) + "\n[" +
                     o.method + "] [" + o.target + "] 1." + std::to_string(o.minor) + "\n" +
                     Describe(o.fields);
  text += "body " + std::to_string(f.body) + " form " + std::to_string(f.target_form) + " length " +
          std::to_string(f.content_length) + " keep " + std::to_string(f.keep_alive) + " expect " +
          std::to_string(f.expect_continue) + " upgrade " + std::to_string(f.upgrade) +
          " has_host " + std::to_string(f.has_host) + " [" + o.host +
          "]:" + std::to_string(f.port) + " [" + o.path + "]\n";
  return text + "[" + o.body + "]\n" + Describe(o.trailers);
}

inline std::string Text(const char *data, evhttp_span span) {
  return std::string(data + span.off, span.len);
}

inline std::vector<Field> Fields(const char *data, const evhttp_head_field *fields,
                                 uint32_t num_fields) {
  std::vector<Field> out;
  for (uint32_t i = 0; i < num_fields; ++i) {
    out.emplace_back(std::string(data + fields[i].name_off, fields[i].name_len),
                     std::string(data + fields[i].value_off, fields[i].value_len));
  }
  return out;
}

class MessageReader {
 public:
  explicit MessageReader(const Limits &limits)
      : limits_(limits), fields_(limits.head.num_fields), trailer_fields_(64) {
    evhttp_head_parser_init_request(&parser_, fields_.data(), &limits.head);
  }

  // Takes the next bytes. Returns whether more can change anything.
  bool Feed(const std::string &bytes) {
    pending_ += bytes;
    if (outcome_.stage == "head") ReadHead();
    if (outcome_.stage == "body" && outcome_.result == EVHTTP_PARSE_PARTIAL) ReadBody();
    return outcome_.result == EVHTTP_PARSE_PARTIAL;
  }

  const Outcome &outcome() const { return outcome_; }

 private:
  void ReadHead() {
    // A copy of exactly these bytes at a new place: whoever reads past them or remembers an
    // address is found out by the address sanitizer.
    std::unique_ptr<char[]> moved(new char[pending_.size()]);
    std::copy(pending_.begin(), pending_.end(), moved.get());
    const char *data = moved.get();
    outcome_.result = evhttp_head_parse(&parser_, data, pending_.size());
    if (outcome_.result != EVHTTP_PARSE_DONE) {
      if (evhttp_parse_is_error(outcome_.result)) outcome_.consumed = parser_.scan_off;
      return;
    }
    outcome_.consumed = parser_.consumed;
    outcome_.method = Text(data, parser_.method);
    outcome_.target = Text(data, parser_.target);
    outcome_.minor = parser_.version_minor;
    outcome_.fields = Fields(data, fields_.data(), parser_.num_fields);
    ReadFraming(data);
    pending_.erase(0, parser_.consumed);
  }

  void ReadFraming(const char *data) {
    evhttp_framing framing;
    outcome_.stage = "framing";
    outcome_.result = evhttp_request_framing(&parser_, data, &framing);
    if (outcome_.result != EVHTTP_PARSE_DONE) return;
    outcome_.framing = framing;
    outcome_.host = Text(data, framing.host);
    outcome_.path = Text(data, framing.path);
    if (framing.content_length > limits_.body_len) {
      outcome_.result = EVHTTP_PARSE_BODY_TOO_LARGE;
      return;
    }
    outcome_.stage = "body";
    outcome_.result = EVHTTP_PARSE_PARTIAL;
    evhttp_chunk_limits chunk_limits = evhttp_chunk_default_limits;
    chunk_limits.body_len = limits_.body_len;
    evhttp_chunk_decoder_init(&decoder_, trailer_fields_.data(), &chunk_limits);
  }

  void ReadBody() {
    if (outcome_.framing.body == EVHTTP_BODY_CHUNKED) return ReadChunks();
    size_t want = (size_t)outcome_.framing.content_length - outcome_.body.size();
    size_t take = std::min(want, pending_.size());
    outcome_.body += pending_.substr(0, take);
    outcome_.consumed += take;
    pending_.erase(0, take);
    if (take == want) outcome_.result = EVHTTP_PARSE_DONE;
  }

  void ReadChunks() {
    evhttp_chunk_event event;
    do {
      std::unique_ptr<char[]> moved(new char[pending_.size()]);
      std::copy(pending_.begin(), pending_.end(), moved.get());
      size_t used = evhttp_chunk_step(&decoder_, moved.get(), pending_.size(), &event);
      outcome_.consumed += used;
      if (event.kind == EVHTTP_CHUNK_DATA) outcome_.body.append(event.data, event.data_len);
      if (event.kind == EVHTTP_CHUNK_DONE) {
        outcome_.trailers = Fields(event.data, trailer_fields_.data(), decoder_.trailer.num_fields);
      }
      pending_.erase(0, used);
    } while (event.kind == EVHTTP_CHUNK_DATA);
    outcome_.result = event.error;
  }

  Limits limits_;
  std::vector<evhttp_head_field> fields_, trailer_fields_;
  evhttp_head_parser parser_;
  evhttp_chunk_decoder decoder_;
  std::string pending_;
  Outcome outcome_;
};

// Feeds pieces of the lengths that `next_len` returns; a length of 0 counts as 1.
template <typename NextLen>
Outcome ReadInPieces(const std::string &bytes, NextLen next_len, const Limits &limits = Limits()) {
  MessageReader reader(limits);
  size_t pos = 0;
  while (pos < bytes.size()) {
    size_t take = std::min(std::max<size_t>(next_len(), 1), bytes.size() - pos);
    if (!reader.Feed(bytes.substr(pos, take))) break;
    pos += take;
  }
  return reader.outcome();
}

inline Outcome ReadWhole(const std::string &bytes, const Limits &limits = Limits()) {
  return ReadInPieces(
      bytes, [&] { return bytes.size(); }, limits);
}

inline Outcome ReadByByte(const std::string &bytes, const Limits &limits = Limits()) {
  return ReadInPieces(
      bytes, [] { return 1; }, limits);
}

inline Outcome ReadSplitAt(const std::string &bytes, size_t at, const Limits &limits = Limits()) {
  bool first = true;
  return ReadInPieces(
      bytes,
      [&] {
        size_t len = first ? at : bytes.size();
        first = false;
        return len;
      },
      limits);
}

// Empty if every way to cut the bytes gives the same, otherwise a description of the difference.
// Long inputs are cut at some places only.
inline std::string DifferenceWhenCut(const std::string &bytes, const Limits &limits = Limits()) {
  std::string whole = Describe(ReadWhole(bytes, limits));
  size_t step = bytes.size() > 2000 ? bytes.size() / 97 : 1;
  std::string other = bytes.size() > 20000 ? whole : Describe(ReadByByte(bytes, limits));
  if (other != whole) return "whole:\n" + whole + "byte by byte:\n" + other;
  for (size_t at = 1; at < bytes.size(); at += step) {
    other = Describe(ReadSplitAt(bytes, at, limits));
    if (other != whole) {
      return "whole:\n" + whole + "split at " + std::to_string(at) + ":\n" + other;
    }
  }
  return "";
}

}  // namespace parser_testing

#endif

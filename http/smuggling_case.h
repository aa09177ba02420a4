#ifndef STRATA_HTTP_SMUGGLING_CASE_H_
#define STRATA_HTTP_SMUGGLING_CASE_H_

#include <string>
#include <vector>

// Request smuggling: bytes that two recipients might cut into different messages. Each case says
// what a server must make of them: the messages that its handler sees, the statuses of the replies
// in their order (100 left out: it depends on how the bytes arrive), and whether the connection
// goes on. Used by http/smuggling_test.cc, whose handler answers 200, or the number N to a path
// "/status/N".

struct SmugglingCase {
  const char *name;
  // The section that has the rule; "strata" where we are stricter than we must be.
  const char *rfc;
  std::string bytes;
  // "METHOD target" as the handler sees them; " @host" unless that is "a"; " =body" unless it is
  // empty; " +value" for an input header named Evil.
  std::vector<std::string> seen;
  std::vector<int> statuses;
  bool stays;
};

namespace smuggling {

using Cases = std::vector<SmugglingCase>;
using Messages = std::vector<std::string>;
using Statuses = std::vector<int>;

// A literal that may contain NUL.
template <size_t N>
std::string Raw(const char (&text)[N]) {
  return std::string(text, N - 1);
}

inline std::string Head(const std::string &line, const std::string &lines = "") {
  return line + "\r\nHost: a\r\n" + lines + "\r\n";
}

// What a case ends with, where the connection goes on.
inline std::string Next() {
  return Head("GET /next HTTP/1.1");
}

inline std::string Post(const std::string &lines, const std::string &body = "") {
  return Head("POST / HTTP/1.1", lines) + body;
}

inline std::string Length(const std::string &value, const std::string &body) {
  return Post("Content-Length:" + value + "\r\n", body);
}

inline std::string Coding(const std::string &value) {
  return Post("Transfer-Encoding:" + value + "\r\n", "2\r\nxy\r\n0\r\n\r\n");
}

inline std::string Chunked(const std::string &body) {
  return Post("Transfer-Encoding: chunked\r\n", body);
}

// The kinds of outcome.
inline SmugglingCase Taken(const char *name, const char *rfc, const std::string &bytes,
                           const std::string &message) {
  return {name, rfc, bytes + Next(), {message, "GET /next"}, {200, 200}, true};
}
inline SmugglingCase Refused(const char *name, const char *rfc, const std::string &bytes,
                             int status = 400) {
  return {name, rfc, bytes + Next(), {}, {status}, false};
}
// The first message is good, what follows it is not.
inline SmugglingCase RefusedAfter(const char *name, const char *rfc, const std::string &bytes,
                                  const std::string &message, int status = 400) {
  return {name, rfc, bytes + Next(), {message}, {200, status}, false};
}
// Answered, and whatever follows is not looked at.
inline SmugglingCase Last(const char *name, const char *rfc, const std::string &bytes,
                          const std::string &message) {
  return {name, rfc, bytes + Next(), {message}, {200}, false};
}

inline void Add(Cases *out, const Cases &cases) {
  out->insert(out->end(), cases.begin(), cases.end());
}

}  // namespace smuggling

#endif

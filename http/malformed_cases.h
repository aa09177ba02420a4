#ifndef STRATA_HTTP_MALFORMED_CASES_H_
#define STRATA_HTTP_MALFORMED_CASES_H_

#include <string>
#include <vector>

// Requests that a server must refuse, each with the rule that it breaks. Used against the parser
// and, over a socket, against the server. Oversized cases exceed the server's default limits:
// 8 KiB of request line, 64 KiB of head, 100 fields, 16 MiB of body.

struct MalformedCase {
  const char *name;
  // The section that has the rule; "strata" where we are stricter than we must be.
  const char *rfc;
  int status;
  std::string bytes;
  // Whether the connection must be closed after the reply: where the next message starts is
  // unknown. If not, it may be.
  bool must_close = true;
};

namespace malformed {

// A literal that may contain NUL.
template <size_t N>
std::string Raw(const char (&text)[N]) {
  return std::string(text, N - 1);
}

// A request with these field lines besides Host.
inline std::string WithFields(const std::string &lines, const std::string &body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body;
}

inline std::string Chunked(const std::string &body) {
  return WithFields("Transfer-Encoding: chunked\r\n", body);
}

inline std::string Line(const std::string &line) {
  return line + "\r\nHost: a\r\n\r\n";
}

inline std::string Repeat(const std::string &text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

inline void AddLineCases(std::vector<MalformedCase> *out) {
  const std::vector<MalformedCase> cases = {
      {"bare LF after the request line", "9112 2.2", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
      {"bare LF everywhere", "9112 2.2", 400, "GET / HTTP/1.1\nHost: a\n\n"},
      {"bare CR after the request line", "9112 2.2", 400, "GET / HTTP/1.1\rHost: a\r\n\r\n"},
      {"CR CR LF after the request line", "9112 2.2", 400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
      {"two empty lines first", "9112 2.2", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"empty line of bare LF first", "9112 2.2", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"empty line of bare CR first", "9112 2.2", 400, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"space before the method", "9112 3", 400, Line(" GET / HTTP/1.1")},
      {"two spaces after the method", "9112 3", 400, Line("GET  / HTTP/1.1")},
      {"two spaces before the version", "9112 3", 400, Line("GET /  HTTP/1.1")},
      {"space after the version", "9112 3", 400, Line("GET / HTTP/1.1 ")},
      {"tab instead of a space", "9112 3", 400, Line("GET\t/ HTTP/1.1")},
      {"vertical tab instead of a space", "9112 3", 400, Line("GET\v/ HTTP/1.1")},
      {"no target", "9112 3", 400, Line("GET HTTP/1.1")},
      {"only a method", "9112 3", 400, Line("GET")},
      {"NUL in the method", "9112 3.1", 400, Raw("G\0ET / HTTP/1.1\r\nHost: a\r\n\r\n")},
      {"separator in the method", "9112 3.1", 400, Line("GE(T / HTTP/1.1")},
      {"high byte in the method", "9112 3.1", 400, Line("G\xc9T / HTTP/1.1")},
      {"NUL in the target", "9112 3.2", 400, Raw("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n")},
      {"control byte in the target", "9112 3.2", 400, Line("GET /\x01 HTTP/1.1")},
      {"DEL in the target", "9112 3.2", 400, Line("GET /\x7f HTTP/1.1")},
      {"space in the target", "9112 3.2", 400, Line("GET /a b HTTP/1.1")},
      {"fragment in the target", "9112 3.2", 400, Line("GET /a#b HTTP/1.1")},
      {"high byte in the target", "9112 3.2", 400, Line("GET /\xc3\xa9 HTTP/1.1")},
      {"CR in the target", "9112 3.2", 400, Line("GET /a\rb HTTP/1.1")},
      {"relative path", "9112 3.2", 400, Line("GET index.html HTTP/1.1")},
      {"query without a path", "9112 3.2.1", 400, Line("GET ?a=b HTTP/1.1")},
      {"absolute target without a host", "9110 4.2.1", 400, Line("GET http:///a HTTP/1.1")},
      {"absolute target with userinfo", "9110 4.2.4", 400, Line("GET http://u:p@a/ HTTP/1.1")},
      {"absolute target with a bad port", "3986 3.2.3", 400, Line("GET http://a:x/ HTTP/1.1")},
      {"authority target with GET", "9112 3.2.3", 400, Line("GET a:80 HTTP/1.1")},
      {"CONNECT with a path", "9112 3.2.3", 400, Line("CONNECT /a HTTP/1.1")},
      {"CONNECT without a port", "9110 9.3.6", 400, Line("CONNECT a HTTP/1.1")},
      {"CONNECT with an empty port", "9110 9.3.6", 400, Line("CONNECT a: HTTP/1.1")},
      {"CONNECT with port 0", "9110 9.3.6", 400, Line("CONNECT a:0 HTTP/1.1")},
      {"asterisk with GET", "9112 3.2.4", 400, Line("GET * HTTP/1.1")},
      {"HTTP/0.9 request", "9112 2.3", 400, "GET /\r\n"},
      {"lower-case http", "9112 2.3", 400, Line("GET / http/1.1")},
      {"another protocol", "9112 2.3", 400, Line("GET / HTTPS/1.1")},
      {"no minor version", "9112 2.3", 400, Line("GET / HTTP/1")},
      {"two digits of minor version", "9112 2.3", 400, Line("GET / HTTP/1.10")},
      {"two digits of major version", "9112 2.3", 400, Line("GET / HTTP/01.1")},
      {"comma in the version", "9112 2.3", 400, Line("GET / HTTP/1,1")},
      {"letter in the version", "9112 2.3", 400, Line("GET / HTTP/1.x")},
      {"HTTP/2.0", "9110 15.6.6", 505, Line("GET / HTTP/2.0")},
      {"HTTP/2 preface", "9110 15.6.6", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"HTTP/0.9 spelt out", "9110 15.6.6", 505, Line("GET / HTTP/0.9")},
      {"HTTP/9.9", "9110 15.6.6", 505, Line("GET / HTTP/9.9")},
      {"long target", "9112 3", 414, Line("GET /" + std::string(9000, 'a') + " HTTP/1.1")},
      {"long target without end", "9112 3", 414, "GET /" + std::string(9000, 'a')},
      {"long method", "9112 3", 501, Line(std::string(9000, 'A') + " / HTTP/1.1")},
  };
  out->insert(out->end(), cases.begin(), cases.end());
}

inline void AddFieldCases(std::vector<MalformedCase> *out) {
  const std::vector<MalformedCase> cases = {
      {"space before the colon", "9112 5.1", 400, WithFields("A : b\r\n")},
      {"tab before the colon", "9112 5.1", 400, WithFields("A\t: b\r\n")},
      {"space before the colon of Content-Length", "9112 5.1", 400,
       WithFields("Content-Length : 1\r\n", "x")},
      {"space before the first field", "9112 2.2", 400,
       "GET / HTTP/1.1\r\n Host: a\r\nB: c\r\n\r\n"},
      {"folded field", "9112 5.2", 400, WithFields("A: b\r\n c\r\n")},
      {"field folded by a tab", "9112 5.2", 400, WithFields("A: b\r\n\tc\r\n")},
      {"folded Transfer-Encoding", "9112 5.2", 400,
       WithFields("Transfer-Encoding:\r\n chunked\r\n")},
      {"line of whitespace", "9112 5.2", 400, WithFields("A: b\r\n \r\n")},
      {"no colon", "9112 5", 400, WithFields("A b\r\n")},
      {"name only", "9112 5", 400, WithFields("A\r\n")},
      {"empty name", "9110 5.1", 400, WithFields(": b\r\n")},
      {"NUL in a name", "9110 5.1", 400, WithFields(Raw("A\0: b\r\n"))},
      {"separator in a name", "9110 5.1", 400, WithFields("A(b): c\r\n")},
      {"high byte in a name", "9110 5.1", 400, WithFields("\xc4: c\r\n")},
      {"NUL in a value", "9110 5.5", 400, WithFields(Raw("A: b\0c\r\n"))},
      {"control byte in a value", "9110 5.5", 400,
       WithFields("A: b\x01"
                  "c\r\n")},
      {"DEL in a value", "9110 5.5", 400,
       WithFields("A: b\x7f"
                  "c\r\n")},
      {"bare CR in a value", "9112 2.2", 400, WithFields("A: b\rc\r\n")},
      {"bare LF in a value", "9112 2.2", 400, WithFields("A: b\nB: c\r\n")},
      {"bare LF at the end of the head", "9112 2.2", 400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"bare CR at the end of the head", "9112 2.2", 400, "GET / HTTP/1.1\r\nHost: a\r\n\rx"},
      {"long field", "6585 5", 431, WithFields("A: " + std::string(70000, 'b') + "\r\n")},
      {"long field without end", "6585 5", 431,
       "GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(70000, 'b')},
      {"long name without colon", "6585 5", 431,
       "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(70000, 'b')},
      {"many fields", "6585 5", 431, WithFields(Repeat("A: b\r\n", 101))},
      {"no Host", "9112 3.2", 400, "GET / HTTP/1.1\r\n\r\n"},
      {"no Host beside an absolute target", "9112 3.2", 400, "GET http://a/ HTTP/1.1\r\n\r\n"},
      {"Host twice", "9112 3.2", 400, WithFields("Host: a\r\n")},
      {"two different Hosts", "9112 3.2", 400, WithFields("Host: b\r\n")},
      {"Host twice in HTTP/1.0", "9112 3.2", 400, "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n"},
      {"list as Host", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"Host with userinfo", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
      {"Host with a path", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"Host with a space", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {"Host with a bad port", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n"},
      {"Host with too high a port", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"},
      {"Host with an open bracket", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
      {"Host that is no IPv6 address", "9112 3.2", 400, "GET / HTTP/1.1\r\nHost: [::1::2]\r\n\r\n"},
      {"unknown expectation", "9110 10.1.1", 417,
       WithFields("Expect: 200-maybe\r\nContent-Length: 1\r\n", "x"), false},
  };
  out->insert(out->end(), cases.begin(), cases.end());
}

inline void AddFramingCases(std::vector<MalformedCase> *out) {
  const std::string length = "Content-Length: ", coding = "Transfer-Encoding: ";
  const std::string end = "\r\n", last = "0\r\n\r\n";
  const std::vector<MalformedCase> cases = {
      {"conflicting Content-Lengths", "9112 6.3", 400,
       WithFields("Content-Length: 1\r\nContent-Length: 2\r\n", "xy")},
      {"identical Content-Lengths", "9112 6.3", 400,
       WithFields("Content-Length: 1\r\nContent-Length: 1\r\n", "x")},
      {"list as Content-Length", "9112 6.3", 400, WithFields(length + "1, 1" + end, "x")},
      {"empty Content-Length", "9110 8.6", 400, WithFields(length + end)},
      {"negative Content-Length", "9110 8.6", 400, WithFields(length + "-1" + end)},
      {"Content-Length with a plus", "9110 8.6", 400, WithFields(length + "+1" + end, "x")},
      {"hexadecimal Content-Length", "9110 8.6", 400, WithFields(length + "0x1" + end, "x")},
      {"fractional Content-Length", "9110 8.6", 400, WithFields(length + "1.0" + end, "x")},
      {"space within Content-Length", "9110 8.6", 400, WithFields(length + "1 0" + end, "x")},
      {"letters as Content-Length", "9110 8.6", 400, WithFields(length + "one" + end, "x")},
      {"Content-Length beyond 63 bits", "9110 8.6", 400,
       WithFields(length + "9223372036854775808" + end)},
      {"Content-Length beyond 64 bits", "9110 8.6", 400,
       WithFields(length + "18446744073709551617" + end, "x")},
      {"Content-Length beyond the limit", "9110 15.5.14", 413,
       WithFields(length + "99999999999" + end), false},
      {"Content-Length and chunked", "9112 6.3", 400,
       WithFields(length + "5" + end + coding + "chunked" + end, last)},
      {"chunked and Content-Length", "9112 6.3", 400,
       WithFields(coding + "chunked" + end + length + "5" + end, last)},
      {"chunked in HTTP/1.0", "9112 6.1", 400,
       "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + last},
      {"unknown coding", "9112 6.1", 501, WithFields(coding + "fish" + end)},
      {"gzip before chunked", "9112 6.1", 501, WithFields(coding + "gzip, chunked" + end, last)},
      {"identity", "9112 7", 501, WithFields(coding + "identity" + end)},
      {"chunked behind a letter", "9112 7", 501, WithFields(coding + "xchunked" + end, last)},
      {"chunked not last", "9112 6.1", 400, WithFields(coding + "chunked, gzip" + end, last)},
      {"chunked not last, over two fields", "9112 6.1", 400,
       WithFields(coding + "chunked" + end + coding + "gzip" + end, last)},
      {"chunked twice", "9112 6.1", 400, WithFields(coding + "chunked, chunked" + end, last)},
      {"chunked twice, over two fields", "9112 6.1", 400,
       WithFields(coding + "chunked" + end + coding + "chunked" + end, last)},
      {"chunked with a parameter", "9112 7.1", 400, WithFields(coding + "chunked;a=b" + end, last)},
      {"empty Transfer-Encoding", "strata", 400, WithFields(coding + end, last)},
      {"empty member of Transfer-Encoding", "strata", 400,
       WithFields(coding + ",chunked" + end, last)},
      {"quoted chunked", "9112 7", 400, WithFields(coding + "\"chunked\"" + end, last)},
      {"codings without comma", "9112 7", 400, WithFields(coding + "gzip chunked" + end, last)},
  };
  out->insert(out->end(), cases.begin(), cases.end());
}

inline void AddChunkCases(std::vector<MalformedCase> *out) {
  const std::vector<MalformedCase> cases = {
      {"chunk size without digit", "9112 7.1", 400, Chunked("\r\nx\r\n0\r\n\r\n")},
      {"chunk size of letters", "9112 7.1", 400, Chunked("xyz\r\n0\r\n\r\n")},
      {"chunk size with 0x", "9112 7.1", 400, Chunked("0x1\r\nx\r\n0\r\n\r\n")},
      {"negative chunk size", "9112 7.1", 400, Chunked("-1\r\nx\r\n0\r\n\r\n")},
      {"chunk size with a plus", "9112 7.1", 400, Chunked("+1\r\nx\r\n0\r\n\r\n")},
      {"space before the chunk size", "9112 7.1", 400, Chunked(" 1\r\nx\r\n0\r\n\r\n")},
      {"space after the chunk size", "9112 7.1", 400, Chunked("1 \r\nx\r\n0\r\n\r\n")},
      {"chunk size beyond 63 bits", "9112 7.1", 400, Chunked("8000000000000000\r\n")},
      {"chunk size beyond 64 bits", "9112 7.1", 400,
       Chunked("10000000000000001\r\nx\r\n0\r\n\r\n")},
      {"chunk size beyond the limit", "9110 15.5.14", 413, Chunked("ffffffffff\r\n")},
      {"bare LF after the chunk size", "9112 2.2", 400, Chunked("1\nx\r\n0\r\n\r\n")},
      {"bare CR after the chunk size", "9112 2.2", 400, Chunked("1\rx\r\n0\r\n\r\n")},
      {"chunk without its end", "9112 7.1", 400, Chunked("1\r\nxy\r\n0\r\n\r\n")},
      {"chunk ended by bare LF", "9112 7.1", 400, Chunked("1\r\nx\n0\r\n\r\n")},
      {"chunk ended by bare CR", "9112 7.1", 400, Chunked("1\r\nx\r0\r\n\r\n")},
      {"NUL in the chunk size", "9112 7.1", 400, Chunked(Raw("1\0\r\nx\r\n0\r\n\r\n"))},
      {"chunk extension without name", "9112 7.1.1", 400, Chunked("1;\r\nx\r\n0\r\n\r\n")},
      {"bare LF in a chunk extension", "9112 7.1.1", 400, Chunked("1;a=b\nx\r\n0\r\n\r\n")},
      {"bare CR in a chunk extension", "9112 7.1.1", 400, Chunked("1;a=\rb\r\nx\r\n0\r\n\r\n")},
      {"NUL in a chunk extension", "9112 7.1.1", 400, Chunked(Raw("1;a=\"\0\"\r\nx\r\n0\r\n\r\n"))},
      {"line end in a quoted extension", "9112 7.1.1", 400,
       Chunked("1;a=\"\r\n\"\r\nx\r\n0\r\n\r\n")},
      {"long chunk extension", "9112 7.1.1", 400,
       Chunked("1;" + std::string(9000, 'a') + "\r\nx\r\n0\r\n\r\n")},
      {"many chunk extensions", "9112 7.1.1", 400,
       Chunked(Repeat("1;" + std::string(1000, 'a') + "\r\nx\r\n", 100) + "0\r\n\r\n")},
      {"endless zeros as chunk size", "9112 7.1", 400, Chunked(std::string(9000, '0'))},
      {"space before the colon in a trailer", "9112 7.1.2", 400, Chunked("0\r\nA : b\r\n\r\n")},
      {"folded trailer", "9112 7.1.2", 400, Chunked("0\r\nA: b\r\n c\r\n\r\n")},
      {"NUL in a trailer", "9112 7.1.2", 400, Chunked(Raw("0\r\nA: \0\r\n\r\n"))},
      {"bare LF in a trailer", "9112 7.1.2", 400, Chunked("0\r\nA: b\n\r\n")},
      {"bare LF after the last chunk", "9112 7.1.2", 400, Chunked("0\r\n\n")},
      {"long trailer", "6585 5", 431, Chunked("0\r\nA: " + std::string(70000, 'b') + "\r\n\r\n")},
      {"many trailer fields", "6585 5", 431, Chunked("0\r\n" + Repeat("A: b\r\n", 200) + "\r\n")},
  };
  out->insert(out->end(), cases.begin(), cases.end());
}

}  // namespace malformed

inline std::vector<MalformedCase> MalformedCases() {
  std::vector<MalformedCase> cases;
  malformed::AddLineCases(&cases);
  malformed::AddFieldCases(&cases);
  malformed::AddFramingCases(&cases);
  malformed::AddChunkCases(&cases);
  return cases;
}

#endif

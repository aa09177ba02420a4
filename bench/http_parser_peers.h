// The contestants of http_parser_bench.cc from elsewhere.
#ifndef STRATA_BENCH_HTTP_PARSER_PEERS_H_
#define STRATA_BENCH_HTTP_PARSER_PEERS_H_

#include <benchmark/benchmark.h>
#include <http_parser.h>
#include <sys/types.h>

#include <cstring>
#include <string>

// picohttpparser's functions: libh2o exports them but installs no header for them.
extern "C" {
struct phr_header {
  const char *name;
  size_t name_len;
  const char *value;
  size_t value_len;
};
struct phr_chunked_decoder {
  size_t bytes_left_in_chunk;
  char consume_trailer;
  char hex_count;
  char state;
};
int phr_parse_request(const char *bytes, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version, phr_header *headers,
                      size_t *num_headers, size_t last_len);
int phr_parse_response(const char *bytes, size_t len, int *minor_version, int *status,
                       const char **message, size_t *message_len, phr_header *headers,
                       size_t *num_headers, size_t last_len);
ssize_t phr_decode_chunked(phr_chunked_decoder *decoder, char *bytes, size_t *len);
}

struct Picohttpparser {
  bool Request(const std::string &head) {
    const char *method, *path;
    size_t method_len, path_len, num_headers = 64;
    int minor;
    phr_header headers[64];
    int used = phr_parse_request(head.data(), head.size(), &method, &method_len, &path, &path_len,
                                 &minor, headers, &num_headers, 0);
    benchmark::DoNotOptimize(headers);
    return used == static_cast<int>(head.size());
  }
  bool Response(const std::string &head) {
    const char *message;
    size_t message_len, num_headers = 64;
    int minor, status;
    phr_header headers[64];
    int used = phr_parse_response(head.data(), head.size(), &minor, &status, &message, &message_len,
                                  headers, &num_headers, 0);
    benchmark::DoNotOptimize(headers);
    return used == static_cast<int>(head.size());
  }
  size_t Chunks(char *bytes, size_t len) {
    phr_chunked_decoder decoder = {};
    decoder.consume_trailer = 1;
    return phr_decode_chunked(&decoder, bytes, &len) == 0 ? len : 0;
  }
};

// http_parser tells of a name, a value or the target in pieces that lie together.
class HttpParser {
 public:
  bool Request(const std::string &head) { return Head(HTTP_REQUEST, head); }
  bool Response(const std::string &head) { return Head(HTTP_RESPONSE, head); }

  size_t Chunks(char *bytes, size_t len) {
    static const http_parser behind_head = BehindChunkedHead();
    http_parser parser = behind_head;
    parser.data = this;
    is_complete_ = false;
    out_ = bytes;
    http_parser_execute(&parser, &Settings(), bytes, len);
    return is_complete_ ? static_cast<size_t>(out_ - bytes) : 0;
  }

 private:
  struct Text {
    const char *at;
    size_t len;
  };

  bool Head(http_parser_type type, const std::string &head) {
    http_parser parser;
    http_parser_init(&parser, type);
    parser.data = this;
    num_fields_ = 0;
    is_head_complete_ = false;
    http_parser_execute(&parser, &Settings(), head.data(), head.size());
    benchmark::DoNotOptimize(names_);
    benchmark::DoNotOptimize(values_);
    return is_head_complete_;
  }

  static HttpParser *Of(http_parser *parser) { return static_cast<HttpParser *>(parser->data); }

  static int OnUrl(http_parser *parser, const char *at, size_t len) {
    Of(parser)->url_ = {at, len};
    return 0;
  }
  static int OnName(http_parser *parser, const char *at, size_t len) {
    HttpParser *self = Of(parser);
    self->names_[self->num_fields_] = {at, len};
    return 0;
  }
  static int OnValue(http_parser *parser, const char *at, size_t len) {
    HttpParser *self = Of(parser);
    self->values_[self->num_fields_++] = {at, len};
    return 0;
  }
  static int OnHeadComplete(http_parser *parser) {
    Of(parser)->is_head_complete_ = true;
    // 1: that no body follows. A chunked body is wanted.
    return parser->flags & F_CHUNKED ? 0 : 1;
  }
  static int OnBody(http_parser *parser, const char *at, size_t len) {
    HttpParser *self = Of(parser);
    memmove(self->out_, at, len);
    self->out_ += len;
    return 0;
  }
  static int OnComplete(http_parser *parser) {
    Of(parser)->is_complete_ = true;
    return 0;
  }

  static const http_parser_settings &Settings() {
    static const http_parser_settings settings = [] {
      http_parser_settings s;
      http_parser_settings_init(&s);
      s.on_url = OnUrl;
      s.on_header_field = OnName;
      s.on_header_value = OnValue;
      s.on_headers_complete = OnHeadComplete;
      s.on_body = OnBody;
      s.on_message_complete = OnComplete;
      return s;
    }();
    return settings;
  }

  static http_parser BehindChunkedHead() {
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    http_parser parser;
    HttpParser self;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &self;
    http_parser_execute(&parser, &Settings(), head, sizeof(head) - 1);
    return parser;
  }

  Text url_, names_[64], values_[64];
  size_t num_fields_ = 0;
  bool is_head_complete_ = false, is_complete_ = false;
  char *out_ = nullptr;
};

#endif  // STRATA_BENCH_HTTP_PARSER_PEERS_H_

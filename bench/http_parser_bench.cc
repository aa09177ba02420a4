// Heads and chunked bodies of HTTP/1 from memory: strata's parser in each way that the machine runs
// it and, with STRATA_PEERS, picohttpparser (as libh2o-evloop has it) and http_parser 2.9.
// bench/http_parser_compare prints a table of this.
//
// Every contestant does what a server needs of it: the parts of the start line and each field's
// name and value, as pointers or offsets.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "http/chunked.h"
#include "http/parser.h"
#include "http/parser_lines.h"
#if STRATA_PEERS
#include "bench/http_parser_peers.h"
#endif

namespace {

std::string BrowserRequest() {
  std::string head =
      "GET /gallery/2026/11/a-walk-along-the-river-at-dusk-0417.jpg HTTP/1.1\r\n"
      "Host: pictures.example.org\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
      "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
      "Accept-Encoding: gzip, deflate, br\r\n"
      "DNT: 1\r\n"
      "Connection: keep-alive\r\n"
      "Referer: http://pictures.example.org/gallery/2026/11/\r\n"
      "Cookie: session=";
  return head + std::string(703 - 4 - head.size(), 'c') + "\r\n\r\n";
}

std::string CurlRequest() {
  return "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: "
         "*/*\r\n\r\n";
}

std::string ResponseHead() {
  return "HTTP/1.1 200 OK\r\n"
         "Date: Sun, 22 Nov 2026 06:30:00 GMT\r\n"
         "Server: example/1.24.0\r\n"
         "Content-Type: text/html; charset=utf-8\r\n"
         "Content-Length: 48213\r\n"
         "Last-Modified: Sat, 21 Nov 2026 18:02:11 GMT\r\n"
         "ETag: \"6740b2a3-bc55\"\r\n"
         "Cache-Control: public, max-age=3600\r\n"
         "Vary: Accept-Encoding\r\n"
         "Accept-Ranges: bytes\r\n"
         "Connection: keep-alive\r\n"
         "\r\n";
}

constexpr size_t kChunkLen = 29, kNumChunks = 100;

std::string ChunkedBody() {
  std::string body;
  for (size_t i = 0; i < kNumChunks; ++i) body += "1d\r\n" + std::string(kChunkLen, 'x') + "\r\n";
  return body + "0\r\n\r\n";
}

// strata. Each contestant has these four; they return whether the input was read to its end.
struct Strata {
  static bool Head(const std::string &head, void (*init)(evhttp_head_parser *, evhttp_head_field *,
                                                         const evhttp_head_limits *)) {
    static const evhttp_head_limits limits = {8192, 65536, 64};
    evhttp_head_field fields[64];
    evhttp_head_parser parser;
    init(&parser, fields, &limits);
    evhttp_parse_result result = evhttp_head_parse(&parser, head.data(), head.size());
    benchmark::DoNotOptimize(fields);
    return result == EVHTTP_PARSE_DONE && parser.consumed == head.size();
  }
  bool Request(const std::string &head) { return Head(head, evhttp_head_parser_init_request); }
  bool Response(const std::string &head) { return Head(head, evhttp_head_parser_init_response); }
  // Moves the data together, as picohttpparser does.
  size_t Chunks(char *bytes, size_t len) {
    evhttp_chunk_decoder decoder;
    evhttp_chunk_event event;
    char *out = bytes;
    evhttp_chunk_decoder_init(&decoder, nullptr, nullptr);
    for (const char *in = bytes, *end = bytes + len; in < end;) {
      in += evhttp_chunk_step(&decoder, in, static_cast<size_t>(end - in), &event);
      if (event.kind != EVHTTP_CHUNK_DATA) break;
      memmove(out, event.data, event.data_len);
      out += event.data_len;
    }
    return event.kind == EVHTTP_CHUNK_DONE ? static_cast<size_t>(out - bytes) : 0;
  }
};

template <typename Contestant>
void Requests(benchmark::State &state, Contestant contestant, const std::string &head) {
  for (auto _ : state) {
    if (!contestant.Request(head)) return state.SkipWithError("request not parsed");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * head.size()));
}

template <typename Contestant>
void Responses(benchmark::State &state, Contestant contestant, const std::string &head) {
  for (auto _ : state) {
    if (!contestant.Response(head)) return state.SkipWithError("response not parsed");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * head.size()));
}

template <typename Contestant>
void Chunks(benchmark::State &state, Contestant contestant, const std::string &body) {
  std::vector<char> bytes(body.size());
  for (auto _ : state) {
    // Decoding in place spoils it.
    memcpy(bytes.data(), body.data(), body.size());
    size_t len = contestant.Chunks(bytes.data(), bytes.size());
    if (len != kChunkLen * kNumChunks) return state.SkipWithError("body not decoded");
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
}

// Before each run, since all runs share what strata_http_lines_use() sets.
struct StrataWith : Strata {
  explicit StrataWith(const strata_http_lines *lines) { strata_http_lines_use(lines); }
};

template <typename Make>
void Register(const std::string &contestant, Make make) {
  const struct {
    const char *name;
    std::string head;
  } requests[] = {{"browser_request", BrowserRequest()}, {"curl_request", CurlRequest()}};
  for (const auto &request : requests) {
    benchmark::RegisterBenchmark(
        (request.name + ("/" + contestant)).c_str(),
        [=](benchmark::State &state) { Requests(state, make(), request.head); });
  }
  benchmark::RegisterBenchmark(("response/" + contestant).c_str(), [=](benchmark::State &state) {
    Responses(state, make(), ResponseHead());
  });
  benchmark::RegisterBenchmark(("chunks/" + contestant).c_str(), [=](benchmark::State &state) {
    Chunks(state, make(), ChunkedBody());
  });
}

bool RegisterAll() {
  if (BrowserRequest().size() != 703) abort();
  for (unsigned i = 0; strata_http_lines_get(i); ++i) {
    const strata_http_lines *lines = strata_http_lines_get(i);
    Register(std::string("strata_") + lines->name, [=] { return StrataWith(lines); });
  }
#if STRATA_PEERS
  Register("picohttpparser", [] { return Picohttpparser(); });
  Register("http_parser", [] { return HttpParser(); });
#endif
  return true;
}

const bool g_are_registered = RegisterAll();

}  // namespace

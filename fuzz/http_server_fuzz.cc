// A server on a socket, fed the input whole, byte by byte and in random pieces: each time its
// handlers see the same requests and it sends the same replies, each of them well-formed.

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "http/chunked.h"
#include "http/framing.h"
#include "http/parser.h"

namespace {

void Check(bool holds, const char *what, const std::string &details) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n%s\n", what, details.c_str());
  abort();
}

class Random {
 public:
  Random(const uint8_t *seed, size_t len) {
    for (size_t i = 0; i < len; ++i) Next(seed[i]);
  }
  uint32_t Next(uint32_t salt = 0) {
    state_ = (state_ ^ salt) * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33);
  }

 private:
  uint64_t state_ = 88172645463325252u;
};

// ---- The server ----

struct Seen {
  std::string requests;       // What the handlers were given.
  std::vector<bool> is_head;  // Of each request whose head was accepted.
  std::string piece;          // The body so far, of one that is taken in pieces.
};
Seen *seen;
evhttp_request *paused;  // Until the next turn.

std::string Taken(evbuffer *buffer) {
  std::string bytes(evbuffer_get_length(buffer), '\0');
  if (!bytes.empty()) evbuffer_remove(buffer, &bytes[0], bytes.size());
  return bytes;
}

void TakePiece(evhttp_request *req, void *) {
  evbuffer *body = evhttp_request_get_input_buffer(req);
  // Some of it only after a pause.
  size_t len = evbuffer_get_length(body);
  std::string some(len > 2 ? len / 2 : len, '\0');
  evbuffer_remove(body, &some[0], some.size());
  seen->piece += some;
  if (some.size() == len) return;
  evhttp_request_pause_body(req);
  paused = req;
  evhttp_connection_set_closecb(
      evhttp_request_get_connection(req), [](evhttp_connection *, void *) { paused = nullptr; },
      nullptr);
}

int OnHead(evhttp_request *req, void *) {
  seen->is_head.push_back(evhttp_request_get_command(req) == EVHTTP_REQ_HEAD);
  seen->piece.clear();
  if (strncmp(evhttp_request_get_uri(req), "/up", 3) == 0)
    evhttp_request_set_chunked_cb(req, TakePiece);
  return 0;
}

int Provide(evhttp_request *, evbuffer *out, size_t, void *arg) {
  int *left = static_cast<int *>(arg);
  if (!out) {
    delete left;
    return 0;
  }
  evbuffer_add(out, "provided", 8);
  return --*left > 0 ? EVHTTP_BODY_MORE : EVHTTP_BODY_LAST;
}

void Describe(const evkeyvalq *fields) {
  for (const evkeyval *field = fields->tqh_first; field; field = field->next.tqe_next)
    seen->requests += std::string(" [") + field->key + "]=[" + field->value + "]\n";
}

void Handle(evhttp_request *req, void *) {
  const std::string uri = evhttp_request_get_uri(req);
  const char *host = evhttp_request_get_host(req);
  const std::string body = seen->piece + Taken(evhttp_request_get_input_buffer(req));
  seen->requests += std::to_string(evhttp_request_get_command(req)) + " " + uri + " for " +
                    (host ? host : "(nobody)") + "\n";
  Describe(evhttp_request_get_input_headers(req));
  seen->requests += "[" + body + "]\n";
  Describe(evhttp_request_get_trailers(req));
  evbuffer *reply = evbuffer_new();
  evbuffer_add(reply, body.data(), body.size());
  if (uri.compare(0, 2, "/c") == 0) {
    evhttp_send_reply_start(req, 200, "OK");
    evhttp_send_reply_chunk(req, reply);
    evhttp_send_reply_end(req);
  } else if (uri.compare(0, 2, "/p") == 0) {
    evhttp_send_reply_provided(req, 200, "OK", uri.size() > 2 ? 24 : -1, Provide, new int(3));
  } else if (uri.compare(0, 2, "/e") == 0) {
    evhttp_send_error(req, 404, nullptr);
  } else {
    evhttp_send_reply(req, uri.compare(0, 2, "/n") == 0 ? 204 : 200, "OK", reply);
  }
  evbuffer_free(reply);
}

struct Site {
  Site() : base(event_base_new()), http(evhttp_new(base)) {
    evhttp_set_max_headers_size(http, 1000);
    evhttp_set_max_request_line_size(http, 200);
    evhttp_set_max_headers_count(http, 8);
    evhttp_set_max_body_size(http, 500);
    evhttp_set_newreqcb(
        http,
        [](evhttp_request *req, void *) {
          evhttp_request_set_header_cb(req, OnHead);
          return 0;
        },
        nullptr);
    evhttp_set_gencb(http, Handle, nullptr);
  }
  event_base *base;
  evhttp *http;
};

// ---- One way of feeding it ----

std::string Received(int fd) {
  char bytes[16384];
  std::string text;
  ssize_t n;
  while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) text.append(bytes, static_cast<size_t>(n));
  return text;
}

void Turn(Site *site) {
  if (paused) evhttp_request_resume_body(paused);
  paused = nullptr;
  for (int i = 0; i < 3; ++i) event_base_loop(site->base, EVLOOP_NONBLOCK);
}

std::string Feed(Site *site, const std::string &input, const std::vector<size_t> &cuts,
                 Seen *out_seen) {
  int fds[2];
  std::string output;
  size_t at = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) abort();
  evutil_make_socket_nonblocking(fds[0]);
  seen = out_seen;
  if (evhttp_serve_socket(site->http, fds[1], nullptr, 0) < 0) abort();
  for (size_t cut : cuts) {
    // It may have closed before the end of what we send.
    if (send(fds[0], input.data() + at, cut - at, MSG_NOSIGNAL) < 0) break;
    at = cut;
    Turn(site);
    output += Received(fds[0]);
  }
  shutdown(fds[0], SHUT_WR);
  for (int i = 0; i < 1000 && evhttp_get_connection_count(site->http) > 0; ++i) {
    Turn(site);
    output += Received(fds[0]);
  }
  output += Received(fds[0]);
  Check(evhttp_get_connection_count(site->http) == 0, "the connection does not end", input);
  close(fds[0]);
  return output;
}

// ---- What it sent ----

// The body's length on the wire, or npos when it is not all there.
size_t BodyLen(const evhttp_framing &framing, const std::string &rest) {
  if (framing.body == EVHTTP_BODY_LENGTH)
    return framing.content_length <= rest.size() ? framing.content_length : std::string::npos;
  if (framing.body == EVHTTP_BODY_UNTIL_CLOSE) return rest.size();
  if (framing.body != EVHTTP_BODY_CHUNKED) return 0;
  evhttp_chunk_decoder decoder;
  size_t at = 0;
  evhttp_chunk_decoder_init(&decoder, nullptr, nullptr);
  for (;;) {
    evhttp_chunk_event event;
    at += evhttp_chunk_step(&decoder, rest.data() + at, rest.size() - at, &event);
    if (event.kind == EVHTTP_CHUNK_DONE) return at;
    if (event.kind != EVHTTP_CHUNK_DATA) return std::string::npos;
  }
}

// The final replies without what depends on the time; checks that each is whole.
std::string Replies(const std::string &output, const Seen &of) {
  evhttp_head_field fields[32];
  const evhttp_head_limits limits = {500, 4000, 32};
  std::string text;
  size_t at = 0, index = 0;
  while (at < output.size()) {
    evhttp_head_parser parser;
    evhttp_framing framing;
    std::string rest = output.substr(at);
    evhttp_head_parser_init_response(&parser, fields, &limits);
    Check(evhttp_head_parse(&parser, rest.data(), rest.size()) == EVHTTP_PARSE_DONE,
          "a reply's head", output);
    bool final = parser.status_code >= 200;
    bool head = final && index < of.is_head.size() && of.is_head[index];
    Check(evhttp_response_framing(&parser, rest.data(),
                                  head ? EVHTTP_RESPONSE_TO_HEAD : EVHTTP_RESPONSE_TO_OTHER,
                                  &framing) == EVHTTP_PARSE_DONE,
          "a reply's framing", output);
    size_t len = BodyLen(framing, rest.substr(parser.consumed));
    // A refusal of HEAD, too early for us to know that it was one.
    if (len == std::string::npos && final && index >= of.is_head.size()) {
      Check(rest.size() == parser.consumed, "a refusal's body", output);
      len = 0;
    }
    Check(len != std::string::npos, "a reply's body", output);
    if (final) {
      for (uint32_t i = 0; i < parser.num_fields; ++i) {
        std::string name = rest.substr(fields[i].name_off, fields[i].name_len);
        if (name != "Date")
          text += name + ": " + rest.substr(fields[i].value_off, fields[i].value_len) + "\n";
      }
      text += std::to_string(parser.status_code) + "\n" + rest.substr(parser.consumed, len) + "\n";
      index++;
    }
    at += parser.consumed + len;
  }
  return text;
}

std::string Outcome(Site *site, const std::string &input, const std::vector<size_t> &cuts) {
  Seen what;
  std::string output = Feed(site, input, cuts, &what);
  return what.requests + "--\n" + Replies(output, what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len) {
  static Site *site = new Site;
  if (data_len > 4000) return 0;
  const std::string input(reinterpret_cast<const char *>(data), data_len);
  Random random(data, data_len);
  std::vector<size_t> whole = {data_len}, bytes, pieces;
  for (size_t at = 1; at <= data_len; ++at) bytes.push_back(at);
  for (size_t at = 0; at < data_len;) {
    at += 1 + random.Next() % (random.Next() % 2 ? 8 : 200);
    pieces.push_back(at < data_len ? at : data_len);
  }
  const std::string expected = Outcome(site, input, whole);
  std::string other = Outcome(site, input, pieces);
  Check(other == expected, "not the same in pieces", expected + "====\n" + other);
  if (data_len > 600) return 0;
  other = Outcome(site, input, bytes);
  Check(other == expected, "not the same byte by byte", expected + "====\n" + other);
  return 0;
}

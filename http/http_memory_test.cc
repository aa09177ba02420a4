// Memory: what a steady connection allocates, and what happens when there is none.

#include <chrono>
#include <cstdlib>

#include "http/http_testing.h"
#include "util/testing/counting_memory.h"

namespace {

using http_testing::GetRequest;
using http_testing::Response;
using http_testing::Server;
using http_testing::TakeResponse;

// Set before anything is allocated: a block must go back where it came from.
class Hooks : public testing::Environment {
 public:
  void SetUp() override { CountingMemory::Install(event_set_mem_functions); }
};
const testing::Environment *const hooks = testing::AddGlobalTestEnvironment(new Hooks);

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const bool kPooled = false;  // Storage is not reused under sanitizers, so that they see each use.
#elif defined(_WIN32)
const bool kPooled = !getenv("EVENT_COMPLETION");  // backends/iocp.c receives into new memory.
#else
const bool kPooled = true;
#endif

// A client that takes nothing from the library.
class PlainClient {
 public:
  explicit PlainClient(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    evutil_make_socket_nonblocking(fd_);
  }
  ~PlainClient() { close(fd_); }
  void Send(const std::string &bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What has come so far; `closed` tells of the end.
  void Poll() {
    char bytes[65536];
    ssize_t n;
    while ((n = recv(fd_, bytes, sizeof(bytes), 0)) > 0) in.append(bytes, static_cast<size_t>(n));
    if (n == 0 || errno != EAGAIN) closed = true;
  }
  std::string in;
  bool closed = false;

 private:
  int fd_;
};

// Long enough for a listener that makes a pause where memory was short.
void Pump(event_base *base, PlainClient *client, const std::function<bool()> &done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done() && !client->closed && std::chrono::steady_clock::now() < end) {
    event_base_loop(base, EVLOOP_NONBLOCK);
    client->Poll();
  }
}

// ---- Steady state ----

struct Steady {
  long by_handler = 0;
  bool with_body = false;

  static void Answer(evhttp_request *req, void *arg) {
    Steady *self = static_cast<Steady *>(arg);
    if (!self->with_body) {
      evhttp_send_reply(req, 200, "OK", nullptr);
      return;
    }
    const long before = CountingMemory::num_calls();
    evbuffer *body = evbuffer_new();
    evbuffer_add(body, "Hello, World!", 13);
    self->by_handler += CountingMemory::num_calls() - before;
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
  }

  // Allocations of `count` requests beyond the handler's own.
  long Measure(int count, int pipelined) {
    event_base *base = event_base_new();
    evhttp *http = evhttp_new(base);
    evhttp_set_gencb(http, Answer, this);
    evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    PlainClient client(Server::PortOf(evhttp_bound_socket_get_fd(bound)));
    std::string request, requests;
    request = GetRequest("/some/path?with=query", "User-Agent: test\r\nAccept: */*\r\n");
    for (int i = 0; i < pipelined; ++i) requests += request;
    long extra = 0;
    for (int i = 0; i < count + 10; ++i) {
      if (i == 10) {
        CountingMemory::Begin();
        by_handler = 0;
      }
      client.Send(requests);
      for (int replies = 0; replies < pipelined;) {
        Pump(base, &client, [&] { return client.in.find("\r\n\r\n") != std::string::npos; });
        Response response;
        if (TakeResponse(&client.in, false, client.closed, &response)) replies++;
        if (client.closed) return -1;
      }
    }
    extra = CountingMemory::num_calls() - by_handler;
    evhttp_free(http);
    event_base_free(base);
    return extra;
  }
};

TEST(SteadyConnection, AllocatesNothing) {
  Steady steady;
  long extra = steady.Measure(100, 1);
  ASSERT_GE(extra, 0);
  if (kPooled) {
    EXPECT_EQ(extra, 0);
  }
}

TEST(SteadyConnection, AllocatesNothingBeyondTheHandlersBody) {
  Steady steady;
  steady.with_body = true;
  long extra = steady.Measure(100, 1);
  ASSERT_GE(extra, 0);
  if (kPooled) {
    EXPECT_EQ(extra, 0);
  }
}

TEST(SteadyConnection, AllocatesNothingWhenPipelined) {
  Steady steady;
  long extra = steady.Measure(100, 16);
  ASSERT_GE(extra, 0);
  if (kPooled) {
    EXPECT_EQ(extra, 0);
  }
}

// ---- No memory ----

void SendPiece(evhttp_request *req, const char *text) {
  evbuffer *piece = evbuffer_new();
  if (!piece) return;
  evbuffer_add(piece, text, strlen(text));
  evhttp_send_reply_chunk(req, piece);
  evbuffer_free(piece);
}

int Provide(evhttp_request *, evbuffer *out, size_t, void *arg) {
  int *left = static_cast<int *>(arg);
  if (!out) {
    delete left;
    return 0;
  }
  if (evbuffer_add(out, "0123456789", 10) < 0) return EVHTTP_BODY_ABORT;
  return --*left > 0 ? EVHTTP_BODY_MORE : EVHTTP_BODY_LAST;
}

// A body that is taken piece by piece, with a pause before each.
int StartTaking(evhttp_request *req, void *) {
  if (strcmp(evhttp_request_get_uri(req), "/upload") != 0) return 0;
  evhttp_request_set_chunked_cb(req, [](evhttp_request *of, void *) {
    evbuffer *body = evhttp_request_get_input_buffer(of);
    evbuffer_drain(body, evbuffer_get_length(body));
    evhttp_request_pause_body(of);
    evhttp_request_resume_body(of);
  });
  return 0;
}

void Handle(evhttp_request *req, void *) {
  std::string path = evhttp_request_get_uri(req);
  if (path == "/provided" || path == "/counted") {
    evhttp_send_reply_provided(req, 200, "OK", path == "/counted" ? 30 : -1, Provide, new int(3));
  } else if (path == "/stream") {
    evhttp_send_reply_start(req, 200, "OK");
    SendPiece(req, "one");
    SendPiece(req, "two");
    evhttp_send_reply_end(req);
  } else if (path == "/error") {
    evhttp_send_error(req, 404, "Not here");
  } else if (path == "/fields") {
    evhttp_request_get_evhttp_uri(req);
    evhttp_add_header(evhttp_request_get_output_headers(req), "A", "b");
    evhttp_connection_get_addr(evhttp_request_get_connection(req));
    evhttp_send_reply(req, 299, "Unusual", nullptr);
  } else {
    evbuffer *body = evbuffer_new();
    if (!body) {
      evhttp_send_error(req, 500, nullptr);
      return;
    }
    evbuffer_add_buffer(body, evhttp_request_get_input_buffer(req));
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
  }
}

// Everything from making the server to its end, with memory failing somewhere. Each exchange ends
// with a reply or with a closed connection. Returns whether memory failed at all.
bool RunWithout(event_base *base, const std::string &request, long at, bool keep) {
  CountingMemory::Begin(at, keep ? CountingMemory::kAll : 1);
  evhttp *http = evhttp_new(base);
  evhttp *vhost = http ? evhttp_new(base) : nullptr;
  evhttp_bound_socket *bound = nullptr;
  if (http) {
    evhttp_set_newreqcb(
        http,
        [](evhttp_request *req, void *) {
          evhttp_request_set_header_cb(req, StartTaking);
          return 0;
        },
        nullptr);
    evhttp_set_gencb(http, Handle, nullptr);
    evhttp_set_cb(http, "/a", Handle, nullptr);
    evhttp_add_server_alias(http, "alias");
    if (vhost && evhttp_add_virtual_host(http, "vhost", vhost) < 0) evhttp_free(vhost);
    bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
  }
  if (bound) {
    int port = Server::PortOf(evhttp_bound_socket_get_fd(bound));
    PlainClient client(port);
    client.Send(request);
    Response response;
    Pump(base, &client, [&] { return TakeResponse(&client.in, false, false, &response); });
    EXPECT_TRUE(client.closed || response.complete) << "allocation " << at << ": " << client.in;
    CountingMemory::StopFailing();
    // With memory back, the server serves.
    PlainClient after(port);
    after.Send(GetRequest("/after"));
    response = Response();
    Pump(base, &after, [&] { return TakeResponse(&after.in, false, false, &response); });
    EXPECT_EQ(response.status, 200) << "allocation " << at;
  }
  CountingMemory::StopFailing();
  if (http) evhttp_free(http);
  return CountingMemory::has_failed();
}

class NoMemory : public testing::TestWithParam<const char *> {};

TEST_P(NoMemory, AtAnyPoint) {
  event_base *base = event_base_new();
  for (bool keep : {false, true}) {
    for (long at = 1; at < 500; ++at) {
      if (!RunWithout(base, GetParam(), at, keep)) {
        EXPECT_GT(at, 10);
        break;
      }
      ASSERT_LT(at, 499);
      if (HasFailure()) break;
    }
  }
  event_base_free(base);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, NoMemory,
    testing::Values("GET /a HTTP/1.1\r\nHost: a\r\nField: value\r\n\r\n",
                    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /provided HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /counted HTTP/1.1\r\nHost: a\r\n\r\n",
                    "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\nHost: v\r\n\r\n",
                    "GET /error HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /fields HTTP/1.1\r\nHost: vhost\r\n\r\n",
                    "GET / HTTP/1.1\r\nHost: alias\r\n\r\n"
                    "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET bad HTTP/1.1\r\nHost: a\r\n\r\n",
                    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"));

}  // namespace

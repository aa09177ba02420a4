// The HTTP client when memory runs out, at every point.

#include <chrono>

#include "http/client_testing.h"
#include "util/testing/counting_memory.h"

namespace {

using http_testing::Server;

// Set before anything is allocated: a block must go back where it came from.
class Hooks : public testing::Environment {
 public:
  void SetUp() override { CountingMemory::Install(event_set_mem_functions); }
};
const testing::Environment *const hooks = testing::AddGlobalTestEnvironment(new Hooks);

struct Scenario {
  const char *name;
  evhttp_cmd_type type;
  const char *path;
  const char *body;
  bool chunk_cb;
  bool provided;
};

struct Result {
  int calls = 0;
  int errors = 0;
};

int Provide(evhttp_request *, evbuffer *out, size_t, void *) {
  return out && evbuffer_add(out, "bytes", 5) < 0 ? EVHTTP_BODY_ABORT : EVHTTP_BODY_LAST;
}

evhttp_request *NewRequest(const Scenario &scenario, Result *result) {
  evhttp_request *req = evhttp_request_new(
      [](evhttp_request *, void *arg) { static_cast<Result *>(arg)->calls++; }, result);
  if (!req) return nullptr;
  evhttp_request_set_error_cb(
      req, [](enum evhttp_request_error, void *arg) { static_cast<Result *>(arg)->errors++; });
  if (scenario.chunk_cb) evhttp_request_set_chunked_cb(req, [](evhttp_request *, void *) {});
  if (scenario.body)
    evbuffer_add(evhttp_request_get_output_buffer(req), scenario.body, strlen(scenario.body));
  if (scenario.provided) evhttp_request_set_body_provider(req, -1, Provide, nullptr);
  evhttp_add_header(evhttp_request_get_output_headers(req), "A", "b");
  return req;
}

class NoMemory : public testing::TestWithParam<Scenario> {
 protected:
  void Pump(const std::function<bool()> &done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < end)
      event_base_loop(base_, EVLOOP_NONBLOCK);
    EXPECT_TRUE(done());
  }
  // Two requests over a new connection. Returns whether memory failed at all.
  bool RunWithout(int port, long at, bool keep) {
    CountingMemory::Begin(at, keep ? CountingMemory::kAll : 1);
    evhttp_connection *con =
        evhttp_connection_base_new(base_, nullptr, "127.0.0.1", static_cast<ev_uint16_t>(port));
    Result results[2];
    int made = 0;
    for (Result &result : results) {
      evhttp_request *req = con ? NewRequest(GetParam(), &result) : nullptr;
      if (!req) continue;
      if (evhttp_make_request(con, req, GetParam().type, GetParam().path) == 0)
        made++;
      else
        result.calls = -1;
    }
    int turns = 0;
    // The server is without memory too.
    Pump([&] {
      if (++turns == 200) CountingMemory::StopFailing();
      return (results[0].calls > 0) + (results[1].calls > 0) == made;
    });
    CountingMemory::StopFailing();
    if (con) Check(con);
    for (const Result &result : results) {
      EXPECT_LE(result.calls, 1);
      EXPECT_LE(result.errors, 1);
    }
    if (con) evhttp_connection_free(con);
    const bool failed = CountingMemory::has_failed();
    for (int i = 0; i < 50; ++i) event_base_loop(base_, EVLOOP_NONBLOCK);
    return failed;
  }
  // With memory back, the connection works.
  void Check(evhttp_connection *con) {
    Result result;
    const Scenario plain = {"", EVHTTP_REQ_GET, "/", nullptr, false, false};
    ASSERT_EQ(evhttp_make_request(con, NewRequest(plain, &result), EVHTTP_REQ_GET, "/"), 0);
    Pump([&] { return result.calls == 1; });
    EXPECT_EQ(result.errors, 0);
  }

  event_base *base_ = event_base_new();
};

TEST_P(NoMemory, AtAnyPoint) {
  {
    evhttp *http = evhttp_new(base_);
    evhttp_set_gencb(
        http,
        [](evhttp_request *req, void *) {
          evbuffer *body = evbuffer_new();
          if (body) evbuffer_add(body, "hello", 5);
          if (evhttp_request_get_uri(req)[1] == 'c') {
            evhttp_send_reply_start(req, 200, "OK");
            if (body) evhttp_send_reply_chunk(req, body);
            evhttp_send_reply_end(req);
          } else {
            evhttp_send_reply(req, 200, "OK", body);
          }
          if (body) evbuffer_free(body);
        },
        nullptr);
    evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    const int port = Server::PortOf(evhttp_bound_socket_get_fd(bound));
    for (bool keep : {false, true}) {
      for (long at = 1; at < 400; ++at) {
        if (!RunWithout(port, at, keep)) {
          EXPECT_GT(at, 10);
          break;
        }
        ASSERT_LT(at, 399);
        if (HasFailure()) {
          ADD_FAILURE() << "at allocation " << at << (keep ? " and on" : "");
          break;
        }
      }
    }
    evhttp_free(http);
  }
  event_base_free(base_);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, NoMemory,
    testing::Values(Scenario{"Get", EVHTTP_REQ_GET, "/", nullptr, false, false},
                    Scenario{"Chunked", EVHTTP_REQ_GET, "/c", nullptr, true, false},
                    Scenario{"Post", EVHTTP_REQ_POST, "/", "body", false, false},
                    Scenario{"Provided", EVHTTP_REQ_PUT, "/", nullptr, false, true}),
    [](const testing::TestParamInfo<Scenario> &info) { return info.param.name; });

}  // namespace

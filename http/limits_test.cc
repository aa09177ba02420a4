// Limits, deadlines and refusals: what strata adds to libevent or does otherwise, so the
// installed libevent is not asked.

#include "http/http_testing.h"

namespace {

using http_testing::BodyOf;
using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() {
    server_.OnAny([this](evhttp_request *req) {
      called_++;
      Reply(req, BodyOf(req));
    });
  }
  // Asks on a new connection, and checks that the reply is the only one and is not lost.
  Response AskOnce(const std::string &request) {
    Client client(&loop_, server_.port());
    Response response = client.Get(request);
    EXPECT_EQ(response.Value("Connection"), "close");
    client.Shutdown();
    EXPECT_TRUE(client.WaitClosed());
    EXPECT_FALSE(client.reset());
    EXPECT_EQ(client.received(), "");
    return response;
  }
  static timeval Ms(int ms) { return {ms / 1000, ms % 1000 * 1000}; }
  static std::string ChunkedPost(const std::string &chunks) {
    return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
  }

  Loop loop_;
  Server server_{&loop_};
  int called_ = 0;
};

TEST_F(LimitsTest, HeadSize) {
  evhttp_set_max_headers_size(server_.http(), 1000);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/", "A: " + std::string(900, 'a') + "\r\n")).status, 200);
  EXPECT_EQ(AskOnce(GetRequest("/", "A: " + std::string(1000, 'a') + "\r\n")).status, 431);
  EXPECT_EQ(AskOnce("GET / HTTP/1.1\r\nA: " + std::string(1000, 'a')).status, 431);
  evhttp_set_max_headers_size(server_.http(), -1);
  Client unlimited(&loop_, server_.port());
  EXPECT_EQ(unlimited.Get(GetRequest("/", "A: " + std::string(1000000, 'a') + "\r\n")).status, 200);
}

TEST_F(LimitsTest, RequestLine) {
  EXPECT_EQ(AskOnce(GetRequest("/" + std::string(8192, 'a'))).status, 414);
  evhttp_set_max_request_line_size(server_.http(), 100);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/" + std::string(80, 'a'))).status, 200);
  EXPECT_EQ(AskOnce(GetRequest("/" + std::string(100, 'a'))).status, 414);
}

TEST_F(LimitsTest, NumberOfFields) {
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "A: b\r\n";
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/", fields)).status, 200);
  EXPECT_EQ(AskOnce(GetRequest("/", fields + "A: b\r\n")).status, 431);
  evhttp_set_max_headers_count(server_.http(), 3);
  EXPECT_EQ(AskOnce(GetRequest("/", "A: b\r\nA: b\r\nA: b\r\n")).status, 431);
  evhttp_set_max_headers_count(server_.http(), 1000);
  EXPECT_EQ(client.Get(GetRequest("/", fields + fields)).status, 200);
}

TEST_F(LimitsTest, BodySize) {
  evhttp_set_max_body_size(server_.http(), 10);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(PostRequest("/", "0123456789")).status, 200);
  EXPECT_EQ(client.Get(ChunkedPost("a\r\n0123456789\r\n0\r\n\r\n")).status, 200);
  int before = called_;
  EXPECT_EQ(AskOnce(PostRequest("/", "0123456789a")).status, 413);
  EXPECT_EQ(AskOnce(PostRequest("/", std::string(1000000, 'a'))).status, 413);
  EXPECT_EQ(AskOnce(ChunkedPost("b\r\n0123456789a\r\n0\r\n\r\n")).status, 413);
  EXPECT_EQ(AskOnce(ChunkedPost("a\r\n0123456789\r\n1\r\n0\r\n0\r\n\r\n")).status, 413);
  EXPECT_EQ(called_, before);
}

TEST_F(LimitsTest, BodySizeByDefault) {
  Client client(&loop_, server_.port());
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  EXPECT_EQ(AskOnce(head + std::to_string((16 << 20) + 1) + "\r\n\r\n").status, 413);
  EXPECT_EQ(
      client.Get(head + std::to_string(16 << 20) + "\r\n\r\n" + std::string(16 << 20, 'b')).status,
      200);
}

TEST_F(LimitsTest, TooLargeBodyIsRefusedBeforeItIsSent) {
  evhttp_set_max_body_size(server_.http(), 10);
  EXPECT_EQ(AskOnce("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                    "Content-Length: 11\r\n\r\n")
                .status,
            413);
}

TEST_F(LimitsTest, TooLargeBodyIsNotAskedForOnlyToBeReadFirst) {
  evhttp_set_max_body_size(server_.http(), 10);
  ASSERT_EQ(evhttp_set_flags(server_.http(), EVHTTP_SERVER_LINGERING_CLOSE), 0);
  EXPECT_EQ(AskOnce("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                    "Content-Length: 11\r\n\r\n")
                .status,
            413);
}

TEST_F(LimitsTest, TooLargeBodyIsReadFirstIfAsked) {
  evhttp_set_max_body_size(server_.http(), 10);
  ASSERT_EQ(evhttp_set_flags(server_.http(), EVHTTP_SERVER_LINGERING_CLOSE), 0);
  EXPECT_NE(evhttp_set_flags(server_.http(), 0x4000), 0);
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" +
              std::string(999999, 'a'));
  ASSERT_TRUE(loop_.RunUntil([&] { return client.sent_all(); }));
  loop_.Settle();
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(client.Get("a").status, 413);
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(AskOnce(ChunkedPost("ff\r\n" + std::string(255, 'a') + "\r\n0\r\n\r\n")).status, 413);
  EXPECT_EQ(called_, 0);
}

TEST_F(LimitsTest, RefusalIsNotLostThoughTheClientKeepsSending) {
  evhttp_set_max_body_size(server_.http(), 10);
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" +
              std::string(3000000, 'a'));
  ASSERT_TRUE(loop_.RunUntil([&] { return client.sent_all(); }));
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 413);
  client.Shutdown();
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_FALSE(client.reset());
}

TEST_F(LimitsTest, LingeringEndsWithTooManyBytes) {
  evhttp_set_max_body_size(server_.http(), 10);
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99000000\r\n\r\n" +
              std::string(20000000, 'a'));
  ASSERT_TRUE(loop_.RunUntil([&] {
    return evhttp_get_connection_count(server_.http()) == 0 && called_ == 0 && client.closed();
  }));
}

TEST_F(LimitsTest, LingeringEndsWithTime) {
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("nonsense\r\n").status, 400);
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 1);
  EXPECT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 0; }));
}

TEST_F(LimitsTest, ConnectionsAboveTheLimitAreRefused) {
  evhttp_set_max_connections(server_.http(), 2);
  Client one(&loop_, server_.port()), two(&loop_, server_.port());
  EXPECT_EQ(one.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(two.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 2);
  EXPECT_EQ(AskOnce(GetRequest("/")).status, 503);
  one.Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 1; }));
  Client three(&loop_, server_.port());
  EXPECT_EQ(three.Get(GetRequest("/")).status, 200);
}

// ---- Time ----

TEST_F(LimitsTest, IdleConnectionIsClosedSilently) {
  timeval tv = Ms(300);
  evhttp_set_timeout_tv(server_.http(), &tv);
  Client silent(&loop_, server_.port()), used(&loop_, server_.port());
  EXPECT_EQ(used.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(silent.WaitClosed());
  EXPECT_TRUE(used.WaitClosed());
  EXPECT_EQ(silent.received(), "");
  EXPECT_EQ(used.received(), "");
}

TEST_F(LimitsTest, SilenceWithinARequestIsReported) {
  timeval tv = Ms(300);
  evhttp_set_timeout_tv(server_.http(), &tv);
  for (const char *part :
       {"G", "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n"}) {
    Client client(&loop_, server_.port());
    EXPECT_EQ(client.Get(part).status, 408) << part;
  }
}

// Sends a byte every 10 ms.
class Trickle {
 public:
  Trickle(Loop *loop, Client *client)
      : timer_(event_new(loop->base(), -1, EV_PERSIST, Drop, client)) {
    timeval step = {0, 10000};
    event_add(timer_, &step);
  }
  ~Trickle() { event_free(timer_); }
  Trickle(const Trickle &) = delete;
  Trickle &operator=(const Trickle &) = delete;

 private:
  static void Drop(evutil_socket_t, short, void *arg) { static_cast<Client *>(arg)->Send("a"); }
  event *timer_;
};

TEST_F(LimitsTest, TricklingHeadIsCutOff) {
  timeval deadline = Ms(100);
  evhttp_set_header_deadline_tv(server_.http(), &deadline);
  Client client(&loop_, server_.port());
  client.Send("GET / HTTP/1.1\r\nA: ");
  Trickle trickle(&loop_, &client);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 408);
}

TEST_F(LimitsTest, TricklingBodyIsCutOff) {
  timeval tv = Ms(200);
  evhttp_set_timeout_tv(server_.http(), &tv);
  evhttp_set_min_body_rate(server_.http(), 1000000);
  for (const char *head :
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;"}) {
    Client client(&loop_, server_.port());
    client.Send(head);
    Trickle trickle(&loop_, &client);
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.status, 408);
  }
  EXPECT_EQ(called_, 0);
}

TEST_F(LimitsTest, TricklingBodyMayBeAllowed) {
  timeval tv = Ms(200);
  evhttp_set_timeout_tv(server_.http(), &tv);
  evhttp_set_min_body_rate(server_.http(), 0);
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n");
  Trickle trickle(&loop_, &client);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body, std::string(50, 'a'));
}

TEST_F(LimitsTest, SlowReaderIsNotTakenForASilentClient) {
  timeval tv = Ms(200), pace = Ms(20);
  evhttp_set_read_timeout_tv(server_.http(), &tv);
  const std::string big(30 << 20, 'x');
  server_.OnAny([&](evhttp_request *req) { Reply(req, big); });
  Client client(&loop_, server_.port(), 64 * 1024);
  client.Send(GetRequest("/"));
  // For longer than the timeout it takes no more than a piece at a time.
  for (int i = 0; i < 20; ++i) {
    bool due = false;
    client.Pause();
    event_base_once(
        loop_.base(), -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void *arg) { *static_cast<bool *>(arg) = true; }, &due, &pace);
    ASSERT_TRUE(loop_.RunUntil([&] { return due; }));
    client.Resume();
    event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body.size(), big.size());
  // Then silence counts again.
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LimitsTest, SlowHandlerIsNotTimedOut) {
  timeval tv = Ms(30), later = Ms(150);
  server_.On("/slow", [&](evhttp_request *req) {
    evhttp_connection_set_timeout_tv(evhttp_request_get_connection(req), &tv);
    event_base_once(
        loop_.base(), -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void *arg) { Reply(static_cast<evhttp_request *>(arg), "s"); },
        req, &later);
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/slow")).body, "s");
}

TEST_F(LimitsTest, ReaderThatStopsIsDropped) {
  timeval tv = Ms(100);
  evhttp_set_write_timeout_tv(server_.http(), &tv);
  std::string big(20 << 20, 'x');
  server_.On("/big", [&](evhttp_request *req) { Reply(req, big); });
  Client client(&loop_, server_.port());
  client.Pause();
  client.Send(GetRequest("/big"));
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 1; }));
  EXPECT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 0; }));
}

TEST_F(LimitsTest, TimeoutsOfAConnection) {
  server_.On("/set", [&](evhttp_request *req) {
    timeval tv = Ms(300);
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    evhttp_connection_set_timeout_tv(evcon, &tv);
    evhttp_connection_set_max_body_size(evcon, 5);
    evhttp_connection_set_max_headers_size(evcon, 10000);
    EXPECT_EQ(evhttp_connection_set_flags(evcon, EVHTTP_CON_LINGERING_CLOSE), 0);
    EXPECT_NE(evhttp_connection_set_flags(evcon, 1), 0);
    Reply(req, "x");
  });
  Client client(&loop_, server_.port()), other(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/set")).status, 200);
  EXPECT_EQ(other.Get(GetRequest("/set")).status, 200);
  EXPECT_EQ(other.Get(PostRequest("/", "123456")).status, 413);
  EXPECT_TRUE(client.WaitClosed());
}

// ---- Callbacks of a request in the making ----

struct Made {
  int requests = 0, heads = 0, refuse_head = 0;
  std::vector<evhttp_request_error> errors;
  std::string pieces;
};
Made *made;

int OnHead(evhttp_request *req, void *) {
  made->heads++;
  EXPECT_STREQ(evhttp_request_get_host(req), "localhost");
  if (made->refuse_head == 2) evhttp_send_error(req, 403, nullptr);
  return made->refuse_head == 1 ? -1 : 0;
}
void OnPiece(evhttp_request *req, void *) {
  made->pieces += BodyOf(req);
}
int OnNewRequest(evhttp_request *req, void *arg) {
  EXPECT_EQ(arg, made);
  made->requests++;
  evhttp_request_set_header_cb(req, OnHead);
  evhttp_request_set_chunked_cb(req, OnPiece);
  evhttp_request_set_error_cb(
      req, [](evhttp_request_error error, void *) { made->errors.push_back(error); });
  return 0;
}

class NewRequestTest : public LimitsTest {
 protected:
  NewRequestTest() {
    made = &made_;
    evhttp_set_newreqcb(server_.http(), OnNewRequest, &made_);
  }
  Made made_;
};

TEST_F(NewRequestTest, BodyIsStreamed) {
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc");
  ASSERT_TRUE(loop_.RunUntil([&] { return made_.pieces == "abc"; }));
  EXPECT_EQ(called_, 0);
  Response response = client.Get("def");
  EXPECT_EQ(made_.pieces, "abcdef");
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(made_.requests, 1);
  EXPECT_EQ(made_.heads, 1);
  EXPECT_TRUE(made_.errors.empty());
}

TEST_F(NewRequestTest, HeadMayBeRefused) {
  Client client(&loop_, server_.port());
  made_.refuse_head = 1;
  client.Send(GetRequest("/"));
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(called_, 0);
}

TEST_F(NewRequestTest, HeadMayBeAnswered) {
  made_.refuse_head = 2;
  EXPECT_EQ(AskOnce(PostRequest("/", std::string(100000, 'x'))).status, 403);
  EXPECT_EQ(called_, 0);
  EXPECT_EQ(made_.pieces, "");
}

TEST_F(NewRequestTest, ErrorsAreReported) {
  AskOnce("GET / HTTP/1.1\r\nBad\r\n\r\n");
  ASSERT_EQ(made_.errors.size(), 1u);
  EXPECT_EQ(made_.errors[0], EVREQ_HTTP_INVALID_HEADER);
  evhttp_set_max_body_size(server_.http(), 1);
  AskOnce("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc");
  ASSERT_EQ(made_.errors.size(), 2u);
  EXPECT_EQ(made_.errors[1], EVREQ_HTTP_DATA_TOO_LONG);
  Client client(&loop_, server_.port());
  client.Send("GET /");
  loop_.Settle();
  client.Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return made_.errors.size() == 3; }));
  EXPECT_EQ(made_.errors[2], EVREQ_HTTP_EOF);
}

TEST_F(NewRequestTest, ConnectionMayBeRefused) {
  evhttp_set_newreqcb(
      server_.http(), [](evhttp_request *, void *) { return -1; }, nullptr);
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(called_, 0);
}

TEST_F(NewRequestTest, EachMayFreeTheConnection) {
  static int where;
  auto free_it = [](evhttp_request *req) {
    evhttp_connection_free(evhttp_request_get_connection(req));
  };
  static auto free_at = free_it;
  evhttp_set_newreqcb(
      server_.http(),
      [](evhttp_request *req, void *) {
        if (where == 0) free_at(req);
        evhttp_request_set_header_cb(req, [](evhttp_request *r, void *) {
          if (where == 1) free_at(r);
          return 0;
        });
        evhttp_request_set_chunked_cb(req, [](evhttp_request *r, void *) {
          if (where == 2) free_at(r);
        });
        return 0;
      },
      nullptr);
  evhttp_set_errorcb(
      server_.http(),
      [](evhttp_request *req, evbuffer *, int, const char *, void *) {
        if (where == 3) free_at(req);
        return 0;
      },
      nullptr);
  for (where = 0; where < 4; ++where) {
    Client client(&loop_, server_.port());
    if (where == 3)
      client.Send("GET / HTTP/1.1\r\n\r\n");
    else
      client.Send(PostRequest("/", "abc"));
    EXPECT_TRUE(client.WaitClosed()) << where;
  }
  EXPECT_EQ(called_, 0);
}

TEST_F(NewRequestTest, HeadMayBeAnsweredAndTheRequestFreed) {
  evhttp_set_newreqcb(
      server_.http(),
      [](evhttp_request *req, void *) {
        evhttp_request_set_header_cb(req, [](evhttp_request *r, void *) {
          evhttp_request_own(r);
          Reply(r, "early");
          evhttp_request_free(r);
          return 0;
        });
        return 0;
      },
      nullptr);
  EXPECT_EQ(AskOnce(PostRequest("/", "abc")).body, "early");
  EXPECT_EQ(called_, 0);
}

TEST_F(NewRequestTest, ErrorCallbackMayFreeTheConnection) {
  static evhttp_request *request;
  timeval tv = Ms(100);
  evhttp_set_timeout_tv(server_.http(), &tv);
  evhttp_set_newreqcb(
      server_.http(),
      [](evhttp_request *req, void *) {
        request = req;
        evhttp_request_set_error_cb(req, [](evhttp_request_error, void *) {
          evhttp_connection_free(evhttp_request_get_connection(request));
        });
        return 0;
      },
      nullptr);
  for (const char *bytes : {"GET / HT", "GET \n"}) {
    Client client(&loop_, server_.port());
    client.Send(bytes);
    EXPECT_TRUE(client.WaitClosed());
  }
}

TEST_F(LimitsTest, RefusalPageMayFreeTheConnection) {
  evhttp_set_max_connections(server_.http(), 1);
  evhttp_set_errorcb(
      server_.http(),
      [](evhttp_request *req, evbuffer *, int, const char *, void *) {
        evhttp_connection_free(evhttp_request_get_connection(req));
        return 0;
      },
      nullptr);
  Client first(&loop_, server_.port());
  loop_.Settle();
  Client second(&loop_, server_.port());
  EXPECT_TRUE(second.WaitClosed());
}

// ---- Other settings of strata's or of libevent 2.2 ----

TEST_F(LimitsTest, ErrorPagesMayBeTheUsers) {
  evhttp_set_errorcb(
      server_.http(),
      [](evhttp_request *req, evbuffer *page, int error, const char *reason, void *arg) {
        if (error == 501) return -1;
        evbuffer_add_printf(page, "%s: %d %s", static_cast<const char *>(arg), error, reason);
        evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "text/plain");
        return 0;
      },
      const_cast<char *>("custom"));
  Response response = AskOnce("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "custom: 400 Bad Request");
  EXPECT_EQ(response.Value("Content-Type"), "text/plain");
  EXPECT_NE(AskOnce("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").body.find("<html>"), std::string::npos);
}

TEST_F(LimitsTest, MethodsMayBeAdded) {
  evhttp_set_ext_method_cmp(server_.http(), [](evhttp_ext_method *method) {
    if (!method->method) {
      if (method->type != 1 << 20) return -1;
      method->method = "BREW";
      return 0;
    }
    if (strcmp(method->method, "BREW") != 0) return -1;
    method->type = 1 << 20;
    return 0;
  });
  EXPECT_EQ(AskOnce("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").Value("Allow"),
            "GET, POST, HEAD, PUT, DELETE");
  evhttp_set_allowed_methods(server_.http(), EVHTTP_REQ_GET | 1 << 20);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
  EXPECT_EQ(AskOnce("PUT / HTTP/1.1\r\nHost: a\r\n\r\n").Value("Allow"), "GET, BREW");
}

TEST_F(LimitsTest, BufferEventsOfOneSocket) {
  static int made_here;
  made_here = 0;
  evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(server_.http(), "127.0.0.1", 0);
  ASSERT_NE(bound, nullptr);
  evhttp_bound_set_bevcb(
      bound,
      [](event_base *base, void *) {
        made_here++;
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
      },
      nullptr);
  Client there(&loop_, server_.port());
  EXPECT_EQ(there.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(made_here, 0);
  Client here(&loop_, Server::PortOf(evhttp_bound_socket_get_fd(bound)));
  EXPECT_EQ(here.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(made_here, 1);
}

}  // namespace

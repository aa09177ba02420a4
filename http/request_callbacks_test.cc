// Callbacks of a request in the making. A server's are set in that of evhttp_set_newreqcb(), which
// libevent has since 2.2, so the installed one is not asked.

#include "http/limits_testing.h"

namespace {

using http_testing::BodyOf;
using http_testing::Client;
using http_testing::GetRequest;
using http_testing::LimitsTest;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;

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

}  // namespace

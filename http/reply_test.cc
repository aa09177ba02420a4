// Replies: how their head is made up, how their body is delimited, streaming, error pages.

#include "http/http_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::OnLibevent;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;
using http_testing::SendChunk;
using http_testing::Server;

class ReplyTest : public testing::Test {
 protected:
  // The reply that `handler` gives to one request of a new connection.
  Response Ask(http_testing::Handler handler, const std::string &request, bool head = false) {
    server_.OnAny(std::move(handler));
    client_ = std::make_unique<Client>(&loop_, server_.port());
    return client_->Get(request, head);
  }
  std::string Head() { return "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"; }
  std::string Old() { return "GET / HTTP/1.0\r\n\r\n"; }

  Loop loop_;
  Server server_{&loop_};
  std::unique_ptr<Client> client_;
};

void AddHeader(evhttp_request *req, const char *name, const char *value) {
  EXPECT_EQ(evhttp_add_header(evhttp_request_get_output_headers(req), name, value), 0);
}

TEST_F(ReplyTest, UserHeadersAreSent) {
  Response response = Ask(
      [](evhttp_request *req) {
        AddHeader(req, "X-One", "1");
        AddHeader(req, "content-type", "text/plain");
        AddHeader(req, "DATE", "yesterday");
        AddHeader(req, "X-One", "2");
        Reply(req, "x", 299, "Fine");
      },
      GetRequest("/"));
  EXPECT_EQ(response.status, 299);
  EXPECT_EQ(response.reason, "Fine");
  std::string ones;
  int types = 0, dates = 0;
  for (const auto &field : response.fields) {
    if (field.first == "X-One") ones += field.second;
    types += http_testing::Lower(field.first) == "content-type";
    dates += http_testing::Lower(field.first) == "date";
  }
  EXPECT_EQ(ones, "12");
  EXPECT_EQ(types, 1);
  EXPECT_EQ(dates, 1);
  EXPECT_EQ(response.Value("Content-Type"), "text/plain");
}

// struct evkeyval is public, and so are its strings.
TEST_F(ReplyTest, ValueThatIsEditedInPlace) {
  Response response = Ask(
      [](evhttp_request *req) {
        AddHeader(req, "X-Secret", "hidden");
        const char *value = evhttp_find_header(evhttp_request_get_output_headers(req), "X-Secret");
        const_cast<char *>(value)[2] = '\0';
        Reply(req, "x", 200, nullptr);
      },
      GetRequest("/"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Value("X-Secret"), "hi");
  EXPECT_EQ(response.body, "x");
}

TEST_F(ReplyTest, ReasonIsTheUsualOneByDefault) {
  Response response =
      Ask([](evhttp_request *req) { Reply(req, "", 404, nullptr); }, GetRequest("/"));
  EXPECT_EQ(response.reason, "Not Found");
}

TEST_F(ReplyTest, CodeAndReasonCanBeReadBack) {
  // libevent frees a server's request after the reply even when the user owns it.
  if (OnLibevent()) return;
  evhttp_request *owned = nullptr;
  Ask(
      [&](evhttp_request *req) {
        owned = req;
        evhttp_request_own(req);
        EXPECT_TRUE(evhttp_request_is_owned(req));
        Reply(req, "x", 201, "Very much created");
      },
      GetRequest("/"));
  loop_.Settle();
  EXPECT_EQ(evhttp_request_get_response_code(owned), 201);
  EXPECT_STREQ(evhttp_request_get_response_code_line(owned), "Very much created");
  evhttp_request_free(owned);
}

TEST_F(ReplyTest, NothingCanBeInjected) {
  // libevent sends the reason as it is.
  if (OnLibevent()) return;
  Response response = Ask(
      [](evhttp_request *req) {
        evkeyvalq *headers = evhttp_request_get_output_headers(req);
        EXPECT_EQ(evhttp_add_header(headers, "A", "b\r\nEvil: 1"), -1);
        EXPECT_EQ(evhttp_add_header(headers, "A\r\nEvil", "1"), -1);
        Reply(req, "x", 200, "OK\r\nEvil: 1");
      },
      GetRequest("/"));
  EXPECT_EQ(response.reason, "OK");
  EXPECT_EQ(response.Field("Evil"), nullptr);
}

TEST_F(ReplyTest, DefaultContentType) {
  evhttp_set_default_content_type(server_.http(), "text/x-test");
  EXPECT_EQ(
      Ask([](evhttp_request *req) { Reply(req, "x"); }, GetRequest("/")).Value("Content-Type"),
      "text/x-test");
  evhttp_set_default_content_type(server_.http(), nullptr);
  EXPECT_EQ(
      Ask([](evhttp_request *req) { Reply(req, "x"); }, GetRequest("/")).Field("Content-Type"),
      nullptr);
}

TEST_F(ReplyTest, WithoutABuffer) {
  Response response =
      Ask([](evhttp_request *req) { evhttp_send_reply(req, 200, "OK", nullptr); }, GetRequest("/"));
  EXPECT_EQ(response.Value("Content-Length"), "0");
  EXPECT_EQ(client_->Get(GetRequest("/")).status, 200);
}

TEST_F(ReplyTest, OutputBufferComesFirst) {
  Response response = Ask(
      [](evhttp_request *req) {
        evbuffer_add(evhttp_request_get_output_buffer(req), "first ", 6);
        Reply(req, "second");
      },
      GetRequest("/"));
  EXPECT_EQ(response.body, "first second");
}

TEST_F(ReplyTest, HeadHasNoBody) {
  Response response = Ask([](evhttp_request *req) { Reply(req, "Hello"); }, Head(), true);
  EXPECT_EQ(response.status, 200);
  // libevent leaves the length out, or the reply to the next request would be misread: it sends
  // the body.
  if (OnLibevent()) return;
  EXPECT_EQ(response.Value("Content-Length"), "5");
  EXPECT_EQ(client_->received(), "");
  EXPECT_EQ(client_->Get(GetRequest("/")).body, "Hello");
}

TEST_F(ReplyTest, StatusesWithoutBody) {
  for (int code : {204, 205, 304}) {
    // libevent treats 205 like any other.
    if (OnLibevent() && code == 205) continue;
    Response response =
        Ask([code](evhttp_request *req) { evhttp_send_reply(req, code, nullptr, nullptr); },
            GetRequest("/"));
    EXPECT_EQ(response.status, code);
    // RFC 9110 15.3.6: with 205 it is said that nothing follows.
    EXPECT_EQ(response.Value("Content-Length"), code == 205 ? "0" : "(none)");
    EXPECT_EQ(response.Field("Content-Type"), nullptr);
    EXPECT_EQ(client_->Get(GetRequest("/")).status, code);
  }
}

TEST_F(ReplyTest, BodyThatTheStatusForbidsIsDropped) {
  // libevent sends it, and so the client misreads the next reply.
  if (OnLibevent()) return;
  for (int code : {204, 205, 304}) {
    for (const char *length : {"", "18"}) {
      http_testing::Handler whole = [=](evhttp_request *req) {
        if (*length) AddHeader(req, "Content-Length", length);
        Reply(req, "should not be here", code);
      };
      http_testing::Handler streamed = [=](evhttp_request *req) {
        if (*length) AddHeader(req, "Content-Length", length);
        evhttp_send_reply_start(req, code, nullptr);
        SendChunk(req, "should not be here");
        evhttp_send_reply_end(req);
      };
      for (const http_testing::Handler &handler : {whole, streamed}) {
        Response response = Ask(handler, GetRequest("/"));
        EXPECT_EQ(client_->received(), "");
        if (code != 304) {
          EXPECT_EQ(response.Value("Content-Length"), code == 205 ? "0" : "(none)");
        }
        EXPECT_EQ(response.Field("Transfer-Encoding"), nullptr);
        EXPECT_EQ(client_->Get(GetRequest("/")).status, code);
      }
    }
  }
}

TEST_F(ReplyTest, InterimStatusEndsTheConnection) {
  // The client still waits for the reply proper, and would take the next one for it.
  if (OnLibevent()) return;
  for (int code : {100, 101, 103}) {
    Response response =
        Ask([code](evhttp_request *req) { Reply(req, "dropped", code, nullptr); }, GetRequest("/"));
    EXPECT_EQ(response.status, code);
    EXPECT_EQ(response.Field("Content-Length"), nullptr);
    EXPECT_EQ(response.Field("Connection"), nullptr);
    EXPECT_TRUE(client_->WaitClosed());
    EXPECT_EQ(client_->received(), "");
  }
}

TEST_F(ReplyTest, TunnelHasNoFraming) {
  // RFC 9110 9.3.6: neither Content-Length nor Transfer-Encoding with 2xx to CONNECT.
  if (OnLibevent()) return;
  evhttp_set_allowed_methods(server_.http(), EVHTTP_REQ_CONNECT);
  for (bool streamed : {false, true}) {
    server_.OnAny([streamed](evhttp_request *req) {
      AddHeader(req, "Content-Length", "7");
      if (!streamed) {
        Reply(req, "tunnel");
        return;
      }
      evhttp_send_reply_start(req, 200, "OK");
      SendChunk(req, "tun");
      SendChunk(req, "nel");
      evhttp_send_reply_end(req);
    });
    Client client(&loop_, server_.port());
    client.Send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n" + GetRequest("/smuggled"));
    client.Shutdown();
    EXPECT_TRUE(client.WaitClosed());
    const std::string &all = client.received();
    EXPECT_EQ(all.find("HTTP/1.1 200 OK\r\n"), 0u);
    EXPECT_EQ(all.find("Content-Length"), std::string::npos);
    EXPECT_EQ(all.find("Transfer-Encoding"), std::string::npos);
    EXPECT_EQ(all.substr(all.find("\r\n\r\n")), "\r\n\r\ntunnel");
  }
}

TEST_F(ReplyTest, WrongContentLengthIsCorrected) {
  // libevent sends what it was told, and so the client misreads the next reply.
  if (OnLibevent()) return;
  Response response = Ask(
      [](evhttp_request *req) {
        AddHeader(req, "Content-Length", "3");
        Reply(req, "four");
      },
      GetRequest("/"));
  EXPECT_EQ(response.Value("Content-Length"), "4");
  EXPECT_EQ(response.body, "four");
}

TEST_F(ReplyTest, UserMayCloseTheConnection) {
  Response response = Ask(
      [](evhttp_request *req) {
        AddHeader(req, "Connection", "close");
        Reply(req, "x");
      },
      GetRequest("/"));
  EXPECT_EQ(response.Value("Connection"), "close");
  EXPECT_TRUE(client_->WaitClosed());
}

TEST_F(ReplyTest, LargeBody) {
  std::string big(20 << 20, 'x');
  for (size_t i = 0; i < big.size(); i += 101) big[i] = static_cast<char>('a' + i % 26);
  Response response = Ask([&](evhttp_request *req) { Reply(req, big); }, GetRequest("/"));
  EXPECT_TRUE(response.body == big);
  EXPECT_TRUE(client_->Get(GetRequest("/")).body == big);
}

// ---- Streaming ----

void Stream(evhttp_request *req) {
  evhttp_send_reply_start(req, 200, "OK");
  SendChunk(req, "one");
  SendChunk(req, "");
  SendChunk(req, " two");
  evhttp_send_reply_end(req);
}

TEST_F(ReplyTest, StreamedChunked) {
  Response response = Ask(Stream, GetRequest("/"));
  EXPECT_TRUE(response.chunked);
  EXPECT_EQ(response.Field("Content-Length"), nullptr);
  EXPECT_EQ(response.body, "one two");
  EXPECT_EQ(client_->Get(GetRequest("/")).body, "one two");
}

TEST_F(ReplyTest, StreamedToHttp10EndsWithTheConnection) {
  Response response = Ask(Stream, Old());
  EXPECT_FALSE(response.chunked);
  EXPECT_EQ(response.body, "one two");
  EXPECT_TRUE(client_->closed());
}

TEST_F(ReplyTest, StreamedToHttp10NeverKeepsAlive) {
  // libevent says "Content-Length: 0" and sends the body behind it.
  if (OnLibevent()) return;
  Response response = Ask(Stream, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_FALSE(response.chunked);
  EXPECT_EQ(response.body, "one two");
  EXPECT_EQ(response.Value("Connection"), "close");
}

TEST_F(ReplyTest, StreamedToHeadHasNoBody) {
  Response response = Ask(Stream, Head(), true);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(client_->received(), "");
  EXPECT_EQ(client_->Get(Head(), true).status, 200);
  EXPECT_EQ(client_->received(), "");
}

TEST_F(ReplyTest, StreamedWithALength) {
  Response response = Ask(
      [](evhttp_request *req) {
        AddHeader(req, "Content-Length", "7");
        Stream(req);
      },
      GetRequest("/"));
  EXPECT_FALSE(response.chunked);
  EXPECT_EQ(response.body, "one two");
  EXPECT_EQ(client_->Get(GetRequest("/")).body, "one two");
}

TEST_F(ReplyTest, StreamedWithTooSmallALengthIsCut) {
  if (OnLibevent()) return;  // The surplus would be read as the next reply.
  Ask(
      [](evhttp_request *req) {
        AddHeader(req, "Content-Length", "5");
        Stream(req);
      },
      GetRequest("/"));
  EXPECT_EQ(client_->Get(GetRequest("/")).body, "one t");
}

TEST_F(ReplyTest, StreamedWithTooGreatALengthCloses) {
  if (OnLibevent()) return;  // The client would wait for ever.
  server_.OnAny([](evhttp_request *req) {
    AddHeader(req, "Content-Length", "50");
    Stream(req);
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_NE(client.received().find("\r\n\r\none two"), std::string::npos);
}

struct Producer {
  evhttp_request *req;
  int left;
  int called;

  static void Next(evhttp_connection *, void *arg) {
    Producer *self = static_cast<Producer *>(arg);
    self->called++;
    if (self->left-- == 0) {
      evhttp_send_reply_end(self->req);
      return;
    }
    evbuffer *piece = evbuffer_new();
    std::string bytes(100000, 'p');
    evbuffer_add(piece, bytes.data(), bytes.size());
    evhttp_send_reply_chunk_with_cb(self->req, piece, Next, self);
    EXPECT_EQ(evbuffer_get_length(piece), 0u);
    evbuffer_free(piece);
  }
};

TEST_F(ReplyTest, ProducerIsAskedForMore) {
  Producer producer = {nullptr, 50, 0};
  Response response = Ask(
      [&](evhttp_request *req) {
        producer = {req, 50, 0};
        evhttp_send_reply_start(req, 200, "OK");
        Producer::Next(evhttp_request_get_connection(req), &producer);
      },
      GetRequest("/"));
  EXPECT_EQ(response.body.size(), 5000000u);
  EXPECT_EQ(producer.called, 51);
  EXPECT_EQ(client_->Get(GetRequest("/")).body.size(), 5000000u);
}

TEST_F(ReplyTest, ProducerIsAskedForMoreEvenForHead) {
  if (OnLibevent()) return;  // It never calls the callback, and the request stays for ever.
  Producer producer = {nullptr, 3, 0};
  Ask(
      [&](evhttp_request *req) {
        producer = {req, 3, 0};
        evhttp_send_reply_start(req, 200, "OK");
        Producer::Next(evhttp_request_get_connection(req), &producer);
      },
      Head(), true);
  EXPECT_TRUE(loop_.RunUntil([&] { return producer.called == 4; }));
  EXPECT_EQ(client_->received(), "");
}

TEST_F(ReplyTest, StreamedOverTime) {
  evhttp_request *held = nullptr;
  server_.OnAny([&](evhttp_request *req) {
    held = req;
    evhttp_send_reply_start(req, 200, "OK");
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  ASSERT_TRUE(
      loop_.RunUntil([&] { return client.received().find("\r\n\r\n") != std::string::npos; }));
  for (const char *piece : {"a", "bc", "def"}) {
    SendChunk(held, piece);
    ASSERT_TRUE(loop_.RunUntil([&] { return client.received().find(piece) != std::string::npos; }));
  }
  evhttp_send_reply_end(held);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body, "abcdef");
}

// ---- The end of a reply ----

TEST_F(ReplyTest, CompletionIsReported) {
  struct Seen {
    int calls = 0;
    std::string uri;
  } seen;
  Ask(
      [&](evhttp_request *req) {
        evhttp_request_set_on_complete_cb(
            req,
            [](evhttp_request *done, void *arg) {
              Seen *s = static_cast<Seen *>(arg);
              s->calls++;
              s->uri = evhttp_request_get_uri(done);
              EXPECT_NE(evhttp_request_get_connection(done), nullptr);
            },
            &seen);
        Reply(req, "x");
        EXPECT_EQ(seen.calls, 0);
      },
      GetRequest("/some"));
  EXPECT_TRUE(loop_.RunUntil([&] { return seen.calls == 1; }));
  EXPECT_EQ(seen.uri, "/some");
}

TEST_F(ReplyTest, RequestIsUsableAfterTheReply) {
  Ask(
      [](evhttp_request *req) {
        Reply(req, "x");
        EXPECT_STREQ(evhttp_request_get_uri(req), "/after");
        EXPECT_STREQ(evhttp_request_get_host(req), "localhost");
      },
      GetRequest("/after"));
}

// ---- Error pages ----

TEST_F(ReplyTest, ErrorPage) {
  Response response = Ask(
      [](evhttp_request *req) {
        AddHeader(req, "X-Lost", "1");
        evhttp_send_error(req, 404, "No <such> thing");
      },
      GetRequest("/"));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.reason, "No <such> thing");
  EXPECT_EQ(response.Value("Content-Type"), "text/html");
  EXPECT_EQ(response.Field("X-Lost"), nullptr);
  EXPECT_EQ(response.Value("Connection"), "close");
  // libevent does not escape the reason.
  if (!OnLibevent()) {
    EXPECT_NE(response.body.find("No &lt;such&gt; thing"), std::string::npos);
  }
  EXPECT_TRUE(client_->WaitClosed());
}

TEST_F(ReplyTest, ErrorWithoutReason) {
  Response response =
      Ask([](evhttp_request *req) { evhttp_send_error(req, 503, nullptr); }, GetRequest("/"));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.reason, "Service Unavailable");
  EXPECT_NE(response.body.find("503"), std::string::npos);
}

TEST_F(ReplyTest, ErrorToHeadHasNoBody) {
  Response response =
      Ask([](evhttp_request *req) { evhttp_send_error(req, 404, nullptr); }, Head(), true);
  EXPECT_EQ(response.status, 404);
  if (OnLibevent()) return;  // It sends the page.
  EXPECT_TRUE(client_->WaitClosed());
  EXPECT_EQ(client_->received(), "");
}

}  // namespace

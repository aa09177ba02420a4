// Replies whose Transfer-Encoding the handler has set: how their body is delimited.

#include "http/http_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::OnLibevent;
using http_testing::Reply;
using http_testing::Response;
using http_testing::SendChunk;
using http_testing::Server;

using Values = std::vector<std::string>;

const char kHead[] = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const char kOld[] = "GET / HTTP/1.0\r\n\r\n";

// All codings, from however many fields.
std::string CodingsOf(const Response &response) {
  std::string codings;
  for (const auto &field : response.fields) {
    if (http_testing::Lower(field.first) != "transfer-encoding") continue;
    codings += (codings.empty() ? "" : ", ") + field.second;
  }
  return codings;
}

class TransferCodingTest : public testing::Test {
 protected:
  // Replies with these codings, and with a length unless that is empty.
  void Serve(bool streamed, const Values &codings, const std::string &body,
             const std::string &length = "") {
    server_.OnAny([=](evhttp_request *req) {
      evkeyvalq *headers = evhttp_request_get_output_headers(req);
      for (const std::string &value : codings)
        EXPECT_EQ(evhttp_add_header(headers, "Transfer-Encoding", value.c_str()), 0);
      if (!length.empty()) evhttp_add_header(headers, "Content-Length", length.c_str());
      if (!streamed) {
        Reply(req, body);
        return;
      }
      evhttp_send_reply_start(req, 200, "OK");
      SendChunk(req, body);
      evhttp_send_reply_end(req);
    });
  }
  // The reply on a new connection.
  Response Ask(const std::string &request, bool head = false) {
    client_ = std::make_unique<Client>(&loop_, server_.port());
    return client_->Get(request, head);
  }

  Loop loop_;
  Server server_{&loop_};
  std::unique_ptr<Client> client_;
};

TEST_F(TransferCodingTest, OfAWholeReply) {
  if (OnLibevent()) return;  // It says the length, too.
  Serve(false, {"Chunked"}, "1\r\nx\r\n0\r\n\r\n");
  Response response = Ask(GetRequest("/"));
  EXPECT_EQ(response.body, "x");
  EXPECT_EQ(response.Field("Content-Length"), nullptr);
  EXPECT_EQ(client_->Get(GetRequest("/")).body, "x");
  // RFC 9112 6.3: without chunked as the last one, the body ends with the connection.
  Serve(false, {"chunked, gzip"}, "zipped");
  response = client_->Get(GetRequest("/"));
  EXPECT_EQ(response.body, "zipped");
  EXPECT_EQ(response.Value("Connection"), "close");
  EXPECT_TRUE(client_->WaitClosed());
}

TEST_F(TransferCodingTest, OfAWholeReplyInTwoFields) {
  if (OnLibevent()) return;
  Serve(false, {"gzip", "chunked"}, "1\r\nx\r\n0\r\n\r\n");
  Response response = Ask(GetRequest("/"));
  EXPECT_EQ(CodingsOf(response), "gzip, chunked");
  EXPECT_EQ(response.body, "x");
  EXPECT_EQ(client_->Get(GetRequest("/")).body, "x");
}

// RFC 9110 8.6, 9112 6.1: a field without a coding says nothing.
TEST_F(TransferCodingTest, NoneIsNamed) {
  if (OnLibevent()) return;
  for (const char *none : {"", " , ,"}) {
    Serve(false, {none}, "plain");
    Response response = Ask(GetRequest("/"));
    EXPECT_EQ(response.Field("Transfer-Encoding"), nullptr);
    EXPECT_EQ(response.Value("Content-Length"), "5");
    EXPECT_EQ(response.body, "plain");
    EXPECT_EQ(client_->Get(GetRequest("/")).body, "plain");
    Serve(false, {"chunked", none}, "1\r\nx\r\n0\r\n\r\n");
    response = client_->Get(GetRequest("/"));
    EXPECT_EQ(CodingsOf(response), "chunked");
    EXPECT_EQ(response.body, "x");
    EXPECT_EQ(response.Value("Connection"), "(none)");
  }
}

TEST_F(TransferCodingTest, OfAStreamedReply) {
  const struct {
    Values given;
    const char *sent;
  } cases[] = {
      {{"gzip"}, "gzip, chunked"},
      {{"gzip, x-own"}, "gzip, x-own, chunked"},
      {{"gzip", "x-own"}, "gzip, x-own, chunked"},
      // From here on libevent repeats chunked, or takes its name for another's.
      {{"gzip, chunked"}, "gzip, chunked"},
      {{"gzip ,\tChunked , "}, "gzip, chunked"},
      {{"gzip", "chunked"}, "gzip, chunked"},
      {{"chunked, chunked"}, "chunked"},
      {{"x-chunked"}, "x-chunked, chunked"},
      {{""}, "chunked"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.given[0]);
    if (OnLibevent() && &c - cases >= 3) break;
    Serve(true, c.given, "zipped");
    Response response = Ask(GetRequest("/"));
    EXPECT_EQ(CodingsOf(response), c.sent);
    EXPECT_EQ(response.body, "zipped");
    EXPECT_EQ(client_->Get(GetRequest("/")).body, "zipped");
  }
}

// RFC 9112 6.2: both would let two recipients cut the reply in different ways.
TEST_F(TransferCodingTest, LeavesNoPlaceForALength) {
  if (OnLibevent()) return;
  Serve(true, {"gzip"}, "zipped", "3");
  Response response = Ask(GetRequest("/"));
  EXPECT_EQ(CodingsOf(response), "gzip, chunked");
  EXPECT_EQ(response.Field("Content-Length"), nullptr);
  EXPECT_EQ(response.body, "zipped");
}

TEST_F(TransferCodingTest, IsNotSentToHttp10) {
  if (OnLibevent()) return;
  for (bool streamed : {false, true}) {
    Serve(streamed, {"gzip"}, "plain");
    Response response = Ask(kOld);
    EXPECT_EQ(CodingsOf(response), "");
    EXPECT_EQ(response.body, "plain");
  }
}

// RFC 9110 9.3.2: HEAD says of the length what GET says.
TEST_F(TransferCodingTest, LeavesNoLengthForHeadEither) {
  if (OnLibevent()) return;
  for (bool streamed : {false, true}) {
    for (const char *length : {"", "6"}) {
      Serve(streamed, {"gzip"}, "zipped", length);
      EXPECT_EQ(Ask(GetRequest("/")).Field("Content-Length"), nullptr);
      EXPECT_EQ(Ask(kHead, true).Field("Content-Length"), nullptr);
      EXPECT_EQ(client_->received(), "");
      // Chunked alone is what the library would do, or not do, anyway.
      Serve(streamed, {"chunked"}, "zipped", length);
      EXPECT_EQ(Ask(kHead, true).Value("Content-Length"), streamed && *length ? "6" : "(none)");
    }
  }
}

}  // namespace

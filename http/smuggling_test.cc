// What a server makes of bytes that two recipients might understand differently, in one piece and
// however they are cut.

#include "http/smuggling_cases.h"

#include <event2/keyvalq_struct.h>

#include <algorithm>
#include <set>

#include "http/http_testing.h"

namespace {

using http_testing::BodyOf;
using http_testing::Client;
using http_testing::Loop;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

const char *NameOf(evhttp_cmd_type method) {
  switch (method) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_POST:
      return "POST";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_DELETE:
      return "DELETE";
    case EVHTTP_REQ_OPTIONS:
      return "OPTIONS";
    case EVHTTP_REQ_CONNECT:
      return "CONNECT";
    default:
      return "?";
  }
}

// As SmugglingCase::seen has it.
std::string Describe(evhttp_request *req) {
  const char *host = evhttp_request_get_host(req);
  const char *evil = evhttp_find_header(evhttp_request_get_input_headers(req), "Evil");
  std::string text =
      std::string(NameOf(evhttp_request_get_command(req))) + " " + evhttp_request_get_uri(req);
  if (!host || strcmp(host, "a") != 0) text += std::string(" @") + (host ? host : "");
  std::string body = BodyOf(req);
  if (!body.empty()) text += " =" + body;
  if (evil) text += std::string(" +") + evil;
  return text;
}

// From "/status/N", and "host:N" of CONNECT.
int StatusFor(const std::string &target) {
  size_t at = target.find("/status/");
  if (at != std::string::npos) return atoi(target.c_str() + at + 8);
  at = target.find(":404");
  return at != std::string::npos ? 404 : 200;
}

class SmugglingTest : public testing::Test {
 protected:
  SmugglingTest() {
    evhttp_set_allowed_methods(server_.http(), 0xffff);
    server_.OnAny([this](evhttp_request *req) {
      seen_.push_back(Describe(req));
      Reply(req, "ok", StatusFor(evhttp_request_get_uri(req)), nullptr);
    });
  }

  void Turn() {
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }

  // Sends the case in pieces that end at `cuts`, and holds what comes of it against what it says.
  void Run(const SmugglingCase &c, const std::vector<size_t> &cuts) {
    Client client(&loop_, server_.port());
    size_t at = 0;
    seen_.clear();
    for (size_t cut : cuts) {
      client.Send(c.bytes.substr(at, cut - at));
      Turn();
      at = cut;
    }
    client.Send(c.bytes.substr(at));
    ExpectReplies(c, &client);
    if (c.stays)
      ExpectOpen(&client);
    else
      ExpectClosed(&client);
    EXPECT_EQ(seen_, c.seen);
    client.Reset();
  }

  void ExpectReplies(const SmugglingCase &c, Client *client) {
    for (size_t i = 0; i < c.statuses.size(); ++i) {
      Response response;
      do {
        bool head = i < c.seen.size() && c.seen[i].compare(0, 5, "HEAD ") == 0;
        ASSERT_TRUE(client->Receive(&response, head))
            << "reply " << i << ": " << client->received();
      } while (response.status == 100);
      EXPECT_EQ(response.status, c.statuses[i]) << "reply " << i;
    }
  }

  // Nothing more has been said, and another request is answered.
  void ExpectOpen(Client *client) {
    Turn();
    EXPECT_EQ(client->received(), "");
    EXPECT_FALSE(client->closed());
    client->Send("GET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    Response response;
    ASSERT_TRUE(client->Receive(&response)) << client->received();
    EXPECT_EQ(response.status, 200);
    ASSERT_FALSE(seen_.empty());
    EXPECT_EQ(seen_.back(), "GET /open");
    seen_.pop_back();
  }

  void ExpectClosed(Client *client) {
    client->Send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(client->WaitClosed());
    EXPECT_FALSE(client->reset());
    EXPECT_EQ(client->received(), "");
  }

  Loop loop_;
  Server server_{&loop_};
  std::vector<std::string> seen_;
};

TEST_F(SmugglingTest, ThereAreEnoughCasesAndNoneTwice) {
  std::set<std::string> names, bytes;
  for (const SmugglingCase &c : SmugglingCases()) {
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
    EXPECT_TRUE(bytes.insert(c.bytes).second) << c.name;
  }
  EXPECT_GE(names.size(), 150u);
}

TEST_F(SmugglingTest, AllAtOnce) {
  for (const SmugglingCase &c : SmugglingCases()) {
    SCOPED_TRACE(std::string(c.name) + " (" + c.rfc + ")");
    Run(c, {});
  }
}

TEST_F(SmugglingTest, ByteByByte) {
  for (const SmugglingCase &c : SmugglingCases()) {
    SCOPED_TRACE(std::string(c.name) + " (" + c.rfc + ")");
    std::vector<size_t> cuts;
    for (size_t i = 1; i < c.bytes.size(); ++i) cuts.push_back(i);
    Run(c, cuts);
  }
}

// In two pieces, at every byte of the case that is not the request behind it.
TEST_F(SmugglingTest, CutAnywhere) {
#ifdef _WIN32
  GTEST_SKIP() << "some 30,000 connections, which take Wine minutes";
#endif
  const size_t next_len = smuggling::Next().size();
  for (const SmugglingCase &c : SmugglingCases()) {
    size_t end = c.bytes.size() - next_len;
    for (size_t cut = 1; cut <= end; ++cut) {
      SCOPED_TRACE(std::string(c.name) + " (" + c.rfc + "), cut at " + std::to_string(cut));
      Run(c, {cut});
    }
  }
}

}  // namespace

// Settings of strata's, or of libevent 2.2, which the installed libevent does not have.

#include "http/limits_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::LimitsTest;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

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

TEST_F(LimitsTest, EveryMethodHasItsBit) {
  const char *names[] = {"GET",   "POST",    "HEAD",  "PUT",      "DELETE",    "OPTIONS",
                         "TRACE", "CONNECT", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL",
                         "LOCK",  "UNLOCK",  "COPY",  "MOVE"};
  EXPECT_EQ(EVHTTP_REQ_MAX, 1 << 15);
  int command = 0;
  server_.OnAny([&](evhttp_request *req) {
    command = evhttp_request_get_command(req);
    Reply(req, "x");
  });
  for (int i = 0; i < 16; ++i) {
    const std::string name = names[i], target = name == "CONNECT" ? "a:1" : "/";
    const std::string request = name + " " + target + " HTTP/1.1\r\nHost: a:1\r\n\r\n";
    evhttp_set_allowed_methods(server_.http(), 1u << i);
    Client client(&loop_, server_.port());
    EXPECT_EQ(client.Get(request, name == "HEAD").status, 200) << name;
    EXPECT_EQ(command, 1 << i) << name;
    const char *other =
        i ? "GET / HTTP/1.1\r\nHost: a\r\n\r\n" : "PUT / HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_EQ(AskOnce(other).Value("Allow"), name);
  }
}

const evhttp_cmd_type kBrew = static_cast<evhttp_cmd_type>(1 << 20);

// Adds a method: its number by its name, and its name by its number.
int KnowBrew(evhttp_ext_method *method) {
  if (!method->method) {
    if (method->type != kBrew) return -1;
    method->method = "BREW";
    return 0;
  }
  if (strcmp(method->method, "BREW") != 0) return -1;
  method->type = kBrew;
  return 0;
}

TEST_F(LimitsTest, MethodsMayBeAdded) {
  evhttp_set_ext_method_cmp(server_.http(), KnowBrew);
  EXPECT_EQ(AskOnce("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").Value("Allow"),
            "GET, POST, HEAD, PUT, DELETE");
  evhttp_set_allowed_methods(server_.http(), EVHTTP_REQ_GET | kBrew);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
  EXPECT_EQ(AskOnce("PUT / HTTP/1.1\r\nHost: a\r\n\r\n").Value("Allow"), "GET, BREW");
}

// Without EVHTTP_METHOD_HAS_BODY: the framing says whether there is one.
TEST_F(LimitsTest, AddedMethodsMayHaveBodies) {
  evhttp_set_ext_method_cmp(server_.http(), KnowBrew);
  evhttp_set_allowed_methods(server_.http(), kBrew);
  Client client(&loop_, server_.port());
  const std::string head = "BREW / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(client.Get(head + "Content-Length: 6\r\n\r\ncoffee").body, "coffee");
  EXPECT_EQ(client.Get(head + "Transfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\n\r\n").body,
            "tea");
  EXPECT_EQ(client.Get(head + "\r\n").body, "");
  EXPECT_EQ(called_, 3);
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

}  // namespace

// Virtual hosts and aliases.

#include "http/http_testing.h"

namespace {

using http_testing::Client;
using http_testing::Loop;
using http_testing::OnLibevent;
using http_testing::Server;

void Say(evhttp_request *req, void *arg) {
  http_testing::Reply(req, static_cast<const char *>(arg));
}

class VhostTest : public testing::Test {
 protected:
  VhostTest() { evhttp_set_gencb(server_.http(), Say, const_cast<char *>("main")); }
  evhttp *Make(const char *name) {
    evhttp *http = evhttp_new(loop_.base());
    evhttp_set_gencb(http, Say, const_cast<char *>(name));
    return http;
  }
  evhttp *Add(evhttp *to, const char *pattern, const char *name) {
    evhttp *http = Make(name);
    EXPECT_EQ(evhttp_add_virtual_host(to, pattern, http), 0);
    return http;
  }
  std::string AskHost(const std::string &host) {
    Client client(&loop_, server_.port());
    return client.Get("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").body;
  }

  Loop loop_;
  Server server_{&loop_};
};

TEST_F(VhostTest, PatternsAreMatched) {
  Add(server_.http(), "one.example", "one");
  Add(server_.http(), "*.two.example", "two");
  Add(server_.http(), "a*b*c", "stars");
  EXPECT_EQ(AskHost("one.example"), "one");
  EXPECT_EQ(AskHost("ONE.Example:8080"), "one");
  EXPECT_EQ(AskHost("www.two.example"), "two");
  EXPECT_EQ(AskHost("a.b.two.example"), "two");
  EXPECT_EQ(AskHost("two.example"), "main");
  EXPECT_EQ(AskHost("abc"), "stars");
  EXPECT_EQ(AskHost("axbxbxc"), "stars");
  EXPECT_EQ(AskHost("axbxcx"), "main");
  EXPECT_EQ(AskHost("other"), "main");
}

TEST_F(VhostTest, TheyNest) {
  evhttp *outer = Add(server_.http(), "*.example", "outer");
  Add(outer, "inner.example", "inner");
  EXPECT_EQ(AskHost("x.example"), "outer");
  EXPECT_EQ(AskHost("inner.example"), "inner");
}

TEST_F(VhostTest, Aliases) {
  evhttp *vhost = Add(server_.http(), "vhost", "vhost");
  // A star at the end of a pattern matches nothing in libevent.
  const std::string others = OnLibevent() ? "main" : "all";
  Add(server_.http(), "*", "all");
  EXPECT_EQ(evhttp_add_server_alias(server_.http(), "self"), 0);
  EXPECT_EQ(evhttp_add_server_alias(vhost, "also"), 0);
  EXPECT_EQ(AskHost("self"), "main");
  EXPECT_EQ(AskHost("SELF"), "main");
  EXPECT_EQ(AskHost("also"), "vhost");
  EXPECT_EQ(AskHost("else"), others);
  EXPECT_EQ(evhttp_remove_server_alias(vhost, "also"), 0);
  EXPECT_EQ(evhttp_remove_server_alias(vhost, "also"), -1);
  EXPECT_EQ(AskHost("also"), others);
}

TEST_F(VhostTest, AddedOnceAndRemoved) {
  evhttp *vhost = Add(server_.http(), "vhost", "vhost");
  EXPECT_EQ(evhttp_add_virtual_host(server_.http(), "again", vhost), -1);
  EXPECT_EQ(evhttp_remove_virtual_host(server_.http(), vhost), 0);
  EXPECT_EQ(AskHost("vhost"), "main");
  if (!OnLibevent()) {  // It forgets to check whose the vhost is.
    EXPECT_EQ(evhttp_remove_virtual_host(server_.http(), vhost), -1);
  }
  evhttp_free(vhost);
}

TEST_F(VhostTest, OneWithSocketsIsRefused) {
  evhttp *vhost = Make("listening");
  EXPECT_EQ(evhttp_bind_socket(vhost, "127.0.0.1", 0), 0);
  EXPECT_EQ(evhttp_add_virtual_host(server_.http(), "listening", vhost), -1);
  evhttp_free(vhost);
}

TEST_F(VhostTest, NoCircles) {
  if (OnLibevent()) return;
  evhttp *outer = Add(server_.http(), "outer", "outer");
  EXPECT_EQ(evhttp_add_virtual_host(outer, "main", server_.http()), -1);
  EXPECT_EQ(evhttp_add_virtual_host(server_.http(), "main", server_.http()), -1);
}

TEST_F(VhostTest, PathsBelongToTheVhost) {
  evhttp *vhost = evhttp_new(loop_.base());
  EXPECT_EQ(evhttp_set_cb(vhost, "/", Say, const_cast<char *>("root")), 0);
  EXPECT_EQ(evhttp_add_virtual_host(server_.http(), "vhost", vhost), 0);
  EXPECT_EQ(AskHost("vhost"), "root");
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("GET /x HTTP/1.1\r\nHost: vhost\r\n\r\n").status, 404);
}

TEST_F(VhostTest, AbsoluteTargetsNameTheHost) {
  Add(server_.http(), "vhost", "vhost");
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("GET http://vhost/x HTTP/1.1\r\nHost: other\r\n\r\n").body, "vhost");
}

}  // namespace

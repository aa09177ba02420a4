// The server as a user sees it: routing, requests, bodies, persistence.

#include "http/http_testing.h"

#include <event2/event_compat.h>
#include <event2/http_compat.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

namespace {

using http_testing::BodyOf;
using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::OnLibevent;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

class ServerTest : public testing::Test {
 protected:
  Loop loop_;
  Server server_{&loop_};
};

TEST_F(ServerTest, AnswersAGet) {
  server_.On("/hello", [](evhttp_request *req) {
    EXPECT_EQ(evhttp_request_get_command(req), EVHTTP_REQ_GET);
    EXPECT_STREQ(evhttp_request_get_uri(req), "/hello?a=b");
    Reply(req, "Hello, World!");
  });
  Client client(&loop_, server_.port());
  Response response = client.Get(GetRequest("/hello?a=b"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.version, "HTTP/1.1");
  EXPECT_EQ(response.reason, "OK");
  EXPECT_EQ(response.body, "Hello, World!");
  EXPECT_EQ(response.Value("Content-Length"), "13");
  EXPECT_EQ(response.Value("Content-Type"), "text/html; charset=ISO-8859-1");
  EXPECT_EQ(response.Value("Date").size(), 29u);
  EXPECT_EQ(response.Field("Connection"), nullptr);
}

TEST_F(ServerTest, TargetIsTakenApart) {
  server_.OnAny([](evhttp_request *req) {
    const evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    ASSERT_NE(uri, nullptr);
    EXPECT_STREQ(evhttp_uri_get_path(uri), "/a/b%20c");
    EXPECT_STREQ(evhttp_uri_get_query(uri), "d=e&f");
    EXPECT_EQ(evhttp_request_get_evhttp_uri(req), uri);
    Reply(req, "");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/a/b%20c?d=e&f")).status, 200);
}

TEST_F(ServerTest, TargetWithTwoSlashesIsAPath) {
  // libevent takes what follows the slashes for a host; RFC 9112 3.2.1 says it is a path.
  if (OnLibevent()) return;
  server_.OnAny([](evhttp_request *req) {
    const evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    ASSERT_NE(uri, nullptr);
    EXPECT_STREQ(evhttp_uri_get_path(uri), "//a/b");
    EXPECT_EQ(evhttp_uri_get_host(uri), nullptr);
    EXPECT_STREQ(evhttp_request_get_host(req), "localhost");
    Reply(req, "");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("//a/b?c")).status, 200);
}

TEST_F(ServerTest, RoutesByDecodedPath) {
  for (const char *path : {"/", "/a", "/a/b", "/with space", "/a+b"})
    server_.On(path, [path](evhttp_request *req) { Reply(req, path); });
  server_.OnAny([](evhttp_request *req) { Reply(req, "other"); });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).body, "/");
  EXPECT_EQ(client.Get(GetRequest("/a")).body, "/a");
  EXPECT_EQ(client.Get(GetRequest("/a?x=/a/b")).body, "/a");
  EXPECT_EQ(client.Get(GetRequest("/a/b")).body, "/a/b");
  EXPECT_EQ(client.Get(GetRequest("/%61%2fb")).body, "/a/b");
  EXPECT_EQ(client.Get(GetRequest("/with%20space")).body, "/with space");
  EXPECT_EQ(client.Get(GetRequest("/a+b")).body, "/a+b");
  EXPECT_EQ(client.Get(GetRequest("/A")).body, "other");
  EXPECT_EQ(client.Get(GetRequest("/a/")).body, "other");
  EXPECT_EQ(client.Get(GetRequest("/a%2")).body, "other");
  // libevent ends the decoded path at the NUL and finds "/a".
  if (!OnLibevent()) {
    EXPECT_EQ(client.Get(GetRequest("/a%00b")).body, "other");
  }
}

TEST_F(ServerTest, CallbacksAreAddedAndRemoved) {
  evhttp *http = server_.http();
  auto none = [](evhttp_request *, void *) {};
  EXPECT_EQ(evhttp_set_cb(http, "/x", none, nullptr), 0);
  EXPECT_EQ(evhttp_set_cb(http, "/x", none, nullptr), -1);
  EXPECT_EQ(evhttp_del_cb(http, "/x"), 0);
  EXPECT_EQ(evhttp_del_cb(http, "/x"), -1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(evhttp_set_cb(http, ("/" + std::to_string(i)).c_str(), none, nullptr), 0);
  }
  for (int i = 0; i < 1000; i += 2) {
    EXPECT_EQ(evhttp_del_cb(http, ("/" + std::to_string(i)).c_str()), 0);
  }
  EXPECT_EQ(evhttp_set_cb(http, "/3", none, nullptr), -1);
  EXPECT_EQ(evhttp_set_cb(http, "/4", none, nullptr), 0);
}

TEST_F(ServerTest, UnknownPathIsNotFound) {
  Client client(&loop_, server_.port());
  Response response = client.Get(GetRequest("/nowhere"));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.Value("Connection"), "close");
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(ServerTest, PeerAndConnection) {
  server_.OnAny([&](evhttp_request *req) {
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    ASSERT_NE(evcon, nullptr);
    char *address = nullptr;
    ev_uint16_t port = 0;
    evhttp_connection_get_peer(evcon, &address, &port);
    EXPECT_STREQ(address, "127.0.0.1");
    EXPECT_NE(port, 0);
    EXPECT_STREQ(req->remote_host, "127.0.0.1");
    EXPECT_EQ(req->remote_port, port);
    const sockaddr *addr = evhttp_connection_get_addr(evcon);
    ASSERT_NE(addr, nullptr);
    EXPECT_EQ(addr->sa_family, AF_INET);
    EXPECT_EQ(evhttp_connection_get_base(evcon), loop_.base());
    EXPECT_EQ(evhttp_connection_get_server(evcon), server_.http());
    EXPECT_NE(evhttp_connection_get_bufferevent(evcon), nullptr);
    Reply(req, "");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).status, 200);
}

TEST_F(ServerTest, HeadersAreHandedOver) {
  server_.OnAny([](evhttp_request *req) {
    evkeyvalq *headers = evhttp_request_get_input_headers(req);
    EXPECT_STREQ(evhttp_find_header(headers, "x-one"), "first");
    EXPECT_STREQ(evhttp_find_header(headers, "X-EMPTY"), "");
    EXPECT_EQ(evhttp_find_header(headers, "X-None"), nullptr);
    std::string all;
    for (evkeyval *field = headers->tqh_first; field; field = field->next.tqe_next)
      all += std::string(field->key) + "=" + field->value + ";";
    EXPECT_EQ(all, "Host=localhost;X-One=first;x-one=second;X-Empty=;");
    // A list may be changed, whoever made its elements.
    EXPECT_EQ(evhttp_add_header(headers, "X-Two", "third"), 0);
    EXPECT_EQ(evhttp_remove_header(headers, "X-One"), 0);
    EXPECT_STREQ(evhttp_find_header(headers, "X-One"), "second");
    EXPECT_EQ(evhttp_remove_header(headers, "X-Two"), 0);
    EXPECT_EQ(evhttp_remove_header(headers, "X-Two"), -1);
    evhttp_clear_headers(headers);
    EXPECT_EQ(headers->tqh_first, nullptr);
    Reply(req, "");
  });
  Client client(&loop_, server_.port());
  std::string fields = "X-One:  first \r\nx-one: second\r\nX-Empty:\r\n";
  EXPECT_EQ(client.Get(GetRequest("/", fields)).status, 200);
  EXPECT_EQ(client.Get(GetRequest("/", fields)).status, 200);
}

TEST_F(ServerTest, HostOfARequest) {
  server_.OnAny([](evhttp_request *req) {
    const char *host = evhttp_request_get_host(req);
    Reply(req, host ? host : "(null)");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").body, "example.com");
  EXPECT_EQ(client.Get("GET / HTTP/1.1\r\nHost: example.com:8080\r\n\r\n").body, "example.com");
  EXPECT_EQ(client.Get("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").body, "(null)");
  EXPECT_EQ(client.Get("GET http://other:81/x HTTP/1.1\r\nHost: a\r\n\r\n").body, "other");
}

TEST_F(ServerTest, BodyOfCountedLength) {
  server_.OnAny([](evhttp_request *req) {
    EXPECT_EQ(evhttp_request_get_command(req), EVHTTP_REQ_POST);
    EXPECT_EQ(req->ntoread, 0);
    Reply(req, BodyOf(req));
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(PostRequest("/", "some bytes")).body, "some bytes");
  EXPECT_EQ(client.Get(PostRequest("/", "")).body, "");
  std::string big(3 << 20, 'x');
  for (size_t i = 0; i < big.size(); i += 7) big[i] = static_cast<char>('a' + i % 26);
  EXPECT_EQ(client.Get(PostRequest("/", big)).body, big);
}

TEST_F(ServerTest, ChunkedBody) {
  server_.OnAny([](evhttp_request *req) { Reply(req, BodyOf(req)); });
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string big(100000, 'b');
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(head + "3\r\nabc\r\n0\r\n\r\n").body, "abc");
  EXPECT_EQ(client.Get(head + "0\r\n\r\n").body, "");
  EXPECT_EQ(client.Get(head + "1\r\na\r\n2\r\nbc\r\n186A0\r\n" + big + "\r\n0\r\n\r\n").body,
            "abc" + big);
  EXPECT_EQ(client.Get(head + "1\r\na\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n").body, "a");
}

TEST_F(ServerTest, AnythingMayComeInPieces) {
  server_.OnAny([](evhttp_request *req) { Reply(req, BodyOf(req)); });
  Client client(&loop_, server_.port());
  std::vector<std::string> requests = {
      PostRequest("/", "abc"),
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\na\r\n2\r\nbc\r\n0\r\nT: u\r\nV: w\r\n\r\n"};
  for (const std::string &request : requests) {
    for (char c : request) {
      client.Send(std::string(1, c));
      loop_.Settle();
    }
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.body, "abc");
  }
}

TEST_F(ServerTest, ExpectContinue) {
  server_.OnAny([](evhttp_request *req) { Reply(req, BodyOf(req)); });
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 100);
  client.Send("abc");
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "abc");
}

TEST_F(ServerTest, OtherExpectationsFail) {
  Client client(&loop_, server_.port());
  Response response =
      client.Get("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: miracles\r\n\r\n");
  EXPECT_EQ(response.status, 417);
}

TEST_F(ServerTest, ContinueIsNotSentWithoutNeed) {
  // RFC 9110 10.1.1: not without a body, not when some of it has come, not to HTTP/1.0.
  server_.OnAny([](evhttp_request *req) { Reply(req, BodyOf(req)); });
  const std::string expect = "Host: a\r\nExpect: 100-continue\r\n";
  for (const std::string &request :
       {"GET / HTTP/1.1\r\n" + expect + "\r\n",
        "POST / HTTP/1.1\r\n" + expect + "Content-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\n" + expect + "Content-Length: 3\r\n\r\na"}) {
    Client client(&loop_, server_.port());
    client.Send(request);
    loop_.Settle();
    EXPECT_EQ(client.received().find("100"), std::string::npos) << request;
    client.Send("bc");
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.status, 200) << request;
  }
  if (OnLibevent()) return;  // It sends one.
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.0\r\n" + expect + "Content-Length: 3\r\n\r\n");
  loop_.Settle();
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(client.Get("abc").body, "abc");
}

TEST_F(ServerTest, ConnectionPersists) {
  int count = 0;
  evhttp_connection *seen = nullptr;
  server_.OnAny([&](evhttp_request *req) {
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    if (count++) {
      EXPECT_EQ(evcon, seen);
    }
    seen = evcon;
    Reply(req, std::to_string(count));
  });
  Client client(&loop_, server_.port());
  for (int i = 1; i <= 50; ++i)
    EXPECT_EQ(client.Get(GetRequest("/" + std::to_string(i))).body, std::to_string(i));
  EXPECT_FALSE(client.closed());
}

TEST_F(ServerTest, ConnectionCloseIsHonoured) {
  server_.OnAny([](evhttp_request *req) { Reply(req, "x"); });
  Client client(&loop_, server_.port());
  Response response = client.Get(GetRequest("/", "Connection: close\r\n"));
  EXPECT_EQ(response.Value("Connection"), "close");
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_FALSE(client.reset());
}

TEST_F(ServerTest, Http10ClosesUnlessAsked) {
  server_.OnAny([](evhttp_request *req) { Reply(req, "x"); });
  Client once(&loop_, server_.port());
  EXPECT_EQ(once.Get("GET / HTTP/1.0\r\n\r\n").version, "HTTP/1.0");
  EXPECT_TRUE(once.WaitClosed());
  Client kept(&loop_, server_.port());
  for (int i = 0; i < 3; ++i) {
    Response response = kept.Get("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(response.Value("Connection"), "keep-alive");
    EXPECT_EQ(response.body, "x");
  }
  EXPECT_FALSE(kept.closed());
}

TEST_F(ServerTest, MethodsThatAreNotServed) {
  server_.OnAny([](evhttp_request *req) { Reply(req, "x"); });
  Client unknown(&loop_, server_.port());
  EXPECT_EQ(unknown.Get("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").status, 501);
  Client forbidden(&loop_, server_.port());
  Response response = forbidden.Get("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n");
  if (OnLibevent()) {
    // Its header promises 405, its code says 501.
    EXPECT_EQ(response.status, 501);
  } else {
    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(response.Value("Allow"), "GET, POST, HEAD, PUT, DELETE");
  }
}

TEST_F(ServerTest, MethodsThatAreAllowed) {
  server_.OnAny([](evhttp_request *req) {
    EXPECT_EQ(evhttp_request_get_command(req), EVHTTP_REQ_PATCH);
    Reply(req, "patched");
  });
  evhttp_set_allowed_methods(server_.http(), EVHTTP_REQ_PATCH);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").body,
            "patched");
  EXPECT_NE(client.Get(GetRequest("/")).status, 200);
}

TEST_F(ServerTest, AsteriskTarget) {
  server_.OnAny([](evhttp_request *req) { Reply(req, evhttp_request_get_uri(req)); });
  evhttp_set_allowed_methods(server_.http(), EVHTTP_REQ_OPTIONS);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").body, "*");
}

int ListeningSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(fd, 5), 0);
  evutil_make_socket_nonblocking(fd);
  return fd;
}

int NumBound(evhttp *http) {
  int count = 0;
  evhttp_foreach_bound_socket(
      http, [](evhttp_bound_socket *, void *arg) { ++*static_cast<int *>(arg); }, &count);
  return count;
}

TEST_F(ServerTest, SocketsAreBoundInEveryWay) {
  server_.OnAny([](evhttp_request *req) { Reply(req, "x"); });
  evhttp *http = server_.http();
  evhttp_bound_socket *second = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
  ASSERT_NE(second, nullptr);
  int port = Server::PortOf(evhttp_bound_socket_get_fd(second));
  EXPECT_EQ(evconnlistener_get_fd(evhttp_bound_socket_get_listener(second)),
            evhttp_bound_socket_get_fd(second));
  Client to_second(&loop_, port);
  EXPECT_EQ(to_second.Get(GetRequest("/")).body, "x");
  EXPECT_EQ(NumBound(http), 2);
  evhttp_del_accept_socket(http, second);
  // What it had accepted lives on.
  EXPECT_EQ(to_second.Get(GetRequest("/")).body, "x");

  const int fd = ListeningSocket();
  ASSERT_EQ(evhttp_accept_socket(http, fd), 0);
  Client to_third(&loop_, Server::PortOf(fd));
  EXPECT_EQ(to_third.Get(GetRequest("/")).body, "x");

  evconnlistener *listener = evconnlistener_new(loop_.base(), nullptr, nullptr,
                                                LEV_OPT_CLOSE_ON_FREE, 0, ListeningSocket());
  ASSERT_NE(listener, nullptr);
  ASSERT_NE(evhttp_bind_listener(http, listener), nullptr);
  Client to_fourth(&loop_, Server::PortOf(evconnlistener_get_fd(listener)));
  EXPECT_EQ(to_fourth.Get(GetRequest("/")).body, "x");

  const int fifth_fd = ListeningSocket();
  evhttp_bound_socket *fifth = evhttp_accept_socket_with_handle(http, fifth_fd);
  ASSERT_NE(fifth, nullptr);
  EXPECT_EQ(evhttp_bound_socket_get_fd(fifth), fifth_fd);
  Client to_fifth(&loop_, Server::PortOf(fifth_fd));
  EXPECT_EQ(to_fifth.Get(GetRequest("/")).body, "x");
  evhttp_del_accept_socket(http, fifth);
  EXPECT_EQ(NumBound(http), 3);
}

TEST_F(ServerTest, StartedOnTheCurrentBase) {
  event_base *base = event_init();
  ASSERT_NE(base, nullptr);
  evhttp *http = evhttp_start("127.0.0.1", 0);
  EXPECT_NE(http, nullptr);
  if (http) evhttp_free(http);
  EXPECT_EQ(evhttp_start("999.1.1.1", 0), nullptr);
  event_base_free(base);
}

TEST_F(ServerTest, BindFailsOnATakenPort) {
  EXPECT_EQ(
      evhttp_bind_socket(server_.http(), "127.0.0.1", static_cast<ev_uint16_t>(server_.port())),
      -1);
  EXPECT_EQ(evhttp_bind_socket(server_.http(), "999.1.1.1", 0), -1);
}

TEST_F(ServerTest, BufferEventsMayBeTheUsers) {
  static int made;
  made = 0;
  server_.OnAny([](evhttp_request *req) { Reply(req, "x"); });
  evhttp_set_bevcb(
      server_.http(),
      [](event_base *base, void *) {
        ++made;
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
      },
      nullptr);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).body, "x");
  EXPECT_EQ(client.Get(PostRequest("/", std::string(100000, 'p'))).body, "x");
  EXPECT_EQ(made, 1);
}

TEST_F(ServerTest, HalfClosedClientGetsItsReply) {
  server_.OnAny([](evhttp_request *req) { Reply(req, std::string(300000, 'x')); });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  client.Shutdown();
  Response response;
  // libevent drops a connection as soon as it sees the client's end.
  if (OnLibevent()) return;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body.size(), 300000u);
  EXPECT_TRUE(client.WaitClosed());
}

}  // namespace

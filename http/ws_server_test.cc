// WebSocket behind a real evhttp: the handshake over the wire, what else the server goes on doing,
// and strata's own client.

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <event2/ws.h>

#include "http/ws_testing.h"

namespace {

using namespace ws_testing;  // NOLINT: all of it is frames.
using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Response;
using http_testing::Server;

const char kKeyLine[] = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

std::string Upgrade(const std::string &fields = "") {
  return GetRequest("/ws", std::string("Upgrade: websocket\r\nConnection: Upgrade\r\n") + kKeyLine +
                               "Sec-WebSocket-Version: 13\r\n" + fields);
}

// A server that echoes on /ws and answers "page" elsewhere.
class WsServer : public testing::Test {
 protected:
  WsServer() : server_(&loop_) {
    server_.On("/ws", [this](evhttp_request *req) {
      static const char *const kSupported[] = {"chat", "echo"};
      subprotocol_ = evws_select_subprotocol(req, kSupported, 2);
      last_ = evws_new_session(req, Echo, this, 0);
      if (!last_) {
        num_refused_++;
        return;
      }
      evws_connection_set_closecb(last_, OnClose, this);
      num_open_++;
      if (greet_) evws_send_text(last_, "welcome");
    });
    server_.OnAny([](evhttp_request *req) { http_testing::Reply(req, "page"); });
  }
  ~WsServer() override { server_.Free(); }

  static void Echo(evws_connection *evws, int type, const unsigned char *data, size_t len, void *) {
    evws_send_message(evws, type, data, len);
  }
  static void OnClose(evws_connection *, void *arg) {
    WsServer *self = static_cast<WsServer *>(arg);
    self->num_open_--;
    std::function<void()> on_close = self->on_close;
    if (on_close) on_close();
  }

  // Frames that have come behind the answer.
  std::string Frames(Client *client, size_t *from) {
    std::string log;
    Received frame;
    while (TakeFrame(client->received(), from, &frame))
      log += (log.empty() ? "" : " ") + Describe(frame);
    return log;
  }
  bool WaitFrames(Client *client, const std::string &expected) {
    size_t from = 0;
    bool came = loop_.RunUntil([&] {
      from = 0;
      return Frames(client, &from) == expected || client->closed();
    });
    from = 0;
    EXPECT_EQ(Frames(client, &from), expected);
    return came;
  }

  Loop loop_;
  Server server_;
  evws_connection *last_ = nullptr;
  const char *subprotocol_ = nullptr;
  int num_open_ = 0, num_refused_ = 0;
  bool greet_ = false;
  std::function<void()> on_close;
};

TEST_F(WsServer, Agrees) {
  Client client(&loop_, server_.port());
  Response response = client.Get(Upgrade());
  EXPECT_EQ(response.status, 101);
  EXPECT_EQ(response.reason, "Switching Protocols");
  EXPECT_EQ(response.Value("Upgrade"), "websocket");
  EXPECT_EQ(response.Value("Connection"), "Upgrade");
  EXPECT_EQ(response.Value("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(response.Field("Content-Length"), nullptr);
  EXPECT_EQ(response.Field("Transfer-Encoding"), nullptr);
  EXPECT_EQ(response.Field("Sec-WebSocket-Protocol"), nullptr);
  EXPECT_EQ(response.Field("Sec-WebSocket-Extensions"), nullptr);
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 1);
  client.Send(Text("Hello") + Ping("p"));
  EXPECT_TRUE(WaitFrames(&client, "text(Hello) pong(p)"));
  client.Send(Close(1000));
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_TRUE(WaitFrames(&client, "text(Hello) pong(p) close(1000)"));
  client.Close();
  EXPECT_TRUE(loop_.RunUntil([&] { return num_open_ == 0; }));
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 0);
}

TEST_F(WsServer, APageCanTellAHandshake) {
  server_.On("/both", [](evhttp_request *req) {
    http_testing::Reply(req, evws_is_handshake(req) ? "handshake" : "page");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/both")).body, "page");
  EXPECT_EQ(client.Get(GetRequest("/both", "Upgrade: h2c\r\nConnection: Upgrade\r\n")).body,
            "page");
  // Also of one that would be refused.
  EXPECT_EQ(client.Get(GetRequest("/both", "Upgrade: websocket\r\nConnection: Upgrade\r\n")).body,
            "handshake");
}

TEST_F(WsServer, FramesInTheSamePacketAsTheRequest) {
  Client client(&loop_, server_.port());
  greet_ = true;
  client.Send(Upgrade() + Text("early") + Text("bird"));
  Response response;
  EXPECT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 101);
  EXPECT_TRUE(WaitFrames(&client, "text(welcome) text(early) text(bird)"));
}

TEST_F(WsServer, AfterOtherRequestsOfTheConnection) {
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/page") + GetRequest("/page") + Upgrade() + Text("x"));
  Response response;
  for (int status : {200, 200, 101}) {
    EXPECT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.status, status);
  }
  EXPECT_TRUE(WaitFrames(&client, "text(x)"));
}

TEST_F(WsServer, Refusals) {
  const struct {
    std::string request;
    int status;
  } kCases[] = {
      {GetRequest("/ws"), 426},
      {GetRequest("/ws", "Upgrade: h2c\r\nConnection: Upgrade\r\n"), 426},
      {GetRequest("/ws", std::string("Upgrade: websocket\r\nConnection: Upgrade\r\n") + kKeyLine +
                             "Sec-WebSocket-Version: 8\r\n"),
       426},
      {GetRequest("/ws",
                  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\n"),
       400},
      {GetRequest("/ws", std::string("Upgrade: websocket\r\n") + kKeyLine +
                             "Sec-WebSocket-Version: 13\r\n"),
       400},
      {"POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nUpgrade: websocket\r\n"
       "Connection: Upgrade\r\n" +
           std::string(kKeyLine) + "Sec-WebSocket-Version: 13\r\n\r\n",
       400},
      {"GET /ws HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
           std::string(kKeyLine) + "Sec-WebSocket-Version: 13\r\n\r\n",
       400},
  };
  for (const auto &test : kCases) {
    SCOPED_TRACE(test.request);
    Client client(&loop_, server_.port());
    Response response = client.Get(test.request);
    EXPECT_EQ(response.status, test.status);
    if (test.status == 426) {
      EXPECT_EQ(response.Value("Sec-WebSocket-Version"), "13");
      EXPECT_EQ(response.Value("Upgrade"), "websocket");
      // The connection is still good for something else.
      EXPECT_EQ(client.Get(GetRequest("/page")).body, "page");
    }
  }
  EXPECT_EQ(num_refused_, 7);
  EXPECT_EQ(num_open_, 0);
}

TEST_F(WsServer, Subprotocols) {
  const struct {
    const char *offered, *chosen;
  } kCases[] = {
      {"Sec-WebSocket-Protocol: chat\r\n", "chat"},
      {"Sec-WebSocket-Protocol: other, echo,chat\r\n", "echo"},
      {"Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: chat\r\n", "chat"},
      {"Sec-WebSocket-Protocol: other\r\n", "(none)"},
      {"Sec-WebSocket-Protocol: Chat\r\n", "(none)"},
      {"Sec-WebSocket-Protocol:\r\n", "(none)"},
  };
  for (const auto &test : kCases) {
    Client client(&loop_, server_.port());
    EXPECT_EQ(client.Get(Upgrade(test.offered)).Value("Sec-WebSocket-Protocol"), test.chosen);
    const char *of_session = evws_connection_get_subprotocol(last_);
    EXPECT_STREQ(of_session ? of_session : "(none)", test.chosen);
  }
}

TEST_F(WsServer, TheServerIsFreedUnderSessions) {
  Client one(&loop_, server_.port()), two(&loop_, server_.port());
  EXPECT_EQ(one.Get(Upgrade()).status, 101);
  EXPECT_EQ(two.Get(Upgrade()).status, 101);
  EXPECT_EQ(num_open_, 2);
  server_.Free();
  EXPECT_EQ(num_open_, 0);
  EXPECT_TRUE(one.WaitClosed());
  EXPECT_TRUE(two.WaitClosed());
}

TEST_F(WsServer, TheServerIsFreedInACloseCallback) {
  Client one(&loop_, server_.port()), two(&loop_, server_.port());
  EXPECT_EQ(one.Get(Upgrade()).status, 101);
  EXPECT_EQ(two.Get(Upgrade()).status, 101);
  on_close = [&] {
    on_close = nullptr;
    server_.Free();
  };
  one.Close();
  EXPECT_TRUE(two.WaitClosed());
  EXPECT_EQ(num_open_, 0);
}

TEST_F(WsServer, ClosingAnswersAreNotLost) {
  // Much more comes than is read; the close frame still arrives, not a reset.
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(Upgrade()).status, 101);
  client.Send("\xff" + std::string(1 << 20, 'x'));
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_FALSE(client.reset());
  size_t from = 0;
  EXPECT_EQ(Frames(&client, &from), "close(1002)");
}

// ---- strata's client ----

class WsClient {
 public:
  WsClient(Loop *loop, int port, const std::string &path, const std::string &offer = "",
           const std::string &host = "localhost")
      : loop_(loop) {
    bufev_ = bufferevent_socket_new(loop->base(), -1, BEV_OPT_CLOSE_ON_FREE);
    evws_ = evws_client_new(bufev_, host.c_str(), path.c_str(), OnMessage, this, 0);
    EXPECT_NE(evws_, nullptr);
    evws_client_set_opencb(evws_, OnOpen, this);
    evws_connection_set_closecb(evws_, OnClose, this);
    if (!offer.empty()) {
      EXPECT_EQ(evws_client_add_header(evws_, "Sec-WebSocket-Protocol", offer.c_str()), 0);
    }
    EXPECT_EQ(evws_client_start(evws_), 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        bufferevent_socket_connect(bufev_, reinterpret_cast<sockaddr *>(&address), sizeof(address)),
        0);
  }
  ~WsClient() {
    if (evws_) evws_connection_free(evws_);
  }
  evws_connection *get() { return evws_; }
  bool WaitFor(const std::string &log) {
    bool came = loop_->RunUntil([&] { return log_ == log; });
    EXPECT_EQ(log_, log);
    return came;
  }
  const std::string &log() const { return log_; }

 private:
  void Add(const std::string &text) { log_ += (log_.empty() ? "" : " ") + text; }
  static void OnOpen(evws_connection *evws, void *arg) {
    const char *subprotocol = evws_connection_get_subprotocol(evws);
    static_cast<WsClient *>(arg)->Add(std::string("open") +
                                      (subprotocol ? std::string(":") + subprotocol : ""));
  }
  static void OnMessage(evws_connection *, int, const unsigned char *data, size_t len, void *arg) {
    static_cast<WsClient *>(arg)->Add(std::string(reinterpret_cast<const char *>(data), len));
  }
  static void OnClose(evws_connection *evws, void *arg) {
    WsClient *self = static_cast<WsClient *>(arg);
    self->Add("closed(" + std::to_string(evws_connection_get_close_code(evws)) + " " +
              std::to_string(evws_client_get_response_code(evws)) + ")");
    self->evws_ = nullptr;
  }

  Loop *loop_;
  bufferevent *bufev_;
  evws_connection *evws_;
  std::string log_;
};

TEST_F(WsServer, OurClient) {
  WsClient client(&loop_, server_.port(), "/ws", "nothing, echo");
  EXPECT_EQ(evws_send_message(client.get(), WS_TEXT_FRAME, "early", 5), -1);
  ASSERT_TRUE(client.WaitFor("open:echo"));
  evws_send_text(client.get(), "one");
  evws_send_binary(client.get(), "two", 3);
  EXPECT_TRUE(client.WaitFor("open:echo one two"));
  evws_close(client.get(), WS_CR_NORMAL);
  EXPECT_TRUE(client.WaitFor("open:echo one two closed(1000 101)"));
  EXPECT_TRUE(loop_.RunUntil([&] { return num_open_ == 0; }));
}

TEST_F(WsServer, OurClientIsRefused) {
  WsClient client(&loop_, server_.port(), "/page");
  EXPECT_TRUE(client.WaitFor("closed(1006 200)"));
}

TEST_F(WsServer, OurClientIsClosed) {
  WsClient client(&loop_, server_.port(), "/ws");
  ASSERT_TRUE(client.WaitFor("open"));
  ASSERT_EQ(num_open_, 1);
  evws_close(last_, 4000);
  EXPECT_TRUE(client.WaitFor("open closed(4000 101)"));
}

TEST_F(WsServer, OurClientFindsNobody) {
  Loop loop;
  int port;
  {
    Server gone(&loop_);
    port = gone.port();
  }
  WsClient client(&loop_, port, "/ws");
  EXPECT_TRUE(client.WaitFor("closed(1006 0)"));
}

TEST_F(WsServer, OurClientIsFreedAtAnyMoment) {
  for (int turns = 0; turns < 12; ++turns) {
    WsClient client(&loop_, server_.port(), "/ws");
    for (int i = 0; i < turns; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }
  EXPECT_TRUE(loop_.RunUntil([&] { return num_open_ == 0; }));
}

TEST(WsClientRequest, WhatIsSentAndRefused) {
  Loop loop;
  evutil_socket_t fds[2];
  MakePair(fds);
  bufferevent *bufev = bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE);
  EXPECT_EQ(evws_client_new(bufev, "a b", "/", nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(evws_client_new(bufev, "", "/", nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(evws_client_new(bufev, "a", "/\r\nX: y", nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(evws_client_new(bufev, "a", "relative", nullptr, nullptr, 0), nullptr);
  evws_connection *evws = evws_client_new(bufev, "host:81", "/path?q", nullptr, nullptr, 0);
  ASSERT_NE(evws, nullptr);
  EXPECT_EQ(evws_client_add_header(evws, "Bad Name", "x"), -1);
  EXPECT_EQ(evws_client_add_header(evws, "Name", "x\r\nY: z"), -1);
  EXPECT_EQ(evws_client_add_header(evws, "Origin", "http://here"), 0);
  EXPECT_EQ(evws_client_start(evws), 0);
  EXPECT_EQ(evws_client_start(evws), -1);
  EXPECT_EQ(evws_client_add_header(evws, "Too", "late"), -1);
  Peer peer(&loop, fds[1]);
  ASSERT_TRUE(loop.RunUntil([&] { return peer.in().find("\r\n\r\n") != std::string::npos; }));
  std::string head = peer.in();
  size_t key = head.find("Sec-WebSocket-Key: ") + 19;
  EXPECT_EQ(head,
            "GET /path?q HTTP/1.1\r\nHost: host:81\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: " +
                head.substr(key, 24) +
                "\r\nSec-WebSocket-Version: 13\r\nOrigin: http://here\r\n\r\n");
  evws_connection_free(evws);
}

// What a server may answer, byte by byte, and what comes of it.
TEST(WsClientRequest, Answers) {
  const struct {
    std::string answer;
    int code;
  } kCases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
       101},
      {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 Unauthorized\r\n\r\n", 401},
      {"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", 301},
      {"nonsense\r\n\r\n", 0},
      {"HTTP/1.1 200 OK\r\nA: " + std::string(70000, 'x'), 0},
  };
  for (const auto &test : kCases) {
    SCOPED_TRACE(test.answer.substr(0, 200));
    Loop loop;
    evutil_socket_t fds[2];
    MakePair(fds);
    int code = -1;
    evws_connection *evws =
        evws_client_new(bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE), "a",
                        "/", nullptr, nullptr, 0);
    evws_connection_set_closecb(
        evws,
        [](evws_connection *itself, void *arg) {
          *static_cast<int *>(arg) = evws_client_get_response_code(itself);
          EXPECT_EQ(evws_connection_get_close_code(itself), WS_CR_ABNORMAL);
        },
        &code);
    EXPECT_EQ(evws_client_start(evws), 0);
    Peer peer(&loop, fds[1]);
    if (test.answer.size() < 1000) {
      for (char byte : test.answer) {
        peer.Send(std::string(1, byte));
        event_base_loop(loop.base(), EVLOOP_NONBLOCK);
      }
    } else {
      peer.Send(test.answer);
    }
    EXPECT_TRUE(loop.RunUntil([&] { return code >= 0; }));
    EXPECT_EQ(code, test.code);
  }
}

TEST(WsClientRequest, AServerThatDoesNotAnswer) {
  Loop loop;
  evutil_socket_t fds[2];
  MakePair(fds);
  bool closed = false;
  evws_connection *evws =
      evws_client_new(bufferevent_socket_new(loop.base(), fds[0], BEV_OPT_CLOSE_ON_FREE), "a", "/",
                      nullptr, nullptr, 0);
  timeval tv = {0, 10000};
  evws_client_set_handshake_timeout(evws, &tv);
  evws_connection_set_closecb(
      evws, [](evws_connection *, void *arg) { *static_cast<bool *>(arg) = true; }, &closed);
  EXPECT_EQ(evws_client_start(evws), 0);
  EXPECT_TRUE(loop.RunUntil([&] { return closed; }));
  evutil_closesocket(fds[1]);
}

}  // namespace

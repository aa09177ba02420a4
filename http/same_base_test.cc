// A server and its clients in one loop, all of them bufferevents: what libevent's IOCP never could.
// Also on the completion port (strata_backend_tests).

#include <future>
#include <thread>

#include "http/http_testing.h"

namespace {

using http_testing::BodyOf;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

// A client that is a bufferevent of the server's base.
class Client {
 public:
  Client(Loop *loop, int port)
      : loop_(loop), bev_(bufferevent_socket_new(loop->base(), -1, BEV_OPT_CLOSE_ON_FREE)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bufferevent_setcb(bev_, OnRead, nullptr, OnEvent, this);
    EXPECT_EQ(0, bufferevent_enable(bev_, EV_READ | EV_WRITE));
    EXPECT_EQ(0, bufferevent_socket_connect(bev_, reinterpret_cast<sockaddr *>(&address),
                                            sizeof(address)));
  }
  ~Client() { bufferevent_free(bev_); }
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  void Send(const std::string &bytes) {
    EXPECT_EQ(0, bufferevent_write(bev_, bytes.data(), bytes.size()));
  }
  bool Receive(Response *out) {
    *out = Response();
    size_t seen = std::string::npos;
    return loop_->RunUntil([&] {
      if (seen == in_.size() && !has_ended_) return false;
      seen = in_.size();
      return http_testing::TakeResponse(&in_, false, has_ended_, out) || has_ended_;
    }) && out->complete;
  }
  bool WaitUntilConnected() {
    return loop_->RunUntil([&] { return is_connected_ || has_ended_; }) && is_connected_;
  }
  bool WaitUntilEnded() {
    return loop_->RunUntil([&] { return has_ended_; });
  }

 private:
  static void OnRead(bufferevent *bev, void *arg) {
    evbuffer *input = bufferevent_get_input(bev);
    std::string bytes(evbuffer_get_length(input), '\0');
    evbuffer_remove(input, &bytes[0], bytes.size());
    static_cast<Client *>(arg)->in_ += bytes;
  }
  static void OnEvent(bufferevent *, short what, void *arg) {
    if (what & BEV_EVENT_CONNECTED)
      static_cast<Client *>(arg)->is_connected_ = true;
    else
      static_cast<Client *>(arg)->has_ended_ = true;
  }

  Loop *loop_;
  bufferevent *bev_;
  std::string in_;
  bool is_connected_ = false, has_ended_ = false;
};

class SameBaseTest : public testing::Test {
 protected:
  Loop loop_;
  Server server_{&loop_};
};

TEST_F(SameBaseTest, OneRequestAfterAnother) {
  server_.OnAny([](evhttp_request *req) { Reply(req, evhttp_request_get_uri(req)); });
  Client client(&loop_, server_.port());
  for (int i = 0; i < 100; i++) {
    Response response;
    client.Send(GetRequest("/" + std::to_string(i)));
    ASSERT_TRUE(client.Receive(&response)) << i;
    ASSERT_EQ("/" + std::to_string(i), response.body);
  }
}

TEST_F(SameBaseTest, PipelinedRequests) {
  server_.OnAny([](evhttp_request *req) { Reply(req, evhttp_request_get_uri(req)); });
  Client client(&loop_, server_.port());
  std::string requests;
  for (int i = 0; i < 1000; i++) requests += GetRequest("/" + std::to_string(i));
  client.Send(requests);
  for (int i = 0; i < 1000; i++) {
    Response response;
    ASSERT_TRUE(client.Receive(&response)) << i;
    ASSERT_EQ("/" + std::to_string(i), response.body);
  }
}

TEST_F(SameBaseTest, ManyClients) {
  server_.OnAny([](evhttp_request *req) { Reply(req, evhttp_request_get_uri(req)); });
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; i++) clients.push_back(std::make_unique<Client>(&loop_, server_.port()));
  for (int i = 0; i < 50; i++) clients[i]->Send(GetRequest("/" + std::to_string(i)));
  for (int i = 0; i < 50; i++) {
    Response response;
    ASSERT_TRUE(clients[i]->Receive(&response)) << i;
    EXPECT_EQ("/" + std::to_string(i), response.body);
  }
}

TEST_F(SameBaseTest, ExpectContinueIsAnsweredBeforeTheBodyComes) {
  server_.OnAny([](evhttp_request *req) { Reply(req, std::to_string(BodyOf(req).size())); });
  Client client(&loop_, server_.port());
  Response response;
  for (size_t len : {10u, 300000u}) {
    client.Send("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
                std::to_string(len) + "\r\n\r\n");
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(100, response.status);
    client.Send(std::string(len, 'x'));
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(200, response.status);
    EXPECT_EQ(std::to_string(len), response.body);
  }
}

TEST_F(SameBaseTest, RepliesOfAllSizes) {
  auto body_of = [](size_t len) {
    std::string body(len, '\0');
    for (size_t i = 0; i < len; i++) body[i] = static_cast<char>(i ^ (i >> 8) * 31 ^ (i >> 16) * 7);
    return body;
  };
  server_.OnAny([&](evhttp_request *req) {
    Reply(req, body_of(strtoul(evhttp_request_get_uri(req) + 1, nullptr, 10)));
  });
  Client client(&loop_, server_.port());
  for (size_t len : {16383u, 16384u, 16385u, 65536u, 100000u, 5000000u}) {
    Response response;
    client.Send(GetRequest("/" + std::to_string(len)));
    ASSERT_TRUE(client.Receive(&response)) << len;
    EXPECT_TRUE(response.body == body_of(len)) << len;
  }
}

TEST_F(SameBaseTest, LargeRequest) {
  server_.OnAny([](evhttp_request *req) { Reply(req, BodyOf(req)); });
  Client client(&loop_, server_.port());
  const std::string body(3000000, 'y');
  Response response;
  client.Send(http_testing::PostRequest("/", body));
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_TRUE(response.body == body);
}

TEST_F(SameBaseTest, TheServerEndsWhileClientsAreConnected) {
  server_.OnAny([](evhttp_request *) {});
  Client asking(&loop_, server_.port()), idle(&loop_, server_.port());
  ASSERT_TRUE(asking.WaitUntilConnected());
  ASSERT_TRUE(idle.WaitUntilConnected());
  asking.Send(GetRequest("/"));
  loop_.Settle();
  server_.Free();
  EXPECT_TRUE(asking.WaitUntilEnded());
  EXPECT_TRUE(idle.WaitUntilEnded());
}

// event_base_dispatch() returns only because the handler says so.
TEST_F(SameBaseTest, AServerAloneKeepsTheLoopGoing) {
  bool was_called = false;
  server_.OnAny([&](evhttp_request *req) {
    was_called = true;
    Reply(req, "");
    event_base_loopbreak(evhttp_connection_get_base(evhttp_request_get_connection(req)));
  });
  std::promise<void> done;
  const int port = server_.port();
  std::thread client([&done, port] {
    Loop loop;
    http_testing::Client stranger(&loop, port);
    stranger.Send(GetRequest("/"));
    done.get_future().wait();
  });
  EXPECT_EQ(0, event_base_dispatch(loop_.base()));
  EXPECT_TRUE(was_called);
  done.set_value();
  client.join();
}

}  // namespace

// Sockets that somebody else has accepted, served in the loop's own thread.
#include <event2/keyvalq_struct.h>

#include "http/http_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

// Accepts, and leaves it to the test what becomes of the socket.
class Acceptor {
 public:
  Acceptor() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
  }
  ~Acceptor() { close(fd_); }
  int port() const { return Server::PortOf(fd_); }
  // The socket blocks: making it fit is the server's.
  evutil_socket_t Accept(sockaddr_storage *out_address, int *out_len) {
    socklen_t len = sizeof(*out_address);
    evutil_socket_t fd = accept(fd_, reinterpret_cast<sockaddr *>(out_address), &len);
    *out_len = static_cast<int>(len);
    return fd;
  }

 private:
  int fd_;
};

class ServeSocketTest : public testing::Test {
 protected:
  ServeSocketTest() {
    server_.OnAny([this](evhttp_request *req) {
      char *address = nullptr;
      ev_uint16_t port = 0;
      evhttp_connection_get_peer(evhttp_request_get_connection(req), &address, &port);
      peer_ = address;
      Reply(req, "ok");
    });
  }
  int Serve(bool with_address = true) {
    sockaddr_storage address;
    int len;
    evutil_socket_t fd = acceptor_.Accept(&address, &len);
    EXPECT_GE(fd, 0);
    int result = evhttp_serve_socket(
        server_.http(), fd, with_address ? reinterpret_cast<sockaddr *>(&address) : nullptr,
        with_address ? len : 0);
    if (result < 0) close(fd);
    return result;
  }

  Loop loop_;
  Server server_{&loop_};
  Acceptor acceptor_;
  std::string peer_;
};

TEST_F(ServeSocketTest, IsServedLikeAnyOther) {
  Client client(&loop_, acceptor_.port());
  ASSERT_EQ(Serve(), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(peer_, "127.0.0.1");
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 1);
}

TEST_F(ServeSocketTest, ThePeersAddressIsFoundOut) {
  Client client(&loop_, acceptor_.port());
  ASSERT_EQ(Serve(false), 0);
  EXPECT_EQ(client.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(peer_, "127.0.0.1");
}

#ifndef _WIN32
TEST_F(ServeSocketTest, ALocalSocketHasNoName) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_EQ(evhttp_serve_socket(server_.http(), pair[0], nullptr, 0), 0);
  std::string request = GetRequest("/");
  ASSERT_EQ(write(pair[1], request.data(), request.size()), static_cast<ssize_t>(request.size()));
  peer_ = "not called";
  EXPECT_TRUE(loop_.RunUntil([this] { return peer_ != "not called"; }));
  EXPECT_EQ(peer_, "");
  close(pair[1]);
}
#endif

#ifndef _WIN32  // There a connection whose peer has gone is not accepted.
TEST_F(ServeSocketTest, APeerThatHasGoneIsNoError) {
  {
    Client client(&loop_, acceptor_.port());
    client.Send(GetRequest("/"));
    client.Reset();
  }
  ASSERT_EQ(Serve(), 0);
  EXPECT_TRUE(loop_.RunUntil([this] { return evhttp_get_connection_count(server_.http()) == 0; }));
}
#endif

TEST_F(ServeSocketTest, TooManyAreToldSo) {
  evhttp_set_max_connections(server_.http(), 1);
  Client first(&loop_, acceptor_.port());
  ASSERT_EQ(Serve(), 0);
  Client second(&loop_, acceptor_.port());
  ASSERT_EQ(Serve(), 0);
  Response response;
  ASSERT_TRUE(second.Receive(&response));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(first.Get(GetRequest("/")).status, 200);
}

// From far above the limit on, the socket stays the caller's.
TEST_F(ServeSocketTest, FarTooManyAreNotTaken) {
  evhttp_set_max_connections(server_.http(), 1);
  std::vector<std::unique_ptr<Client>> clients;
  int result = 0;
  while (result == 0 && clients.size() < 1000) {
    clients.emplace_back(new Client(&loop_, acceptor_.port()));
    result = Serve();
  }
  EXPECT_EQ(result, -1);
  EXPECT_TRUE(clients.back()->WaitClosed());
}

TEST_F(ServeSocketTest, WhatIsNoSocketIsNotTaken) {
  EXPECT_EQ(evhttp_serve_socket(server_.http(), -1, nullptr, 0), -1);
}

}  // namespace

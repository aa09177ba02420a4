// Part of the completion suite: accepting and connecting.
#ifndef BACKENDS_TESTING_COMPLETION_CONNECTIONS_H_
#define BACKENDS_TESTING_COMPLETION_CONNECTIONS_H_

#include <ctime>

#include "backends/testing/completion_fixture.h"

namespace completion_testing {

TEST_P(CompletionConformance, AcceptGivesTheAddress) {
  Listener listener;
  Op accept;
  ASSERT_EQ(0, accept.Accept(listener.fd, true).Launch(base_));
  Turn();
  EXPECT_EQ(0, accept.num_done);
  Socket client = listener.Connect();
  ASSERT_TRUE(Finish(&accept));
  ASSERT_GE(accept.result, 0);
  Socket server(static_cast<evutil_socket_t>(accept.result));
  struct sockaddr_in own = {};
  ev_socklen_t len = sizeof(own);
  ASSERT_EQ(0, getsockname(client, Any(&own), &len));
  EXPECT_EQ(static_cast<ev_socklen_t>(sizeof(own)), accept.get()->address_len);
  EXPECT_EQ(AF_INET, accept.address.sin_family);
  EXPECT_EQ(own.sin_port, accept.address.sin_port);
  EXPECT_EQ(own.sin_addr.s_addr, accept.address.sin_addr.s_addr);
}

TEST_P(CompletionConformance, AcceptedSocketIsReadyForUse) {
  Listener listener;
  Socket client = listener.Connect();
  Op accept, send, recv;
  ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
  ASSERT_TRUE(Finish(&accept));
  Socket server(static_cast<evutil_socket_t>(accept.result));
#ifndef _WIN32
  EXPECT_NE(0, fcntl(server, F_GETFL) & O_NONBLOCK);
  EXPECT_NE(0, fcntl(server, F_GETFD) & FD_CLOEXEC);
#endif
  ASSERT_EQ(0, send.Send(server, {"hel", "lo"}).Launch(base_));
  ASSERT_EQ(0, recv.RecvInto(client, {16}).Launch(base_));
  ASSERT_TRUE(Finish({&send, &recv}));
  EXPECT_EQ("hello", recv.bytes);
}

#ifndef _WIN32  // clock() is not the processor's time there.
// Whether the listening socket blocks is its owner's business.
TEST_P(CompletionConformance, AcceptingSleeps) {
  Listener listener;
  ASSERT_EQ(0, evutil_make_socket_nonblocking(listener.fd));
  Op accept;
  ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
  Ev timer(base_, -1, 0);
  timer.AddMs(200);
  const clock_t begin = clock();
  ASSERT_TRUE(RunUntil([&] { return timer.calls == 1; }));
  EXPECT_LT(clock() - begin, CLOCKS_PER_SEC / 20);
  Socket client = listener.Connect();
  ASSERT_TRUE(Finish(&accept));
  Socket server(static_cast<evutil_socket_t>(accept.result));
  EXPECT_GE(server, 0);
}
#endif

TEST_P(CompletionConformance, ManyAccepts) {
  constexpr size_t kNum = 100;
  Listener listener;
  std::vector<std::unique_ptr<Op>> accepts;
  std::vector<Socket> clients, servers;
  for (size_t i = 0; i < kNum; i++) {
    accepts.emplace_back(new Op([&](Op *op) {
      ASSERT_GE(op->result, 0);
      servers.emplace_back(static_cast<evutil_socket_t>(op->result));
    }));
    ASSERT_EQ(0, accepts.back()->Accept(listener.fd, true).Launch(base_));
  }
  Turn();
  for (size_t i = 0; i < kNum; i++) clients.push_back(listener.Connect());
  ASSERT_TRUE(FinishAll(accepts));
  EXPECT_EQ(kNum, servers.size());
}

TEST_P(CompletionConformance, OneAcceptAgainAndAgain) {
  constexpr size_t kNum = 100;
  Listener listener;
  std::vector<Socket> clients, servers;
  Op accept([&](Op *op) {
    ASSERT_GE(op->result, 0);
    servers.emplace_back(static_cast<evutil_socket_t>(op->result));
    if (servers.size() < kNum) {
      ASSERT_EQ(0, op->Launch(base_));
    }
  });
  ASSERT_EQ(0, accept.Accept(listener.fd, true).Launch(base_));
  for (size_t i = 0; i < kNum; i++) clients.push_back(listener.Connect());
  ASSERT_TRUE(Finish(&accept));
  EXPECT_EQ(kNum, servers.size());
}

TEST_P(CompletionConformance, ConnectSucceeds) {
  Listener listener;
  Socket client = TcpSocket();
  Op connect, send;
  ASSERT_EQ(0, connect.Connect(client, listener.address).Launch(base_));
  ASSERT_TRUE(Finish(&connect));
  EXPECT_EQ(0, connect.result);
  ASSERT_EQ(0, send.Send(client, {"x"}).Launch(base_));
  ASSERT_TRUE(Finish(&send));
  EXPECT_EQ(1, send.result);
}

TEST_P(CompletionConformance, ConnectAndAcceptMeet) {
  Listener listener;
  Socket client = TcpSocket();
  Op connect, accept;
  ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
  ASSERT_EQ(0, connect.Connect(client, listener.address).Launch(base_));
  ASSERT_TRUE(Finish({&connect, &accept}));
  EXPECT_EQ(0, connect.result);
  Socket server(static_cast<evutil_socket_t>(accept.result));
  EXPECT_GE(server, 0);
}

TEST_P(CompletionConformance, ConnectRefused) {
  struct sockaddr_in address;
  {
    Listener listener;
    address = listener.address;
  }
  Socket client = TcpSocket();
  Op connect;
  ASSERT_EQ(0, connect.Connect(client, address).Launch(base_));
  ASSERT_TRUE(Finish(&connect));
  EXPECT_EQ(kConnectionRefused, connect.error);
}

TEST_P(CompletionConformance, ConnectWaits) {
  FullListener listener;
  Socket client = TcpSocket();
  Op connect;
  ASSERT_EQ(0, connect.Connect(client, listener.address).Launch(base_));
  for (int i = 0; i < 5; i++) Turn();
  EXPECT_EQ(0, connect.num_done);
  connect.Cancel();
  ASSERT_TRUE(Finish(&connect));
  EXPECT_TRUE(connect.IsCancelled());
}

#ifndef _WIN32  // A listener cannot be shut down there.
TEST_P(CompletionConformance, ListenerShutDownWhileAccepting) {
  Listener listener;
  Op accept;
  ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
  Turn();
  ASSERT_EQ(0, shutdown(listener.fd, 2 /* SHUT_RDWR, SD_BOTH */));
  ASSERT_TRUE(Finish(&accept));
  EXPECT_EQ(-1, accept.result);
}

// The connection waits in the queue until there are descriptors again.
TEST_P(CompletionConformance, OutOfDescriptors) {
  Listener listener;
  Socket client = listener.Connect();
  Turn();
  const int next_fd = dup(0);
  close(next_fd);
  struct rlimit old_limit, none_left;
  ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old_limit));
  none_left = old_limit;
  none_left.rlim_cur = static_cast<rlim_t>(next_fd);
  Op accept;
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none_left));
  ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
  const bool has_ended = Finish(&accept);
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old_limit));
  ASSERT_TRUE(has_ended);
  EXPECT_EQ(EMFILE, accept.error);
  ASSERT_EQ(0, accept.Launch(base_));
  ASSERT_TRUE(Finish(&accept));
  Socket server(static_cast<evutil_socket_t>(accept.result));
  EXPECT_GE(server, 0);
}
#endif

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_CONNECTIONS_H_

// What the conformance suites do not know of Windows: sockets and ports, numbers that are reused,
// and more sockets than select() takes.
#include <event2/event.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/testing/completion_fixture.h"

extern "C" {
#include "backends/afd.h"
#include "backends/iocp_error.h"
}

namespace completion_testing {

class Iocp : public CompletionConformance {};

// A receive that waits, one that does not, and a send.
#define EXPECT_TRANSFERS(pair)                                             \
  do {                                                                     \
    Op waiting, at_once, sending;                                          \
    ASSERT_EQ(0, waiting.RecvInto((pair)[0], {4}).Launch(base_));          \
    Turn();                                                                \
    EXPECT_EQ(0, waiting.num_done);                                        \
    (pair).Send(1, "abcdef");                                              \
    ASSERT_TRUE(Finish(&waiting));                                         \
    EXPECT_EQ("abcd", waiting.bytes);                                      \
    ASSERT_EQ(0, at_once.Recv((pair)[0]).Launch(base_));                   \
    ASSERT_EQ(0, sending.Send((pair)[0], {"gh", "i"}).Launch(base_));      \
    ASSERT_TRUE(Finish({&at_once, &sending}));                             \
    EXPECT_EQ("ef", at_once.bytes);                                        \
    EXPECT_EQ("ghi", (pair).Recv(1));                                      \
    ASSERT_EQ(0, waiting.RecvInto((pair)[0], {4}).Launch(base_));          \
    Turn();                                                                \
    waiting.Cancel();                                                      \
    ASSERT_TRUE(Finish(&waiting));                                         \
    EXPECT_TRUE(waiting.IsCancelled()) << waiting.error;                   \
    for (int i = 0; i < 3; i++) Turn(); /* Nothing comes a second time. */ \
    EXPECT_EQ(4, waiting.num_done + at_once.num_done + sending.num_done);  \
  } while (false)

// --- Sockets and ports ---

TEST_P(Iocp, SocketMovesToAnotherBaseAndBack) {
  Pair pair;
  EXPECT_TRANSFERS(pair);
  struct event_base *const first = base_;
  base_ = NewBase();
  EXPECT_TRANSFERS(pair);
  event_base_free(base_);
  base_ = first;
  EXPECT_TRANSFERS(pair);
}

TEST_P(Iocp, SocketOutlivesItsBases) {
  Pair pair;
  for (int i = 0; i < 5; i++) {
    EXPECT_TRANSFERS(pair);
    FreeBase();
    base_ = NewBase();
  }
}

TEST_P(Iocp, OneOperationOnTwoBases) {
  Pair pair;
  Op recv;
  recv.RecvInto(pair[0], {1});
  for (int i = 0; i < 5; i++) {
    ASSERT_EQ(0, recv.Launch(base_));
    Turn();
    pair.Send(1, "x");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_EQ("x", recv.bytes);
    FreeBase();
    base_ = NewBase();  // Perhaps at the same address.
  }
}

TEST_P(Iocp, SocketWithAPortOfTheProgram) {
  Pair pair;
  const HANDLE own = CreateIoCompletionPort(reinterpret_cast<HANDLE>(pair[0]), nullptr, 1, 1);
  ASSERT_NE(nullptr, own);
  EXPECT_TRANSFERS(pair);
  CloseHandle(own);
}

TEST_P(Iocp, BaseEndsWithOperationsOnSocketsThatMoved) {
  Pair pair;
  EXPECT_TRANSFERS(pair);
  FreeBase();
  base_ = NewBase();
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < 50; i++) {
    ops.emplace_back(new Op);
    ASSERT_EQ(0, ops.back()->RecvInto(pair[0], {1}).Launch(base_));
  }
  Turn();
  FreeBase();
  for (auto &op : ops) EXPECT_TRUE(op->IsCancelled());
}

// The number that was known names another socket, which no port knows.
TEST_P(Iocp, NumberIsReused) {
  std::vector<evutil_socket_t> old_numbers;
  bool was_reused = false;
  for (int i = 0; i < 50; i++) {
    Pair pair;
    for (const evutil_socket_t number : old_numbers) was_reused |= number == pair[0];
    EXPECT_TRANSFERS(pair);
    old_numbers.push_back(pair[0]);
  }
  EXPECT_TRUE(was_reused);
}

TEST_P(Iocp, OneOperationOverManySockets) {
  Op recv;
  for (int i = 0; i < 50; i++) {
    Pair pair;
    ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base_));
    Turn();
    pair.Send(1, "x");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_EQ("x", recv.bytes);
  }
}

TEST_P(Iocp, UnusableSockets) {
  Socket unconnected = TcpSocket();
  Op closed, none, not_connected, not_listening;
  evutil_socket_t was_closed;
  {
    Socket socket = TcpSocket();
    was_closed = socket;
  }
  ASSERT_EQ(0, closed.RecvInto(was_closed, {4}).Launch(base_));
  ASSERT_EQ(0, none.RecvInto(-1, {4}).Launch(base_));
  ASSERT_EQ(0, not_connected.RecvInto(unconnected, {4, 4}).Launch(base_));
  ASSERT_EQ(0, not_listening.Accept(unconnected).Launch(base_));
  EXPECT_EQ(0, closed.num_done + none.num_done + not_connected.num_done + not_listening.num_done);
  ASSERT_TRUE(Finish({&closed, &none, &not_connected}));
  not_listening.Cancel();  // Wine would wait for a listen().
  ASSERT_TRUE(Finish(&not_listening));
  EXPECT_EQ(WSAENOTSOCK, closed.error);
  EXPECT_EQ(WSAENOTSOCK, none.error);
  EXPECT_EQ(WSAENOTCONN, not_connected.error);
  EXPECT_TRUE(not_listening.error == WSAEINVAL || not_listening.IsCancelled());
}

// A call on one made without WSA_FLAG_OVERLAPPED might block the thread that makes it.
TEST_P(Iocp, SocketsThatAreNotOverlappedAreRefused) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    Socket socket(
        static_cast<evutil_socket_t>(WSASocketW(AF_INET, type, 0, nullptr, 0, 0 /* flags */)));
    ASSERT_GE(socket, 0);
    Op recv, again;
    ASSERT_EQ(0, recv.RecvInto(socket, {4}).Launch(base_));
    ASSERT_TRUE(Finish(&recv));
    EXPECT_EQ(WSAEOPNOTSUPP, recv.error);
    ASSERT_EQ(0, again.Send(socket, {"x"}).Launch(base_));
    ASSERT_TRUE(Finish(&again));
    EXPECT_EQ(WSAEOPNOTSUPP, again.error);
  }
}

// --- What ends in its launch ---

TEST_P(Iocp, EachLaunchIsAnsweredOnce) {
  Pair pair;
  int num_received = 0;
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < 500; i++) {
    ops.emplace_back(new Op);
    ASSERT_EQ(0, ops.back()->Send(pair[1], {"x"}).Launch(base_));
    ops.emplace_back(new Op([&](Op *op) { num_received += op->result == 1; }));
    ASSERT_EQ(0, ops.back()->RecvInto(pair[0], {1}).Launch(base_));
    for (size_t k = ops.size() - 2; k < ops.size(); k++) EXPECT_EQ(0, ops[k]->num_done);
    if (i % 7 == 0) Turn();
  }
  ASSERT_TRUE(FinishAll(ops));
  for (int i = 0; i < 10; i++) Turn();
  for (auto &op : ops) EXPECT_EQ(1, op->num_done);
  EXPECT_EQ(500, num_received);
}

TEST_P(Iocp, CancellingWhatHasEndedInItsLaunch) {
  Pair pair;
  Op send;
  ASSERT_EQ(0, send.Send(pair[0], {"x"}).Launch(base_));
  send.Cancel();
  ASSERT_TRUE(Finish(&send));
  EXPECT_EQ(1, send.result);
}

TEST_P(Iocp, BaseEndsWithWhatHasEndedInItsLaunch) {
  Pair pair;
  Op send, recv;
  pair.Send(1, "x");
  ASSERT_EQ(0, send.Send(pair[0], {"x"}).Launch(base_));
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  FreeBase();
  EXPECT_EQ(1, send.result);
  EXPECT_EQ("x", recv.bytes);
}

// --- Accepting ---

TEST_P(Iocp, AcceptedSocketHasItsAddresses) {
  Listener listener;
  Op accept;
  ASSERT_EQ(0, accept.Accept(listener.fd, true).Launch(base_));
  Socket client = listener.Connect();
  ASSERT_TRUE(Finish(&accept));
  Socket server(static_cast<evutil_socket_t>(accept.result));
  struct sockaddr_in own = {}, peer = {};
  int own_len = sizeof(own), peer_len = sizeof(peer);
  ASSERT_EQ(0, getsockname(server, Any(&own), &own_len));
  ASSERT_EQ(0, getpeername(server, Any(&peer), &peer_len));
  EXPECT_EQ(listener.address.sin_port, own.sin_port);
  EXPECT_EQ(accept.address.sin_port, peer.sin_port);
  EXPECT_EQ(accept.address.sin_addr.s_addr, peer.sin_addr.s_addr);
  EXPECT_EQ(0, shutdown(server, SD_SEND)) << "it has its listener's context";
}

TEST_P(Iocp, AddressThatDoesNotFitIsCut) {
  Listener listener;
  Op accept;
  accept.Accept(listener.fd, true);
  accept.get()->address_len = 4;
  ASSERT_EQ(0, accept.Launch(base_));
  Socket client = listener.Connect();
  ASSERT_TRUE(Finish(&accept));
  Socket server(static_cast<evutil_socket_t>(accept.result));
  EXPECT_EQ(static_cast<int>(sizeof(struct sockaddr_in)), accept.get()->address_len);
  EXPECT_EQ(AF_INET, accept.address.sin_family);
  EXPECT_EQ(0u, accept.address.sin_addr.s_addr);
}

TEST_P(Iocp, AcceptAndConnectOverIpv6) {
  Socket listener(socket(AF_INET6, SOCK_STREAM, 0)), client(socket(AF_INET6, SOCK_STREAM, 0));
  struct sockaddr_in6 to = {}, peer = {}, own = {};
  int len = sizeof(to);
  to.sin6_family = AF_INET6;
  to.sin6_addr.s6_addr[15] = 1;
  struct sockaddr *any = reinterpret_cast<struct sockaddr *>(&to);
  if (listener < 0 || bind(listener, any, len) != 0) GTEST_SKIP() << "there is no IPv6";
  ASSERT_EQ(0, listen(listener, 4));
  ASSERT_EQ(0, getsockname(listener, any, &len));
  Op accept, connect;
  accept.Accept(listener);
  accept.get()->address = reinterpret_cast<struct sockaddr *>(&peer);
  accept.get()->address_len = sizeof(peer);
  connect.Connect(client, {});
  connect.get()->address = any;
  connect.get()->address_len = len;
  ASSERT_EQ(0, accept.Launch(base_));
  ASSERT_EQ(0, connect.Launch(base_));
  ASSERT_TRUE(Finish({&accept, &connect}));
  EXPECT_EQ(0, connect.result);
  Socket server(static_cast<evutil_socket_t>(accept.result));
  EXPECT_EQ(static_cast<int>(sizeof(peer)), accept.get()->address_len);
  len = sizeof(own);
  ASSERT_EQ(0, getsockname(client, reinterpret_cast<struct sockaddr *>(&own), &len));
  EXPECT_EQ(own.sin6_port, peer.sin6_port);
}

TEST_P(Iocp, ConnectOfABoundSocketKeepsItsAddress) {
  Listener listener;
  Socket client = TcpSocket();
  struct sockaddr_in own = {}, after = {};
  int len = sizeof(own);
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(0, bind(client, Any(&own), len));
  ASSERT_EQ(0, getsockname(client, Any(&own), &len));
  Op connect;
  ASSERT_EQ(0, connect.Connect(client, listener.address).Launch(base_));
  ASSERT_TRUE(Finish(&connect));
  EXPECT_EQ(0, connect.result);
  ASSERT_EQ(0, getsockname(client, Any(&after), &len));
  EXPECT_EQ(own.sin_port, after.sin_port);
}

// --- Readiness ---

// More than fit into the sets of select(), and into one batch of packets.
TEST_P(Iocp, ThousandSocketsAreWatched) {
  constexpr size_t kNum = 1000;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Ev>> events;
  size_t num_ready = 0;
  for (size_t i = 0; i < kNum; i++) {
    pairs.emplace_back(new Pair);
    Pair *const pair = pairs.back().get();
    events.emplace_back(
        new Ev(base_, (*pair)[0], EV_READ | EV_PERSIST, [&, pair](evutil_socket_t, short) {
          EXPECT_EQ("x", pair->Recv(0));
          num_ready++;
        }));
    events.back()->Add();
  }
  Turn();
  EXPECT_EQ(0u, num_ready);
  for (auto &pair : pairs) pair->Send(1, "x");
  ASSERT_TRUE(RunUntil([&] { return num_ready == kNum; }));
  Turn();
  EXPECT_EQ(kNum, num_ready);
}

TEST_P(Iocp, EventsAndOperationsOnOneSocket) {
  Pair pair;
  Op recv;
  Ev event(base_, pair[0], EV_WRITE | EV_PERSIST);
  event.Add();
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  ASSERT_TRUE(RunUntil([&] { return event.calls >= 3; }));
  pair.Send(1, "x");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("x", recv.bytes);
}

// Its owner forgets to delete the event; the peer hears of the end all the same, and the number
// serves for the next socket.
TEST_P(Iocp, SocketIsClosedWhileItIsPolled) {
  auto pair = std::make_unique<Pair>();
  const evutil_socket_t number = (*pair)[0];
  auto event = std::make_unique<Ev>(base_, number, EV_READ | EV_PERSIST);
  event->Add();
  for (int i = 0; i < 3; i++) Turn();
  pair->Close(0);
  for (int i = 0; i < 3; i++) Turn();
  EXPECT_EQ(0, event->calls);
  char byte;
  EXPECT_EQ(0, recv((*pair)[1], &byte, 1, 0));
  std::vector<std::unique_ptr<Pair>> others;
  while (others.size() < 20 && (others.empty() || (*others.back())[0] != number))
    others.emplace_back(new Pair);
  Pair &fresh = *others.back();
  event.reset();
  Ev again(base_, fresh[0], EV_READ | EV_PERSIST);
  again.Add();
  Turn();
  EXPECT_EQ(0, again.calls);
  fresh.Send(1, "x");
  ASSERT_TRUE(RunUntil([&] { return again.calls > 0; }));
}

// Between two waits: the poll's answer and the new registration cross.
TEST_P(Iocp, NumberIsReusedWithoutAWaitBetween) {
  for (int i = 0; i < 100; i++) {
    Socket listener;
    {
      Listener first;
      auto event = std::make_unique<Ev>(base_, first.fd, EV_READ | EV_PERSIST);
      event->Add();
      Turn();
      if (i % 2 == 0) event.reset();
      first.fd.Close();
    }
    Listener second;
    Ev event(base_, second.fd, EV_READ | EV_PERSIST);
    event.Add();
    Socket client = second.Connect();
    ASSERT_TRUE(RunUntil([&] { return event.calls > 0; }));
  }
}

TEST_P(Iocp, WhatIsNoSocketIsRefused) {
  const HANDLE file = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  struct event *const event = event_new(
      base_, reinterpret_cast<evutil_socket_t>(file), EV_READ,
      [](evutil_socket_t, short, void *) {}, nullptr);
  EXPECT_EQ(-1, event_add(event, nullptr));
  EXPECT_EQ(EBADF, errno);
  event_free(event);
  CloseHandle(file);
}

TEST_P(Iocp, ChangesWhilePolled) {
  Pair pair;
  for (int i = 0; i < 300; i++) {
    Ev read(base_, pair[0], EV_READ | EV_PERSIST), write(base_, pair[0], EV_WRITE | EV_PERSIST);
    read.Add();
    if (i % 3 == 0) Turn();
    write.Add();
    if (i % 2 == 0) Turn();
    EXPECT_EQ(0, event_del(read.get()));
    if (i % 5 == 0) Turn();
  }
  Ev read(base_, pair[0], EV_READ | EV_PERSIST);
  read.Add();
  pair.Send(1, "x");
  ASSERT_TRUE(RunUntil([&] { return read.calls > 0; }));
}

TEST_P(Iocp, BaseEndsWithHundredsOfPollsAndOperations) {
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Op>> ops;
  std::vector<struct event *> events;
  for (int i = 0; i < 200; i++) {
    pairs.emplace_back(new Pair);
    const evutil_socket_t fd = (*pairs.back())[0];
    for (int k = 0; k < 2; k++) {
      ops.emplace_back(new Op);
      ASSERT_EQ(0, ops.back()->Recv(fd).Launch(base_));
    }
    events.push_back(event_new(
        base_, fd, EV_READ | EV_PERSIST, [](evutil_socket_t, short, void *) {}, nullptr));
    ASSERT_EQ(0, event_add(events.back(), nullptr));
  }
  Turn();
  FreeBase();
  for (auto &op : ops) EXPECT_TRUE(op->IsCancelled());
  for (struct event *event : events) event_free(event);
}

// --- Errors ---

TEST(IocpError, StatusesAreErrorsOfWinsock) {
  EXPECT_EQ(0, strata_iocp_error(0));
  EXPECT_EQ(WSA_OPERATION_ABORTED, strata_iocp_error(static_cast<int32_t>(0xc0000120)));
  EXPECT_EQ(WSAECONNRESET, strata_iocp_error(static_cast<int32_t>(0xc000020d)));
  EXPECT_EQ(WSAECONNREFUSED, strata_iocp_error(static_cast<int32_t>(0xc0000236)));
  EXPECT_EQ(WSAETIMEDOUT, strata_iocp_error(static_cast<int32_t>(0xc00000b5)));
  EXPECT_NE(0, strata_iocp_error(static_cast<int32_t>(0xc0000001)));
}

INSTANTIATE_TEST_SUITE_P(Ports, Iocp, testing::Values(Port{&event_afd_ops, 0}), CompletionName());
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, Iocp, testing::Values(Port{&event_afd_ops, 4}),
                         CompletionName());

}  // namespace completion_testing

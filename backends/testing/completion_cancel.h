// Part of the completion suite: cancelling, at each stage of an operation.
#ifndef BACKENDS_TESTING_COMPLETION_CANCEL_H_
#define BACKENDS_TESTING_COMPLETION_CANCEL_H_

#include "backends/testing/completion_fixture.h"

namespace completion_testing {

// One operation of each kind that finds nothing to do.
struct WaitingOps {
  WaitingOps() {
    full_pair.Fill(0);
    recv.Recv(pair[0]);
    recv_span.RecvInto(pair[0], {8});
    recv_spans.RecvInto(pair[0], {8, 8});
    send.Send(full_pair[0], {"x"});
    send_spans.Send(full_pair[0], {"x", "y"});
    accept.Accept(listener.fd, true);
  }
  std::vector<Op *> All() {
    return {&recv, &repeated, &recv_span, &recv_spans, &send, &send_spans, &accept, &connect};
  }
  void LaunchAll(struct event_base *base) {
    client = TcpSocket();
    connect.Connect(client, full_listener.address);
    if (event_base_port_features(base) & STRATA_PORT_REPEATS)
      repeated.RecvRepeatedly(quiet_pair[0]);
    else
      repeated.RecvInto(quiet_pair[0], {8});
    for (Op *op : All()) ASSERT_EQ(0, op->Launch(base));
  }
  void CancelAll() {
    for (Op *op : All()) op->Cancel();
  }
  void ExpectCancelled() {
    for (Op *op : All()) EXPECT_TRUE(op->IsCancelled()) << op->get()->kind << " " << op->error;
  }

  Pair pair, quiet_pair, full_pair;
  Listener listener;
  FullListener full_listener;
  Socket client;
  Op recv, repeated, recv_span, recv_spans, send, send_spans, accept, connect;
};

TEST_P(CompletionConformance, CancelInFlight) {
  WaitingOps ops;
  if (!(event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY))
    ops.recv.RecvInto(ops.pair[0], {1});
  for (int round = 0; round < 3; round++) {
    ops.LaunchAll(base_);
    for (int i = 0; i < 3; i++) Turn();
    for (Op *op : ops.All()) EXPECT_EQ(round, op->num_done);
    ops.CancelAll();
    ASSERT_TRUE(Finish(ops.All()));
    ops.ExpectCancelled();
  }
}

TEST_P(CompletionConformance, CancelBeforeTheWait) {
  WaitingOps ops;
  ops.LaunchAll(base_);
  ops.CancelAll();
  ASSERT_TRUE(Finish(ops.All()));
  ops.ExpectCancelled();
}

TEST_P(CompletionConformance, CancelTwice) {
  WaitingOps ops;
  ops.LaunchAll(base_);
  Turn();
  ops.CancelAll();
  ops.CancelAll();
  ASSERT_TRUE(Finish(ops.All()));
  ops.ExpectCancelled();
}

TEST_P(CompletionConformance, CancelOfWhatIsNotPending) {
  Pair pair;
  Op never, recv([](Op *op) { op->Cancel(); });
  never.Cancel();
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  pair.Send(1, "x");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(1, recv.result);
  recv.Cancel();
  ASSERT_EQ(0, recv.Launch(base_));
  Turn();
  EXPECT_EQ(1, recv.num_done) << "the cancellation is of the operation, not of the next one";
  pair.Send(1, "y");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("y", recv.bytes);
  FreeBase();
  recv.Cancel();
}

// Both have completed when the first function cancels the other operation.
TEST_P(CompletionConformance, CancelAfterTheCompletion) {
  Pair first, second;
  Op *other[2];
  int num_run = 0;
  Op a([&](Op *) {
    if (num_run++ == 0) other[0]->Cancel();
  });
  Op b([&](Op *) {
    if (num_run++ == 0) other[1]->Cancel();
  });
  other[0] = &b;
  other[1] = &a;
  first.Send(1, "1");
  second.Send(1, "2");
  ASSERT_EQ(0, a.RecvInto(first[0], {1}).Launch(base_));
  ASSERT_EQ(0, b.RecvInto(second[0], {1}).Launch(base_));
  ASSERT_TRUE(Finish({&a, &b}));
  EXPECT_EQ("1", a.bytes);
  EXPECT_EQ("2", b.bytes);
}

// Either the bytes were taken, or they are in the socket still.
TEST_P(CompletionConformance, CancelRacesWithData) {
  Pair pair;
  const bool provides = event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY;
  for (int i = 0; i < 300; i++) {
    Op recv;
    provides &&i % 2 ? recv.Recv(pair[0]) : recv.RecvInto(pair[0], {8});
    ASSERT_EQ(0, recv.Launch(base_));
    if (i % 3 != 0) Turn();
    if (i % 5 < 3) pair.Send(1, "data");
    recv.Cancel();
    if (i % 5 >= 3) pair.Send(1, "data");
    ASSERT_TRUE(Finish(&recv));
    if (recv.result == -1) {
      EXPECT_EQ(STRATA_OPERATION_CANCELLED, recv.error);
      EXPECT_EQ("data", pair.Recv(0));
    } else {
      EXPECT_EQ("data", recv.bytes);
    }
  }
}

TEST_P(CompletionConformance, CancelRacesWithRoom) {
  Pair pair;
  for (int i = 0; i < 50; i++) {
    const size_t filled_len = pair.Fill(0);
    size_t received_len = 0;
    Op send;
    ASSERT_EQ(0, send.Send(pair[0], {"ab", "cd"}).Launch(base_));
    Turn();
    while (received_len < filled_len) received_len += pair.Recv(1).size();
    send.Cancel();
    ASSERT_TRUE(Finish(&send));
    received_len += pair.Recv(1).size();
    EXPECT_EQ(send.result == -1 ? 0 : static_cast<size_t>(send.result), received_len - filled_len);
  }
}

TEST_P(CompletionConformance, CancelRacesWithAConnection) {
  Listener listener;
  for (int i = 0; i < 100; i++) {
    Op accept;
    ASSERT_EQ(0, accept.Accept(listener.fd, true).Launch(base_));
    Turn();
    Socket client = listener.Connect();
    accept.Cancel();
    ASSERT_TRUE(Finish(&accept));
    Socket server = accept.result >= 0 ? Socket(static_cast<evutil_socket_t>(accept.result))
                                       : listener.Accept();
    EXPECT_GE(server, 0) << "a connection is accepted or in the queue";
  }
}

TEST_P(CompletionConformance, CancelRacesWithConnecting) {
  for (int i = 0; i < 100; i++) {
    Listener listener;
    Socket client = TcpSocket();
    Op connect;
    ASSERT_EQ(0, connect.Connect(client, listener.address).Launch(base_));
    if (i % 2) Turn();
    connect.Cancel();
    ASSERT_TRUE(Finish(&connect));
    if (connect.IsCancelled()) continue;
    ASSERT_EQ(0, connect.result) << connect.error;
    struct sockaddr_in peer;
    ev_socklen_t peer_len = sizeof(peer);
    EXPECT_EQ(0, getpeername(client, reinterpret_cast<struct sockaddr *>(&peer), &peer_len));
  }
}

TEST_P(CompletionConformance, CancelFromAFunctionAndLaunchAgain) {
  WaitingOps ops;
  Op again([&](Op *op) {
    if (op->num_launched < 20) {
      ASSERT_EQ(0, op->Launch(base_));
      op->Cancel();
    }
  });
  ASSERT_EQ(0, again.RecvInto(ops.pair[0], {1}).Launch(base_));
  again.Cancel();
  ASSERT_TRUE(Finish(&again));
  EXPECT_EQ(20, again.num_done);
}

TEST_P(CompletionConformance, CancelOneOfManyOnASocket) {
  Pair pair;
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < 20; i++) {
    ops.emplace_back(new Op);
    ASSERT_EQ(0, ops.back()->RecvInto(pair[0], {1}).Launch(base_));
  }
  Turn();
  ops[7]->Cancel();
  ASSERT_TRUE(Finish(ops[7].get()));
  EXPECT_TRUE(ops[7]->IsCancelled());
  pair.Send(1, std::string(19, 'x'));
  ASSERT_TRUE(FinishAll(ops));
  for (size_t i = 0; i < ops.size(); i++) EXPECT_EQ(i == 7 ? -1 : 1, ops[i]->result) << i;
}

// More cancellations than the port can hand over at once.
TEST_P(CompletionConformance, CancelThousands) {
  Pair pair;
  for (const bool is_in_flight : {false, true}) {
    std::vector<std::unique_ptr<Op>> ops;
    for (int i = 0; i < 3000; i++) {
      ops.emplace_back(new Op);
      ASSERT_EQ(0, ops.back()->RecvInto(pair[0], {1}).Launch(base_));
    }
    if (is_in_flight) Turn();
    for (auto &op : ops) op->Cancel();
    ASSERT_TRUE(FinishAll(ops));
    for (auto &op : ops) EXPECT_TRUE(op->IsCancelled());
  }
}

// What is in flight on a descriptor that its owner closed against the rules can be cancelled.
TEST_P(CompletionConformance, DescriptorClosedInFlight) {
  Op recv, accept;
  auto pair = std::make_unique<Pair>();
  Listener listener;
  ASSERT_EQ(0, recv.RecvInto((*pair)[0], {4}).Launch(base_));
  ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
  Turn();
  pair->Close(0);
  listener.fd.Close();
  Pair in_their_place;
  in_their_place.Send(1, "not yours");
  Turn();
  recv.Cancel();
  accept.Cancel();
  ASSERT_TRUE(Finish({&recv, &accept}));
  EXPECT_EQ(-1, recv.result);
  EXPECT_EQ(-1, accept.result);
  EXPECT_EQ("not yours", in_their_place.Recv(0));
}

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_CANCEL_H_

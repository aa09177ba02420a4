#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "samples/stream.h"

namespace {

// What a full buffer may take, to its bytes: strata's has at most as much room again.
#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/relay_oracle";
constexpr long kMaxRoom = 3;
#else
const char kProgram[] = "samples/relay";
constexpr long kMaxRoom = 2;
#endif

using samples::Pattern;
using samples::Stream;

// Less than what the relay and the kernel hold when no one reads.
constexpr size_t kHeldLen = 200 * 1000;

// A relay, its target, and connections through it. The kernel's buffers for a slow reader are
// small, so that the relay is what has to hold the bytes.
class RelayTest : public testing::Test {
 protected:
  explicit RelayTest(const std::vector<std::string> &options = {})
      : target_(kReceiveBufferLen), relay_(Command(options, target_.port())) {}

  void Connect(Stream *out_client, Stream *out_server) {
    *out_client = Stream::Connect(relay_.port(), kReceiveBufferLen);
    *out_server = target_.Accept();
    ASSERT_TRUE(out_client->is_open());
    ASSERT_TRUE(out_server->is_open());
  }

  static constexpr int kReceiveBufferLen = 64 * 1024;
  samples::Acceptor target_;
  samples::TcpServer relay_;

 private:
  static std::vector<std::string> Command(const std::vector<std::string> &options,
                                          int target_port) {
    std::vector<std::string> command = {samples::ProgramPath("RELAY", kProgram)};
    command.insert(command.end(), options.begin(), options.end());
    command.insert(command.end(), {"127.0.0.1", std::to_string(target_port)});
    return command;
  }
};

// Every test of one direction, in each.
class RelayBothWaysTest : public RelayTest, public testing::WithParamInterface<bool> {
 protected:
  void ConnectEnds(Stream *out_sender, Stream *out_receiver) {
    if (GetParam())
      Connect(out_sender, out_receiver);
    else
      Connect(out_receiver, out_sender);
  }
};

INSTANTIATE_TEST_SUITE_P(Senders, RelayBothWaysTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool> &info) {
                           return info.param ? std::string("Client") : std::string("Target");
                         });

TEST_F(RelayTest, PassesBytesBothWays) {
  Stream client, server;
  Connect(&client, &server);
  for (size_t len : {1, 64, 100000}) {
    ASSERT_TRUE(client.Send(Pattern(0, len)));
    EXPECT_EQ(Pattern(0, len), server.Receive(len));
    ASSERT_TRUE(server.Send(Pattern(7, len)));
    EXPECT_EQ(Pattern(7, len), client.Receive(len));
  }
}

TEST_P(RelayBothWaysTest, AHalfCloseIsPassedOnAndTheOtherDirectionGoesOn) {
  Stream sender, receiver;
  ConnectEnds(&sender, &receiver);
  ASSERT_TRUE(sender.Send("question"));
  sender.EndSending();
  EXPECT_EQ("question", receiver.ReceiveToEnd());
  ASSERT_TRUE(receiver.Send("answer"));
  EXPECT_EQ("answer", sender.Receive(6));
  ASSERT_TRUE(receiver.Send(Pattern(0, 300000)));
  receiver.EndSending();
  EXPECT_EQ(Pattern(0, 300000), sender.ReceiveToEnd());
}

TEST_P(RelayBothWaysTest, ASlowReaderSlowsTheSenderDownAndCostsLittleMemory) {
  constexpr size_t kMaxLen = 128 << 20;
  Stream sender, receiver;
  ConnectEnds(&sender, &receiver);
  ASSERT_TRUE(sender.Send("x"));
  ASSERT_EQ("x", receiver.Receive(1));
  const long before = relay_.PeakResidentKilobytes();
  const size_t sent = sender.SendUntilFull(kMaxLen);
  EXPECT_LT(sent, kMaxLen);
  // The other direction does not suffer from it.
  ASSERT_TRUE(receiver.Send("hello"));
  EXPECT_EQ("hello", sender.Receive(5));
  sender.EndSending();
  EXPECT_EQ(sent, receiver.ReceivePattern(0, sent));
  EXPECT_EQ("", receiver.ReceiveToEnd());
  EXPECT_LT(relay_.PeakResidentKilobytes() - before, samples::kLittleMemory);
}

// More than the kernel holds, so that it shows who does.
class RelayWithMaxBufferTest : public RelayTest {
 protected:
  RelayWithMaxBufferTest() : RelayTest({"-m", std::to_string(kMaxBufferLen)}) {}
  static constexpr size_t kMaxBufferLen = 32 << 20;
};

TEST_F(RelayWithMaxBufferTest, HoldsSoMuchForASlowReaderAndLittleMore) {
  constexpr size_t kMaxLen = 128 << 20;
  Stream client, server;
  Connect(&client, &server);
  ASSERT_TRUE(client.Send("x"));
  ASSERT_EQ("x", server.Receive(1));
  const long before = relay_.PeakResidentKilobytes();
  ASSERT_TRUE(client.Send(Pattern(0, kMaxBufferLen)));
  const size_t sent = client.SendUntilFull(kMaxLen);
  EXPECT_LT(sent, kMaxLen);
  client.EndSending();
  EXPECT_EQ(kMaxBufferLen, server.ReceivePattern(0, kMaxBufferLen));
  EXPECT_EQ(sent, server.ReceivePattern(0, sent));
  EXPECT_EQ("", server.ReceiveToEnd());
  const long max_kilobytes =
      samples::kMemoryOfAByte * kMaxRoom * kMaxBufferLen / 1024 + samples::kLittleMemory;
  EXPECT_LT(relay_.PeakResidentKilobytes() - before, max_kilobytes);
}

#ifndef _WIN32  // It does not tell what is acknowledged, and Wine resets no connection.
TEST_P(RelayBothWaysTest, WhatASenderGotAcknowledgedOutlivesItsReset) {
  Stream sender, receiver;
  ConnectEnds(&sender, &receiver);
  ASSERT_TRUE(sender.Send(Pattern(0, kHeldLen)));
  sender.WaitUntilAcknowledged();
  sender.Reset();
  EXPECT_EQ(Pattern(0, kHeldLen), receiver.ReceiveToEnd());
}

// More than the relay reads before the reset: the kernel has acknowledged the rest in its name.
TEST_P(RelayBothWaysTest, SoDoesWhatTheRelayHasNotReadYet) {
  Stream sender, receiver;
  ConnectEnds(&sender, &receiver);
  const size_t sent = sender.SendUntilFull(64 << 20);
  size_t received = 0;
  while (!sender.IsAcknowledged()) received += receiver.ReceivePattern(received, 64 * 1024);
  sender.Reset();
  received += receiver.ReceivePattern(received, sent - received);
  EXPECT_EQ(sent, received);
  EXPECT_EQ("", receiver.ReceiveToEnd());
}

TEST_P(RelayBothWaysTest, WhatASenderSentOutlivesItsCloseWithUnreadBytes) {
  Stream sender, receiver;
  ConnectEnds(&sender, &receiver);
  ASSERT_TRUE(receiver.Send(Pattern(0, 50000)));
  ASSERT_EQ(Pattern(0, 10), sender.Receive(10));
  ASSERT_TRUE(sender.Send(Pattern(0, kHeldLen)));
  sender.WaitUntilAcknowledged();
  sender.Close(); /* with bytes that it has not read: the kernel resets the connection */
  ASSERT_TRUE(receiver.Send("in vain"));
  EXPECT_EQ(Pattern(0, kHeldLen), receiver.ReceiveToEnd());
}
#endif

TEST_P(RelayBothWaysTest, AReceiverThatGoesEndsTheSendersConnection) {
  Stream sender, receiver;
  ConnectEnds(&sender, &receiver);
  ASSERT_TRUE(sender.Send("x"));
  ASSERT_EQ("x", receiver.Receive(1));
  receiver.Reset();
  EXPECT_EQ("", sender.ReceiveToEnd());
  ASSERT_TRUE(sender.Send("no one takes it"));
  sender.EndSending();
  Stream next_sender, next_receiver;
  ConnectEnds(&next_sender, &next_receiver);
  ASSERT_TRUE(next_sender.Send("y"));
  EXPECT_EQ("y", next_receiver.Receive(1));
}

TEST_F(RelayTest, ARefusedTargetClosesTheClientsConnection) {
  target_.Close();
  for (int i = 0; i < 3; i++) {
    Stream client = Stream::Connect(relay_.port());
    ASSERT_TRUE(client.is_open());
    EXPECT_EQ("", client.ReceiveToEnd());
    EXPECT_NE(std::string::npos, relay_.ReadErrorLine().find(": Connection refused"));
  }
}

TEST_F(RelayTest, ServesManyAtATime) {
  std::vector<Stream> clients(300), servers(300);
  for (size_t i = 0; i < clients.size(); i++) Connect(&clients[i], &servers[i]);
  for (size_t i = 0; i < clients.size(); i++) ASSERT_TRUE(clients[i].Send(Pattern(i, 1000)));
  for (size_t i = 0; i < clients.size(); i++) ASSERT_EQ(Pattern(i, 1000), servers[i].Receive(1000));
}

TEST_F(RelayTest, TellsTheRatesWhileItRuns) {
  Stream client, server;
  Connect(&client, &server);
  ASSERT_TRUE(client.Send("hello"));
  ASSERT_EQ("hello", server.Receive(5));
  ASSERT_TRUE(server.Send("hi"));
  ASSERT_EQ("hi", client.Receive(2));
  std::string line;
  do {
    line = relay_.ReadErrorLine();
  } while (line.find("(0 B in all)") != std::string::npos);
  EXPECT_NE(std::string::npos, line.find(" s, 1 connections, to the target ")) << line;
  EXPECT_NE(std::string::npos, line.find(" B/s (5 B in all), to the client ")) << line;
  EXPECT_NE(std::string::npos, line.find(" B/s (2 B in all)")) << line;
  // Of the time since the line before, not of all.
  line = relay_.ReadErrorLine();
  EXPECT_NE(std::string::npos, line.find("to the target 0 B/s (5 B in all)")) << line;
  EXPECT_NE(std::string::npos, line.find("to the client 0 B/s (2 B in all)")) << line;
}

TEST_F(RelayTest, StopsAtOnceWithoutConnections) {
  relay_.Signal(SIGTERM);
  EXPECT_EQ(0, relay_.Wait());
}

TEST_F(RelayTest, StopsWhenTheConnectionsHaveEnded) {
  Stream client, server;
  Connect(&client, &server);
  ASSERT_TRUE(client.Send(Pattern(0, kHeldLen)));
#ifndef _WIN32
  client.WaitUntilAcknowledged();
#endif
  relay_.Signal(SIGTERM);
  client.EndSending();
  EXPECT_EQ(Pattern(0, kHeldLen), server.ReceiveToEnd());
  server.EndSending();
  EXPECT_EQ("", client.ReceiveToEnd());
  EXPECT_EQ(0, relay_.Wait());
  EXPECT_NE(std::string::npos, relay_.ReadErrors().find("to the target"));
}

TEST(RelayOptionsTest, RefusesWhatItDoesNotUnderstand) {
  const std::string program = samples::ProgramPath("RELAY", kProgram);
  EXPECT_EQ(2, samples::Process({program}).Wait());
  EXPECT_EQ(2, samples::Process({program, "localhost"}).Wait());
  EXPECT_EQ(2, samples::Process({program, "--max-buffer", "-1", "localhost", "80"}).Wait());
  EXPECT_EQ(2, samples::Process({program, "--nonsense"}).Wait());
  samples::Process help({program, "--help"});
  EXPECT_EQ(0, help.Wait());
  EXPECT_EQ(0u, help.ReadOutput().find("usage: relay [options] HOST PORT\n"));
}

}  // namespace

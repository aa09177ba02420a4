#include <gtest/gtest.h>
#include <signal.h>
#ifndef _WIN32
#include <sys/resource.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "samples/stream.h"

namespace {

#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/echo_oracle";
#else
const char kProgram[] = "samples/echo";
#endif

using samples::Pattern;
using samples::Stream;

std::string Program() {
  return samples::ProgramPath("ECHO", kProgram);
}

// How many a process may have open: as many as the system lets it.
size_t MaxDescriptors() {
#ifdef _WIN32
  return 2000;  // Nothing limits them, but Wine's server has to do something for each call.
#else
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<size_t>(limit.rlim_cur);
#endif
}

bool Echoes(Stream *stream, const std::string &bytes) {
  return stream->Send(bytes) && stream->Receive(bytes.size()) == bytes;
}

TEST(EchoTest, EchoesWhatItGets) {
  samples::TcpServer server({Program()});
  Stream stream = Stream::Connect(server.port());
  EXPECT_TRUE(Echoes(&stream, "x"));
  EXPECT_TRUE(Echoes(&stream, Pattern(0, 64)));
  EXPECT_TRUE(Echoes(&stream, Pattern(0, 100000)));
}

TEST(EchoTest, EndOfDataIsAnsweredAfterTheLastByte) {
  samples::TcpServer server({Program()});
  Stream stream = Stream::Connect(server.port());
  const std::string bytes = Pattern(0, 300000);
  ASSERT_TRUE(stream.Send(bytes));
  stream.EndSending();
  EXPECT_EQ(bytes, stream.ReceiveToEnd());
}

TEST(EchoTest, OneThatDoesNotReadIsNotReadEither) {
  constexpr size_t kMaxLen = 128 << 20;
  samples::TcpServer server({Program()});
  Stream stream = Stream::Connect(server.port(), 64 * 1024);
  ASSERT_TRUE(Echoes(&stream, "x"));
  const long before = server.PeakResidentKilobytes();
  const size_t sent = stream.SendUntilFull(kMaxLen);
  EXPECT_LT(sent, kMaxLen);
  EXPECT_LT(server.PeakResidentKilobytes() - before, samples::kLittleMemory);
  stream.EndSending();
  EXPECT_EQ(sent, stream.ReceivePattern(0, sent));
  EXPECT_EQ("", stream.ReceiveToEnd());
}

TEST(EchoTest, OutlivesClientsThatBreakOff) {
  samples::TcpServer server({Program()});
  for (int i = 0; i < 100; i++) {
    Stream stream = Stream::Connect(server.port());
    if (i % 2 == 0) {
      ASSERT_TRUE(stream.Send(Pattern(0, 10000)));
    }
    stream.Reset();
  }
  Stream stream = Stream::Connect(server.port());
  EXPECT_TRUE(Echoes(&stream, "still here"));
}

#ifdef __linux__
// Elsewhere a process cannot limit another one.
TEST(EchoTest, OutlivesALackOfDescriptors) {
  samples::TcpServer server({Program()});
  const rlimit few = {20, 20};
  ASSERT_EQ(0, prlimit(server.pid(), RLIMIT_NOFILE, &few, nullptr));
  std::vector<Stream> streams;
  for (int i = 0; i < 40; i++) streams.push_back(Stream::Connect(server.port()));
  EXPECT_TRUE(Echoes(&streams[0], "one of the first"));
  EXPECT_EQ(std::string("echo: cannot accept: ") + strerror(EMFILE), server.ReadErrorLine());
  ASSERT_TRUE(streams[39].Send("one of the last"));
  for (int i = 0; i < 39; i++) streams[static_cast<size_t>(i)].Close();
  EXPECT_EQ("one of the last", streams[39].Receive(15));
}
#endif

TEST(EchoTest, HoldsThousandsOfIdleConnections) {
  const size_t num_streams = std::min<size_t>(9000, MaxDescriptors() - 100);
  samples::TcpServer server({Program()});
  std::vector<Stream> streams;
  for (size_t i = 0; i < num_streams; i++) {
    streams.push_back(Stream::Connect(server.port()));
    ASSERT_TRUE(streams.back().is_open()) << i;
  }
  for (Stream &stream : streams) ASSERT_TRUE(stream.Send("hello"));
  for (Stream &stream : streams) ASSERT_EQ("hello", stream.Receive(5));
}

TEST(EchoTest, TellsTheRateWhileItRuns) {
  samples::TcpServer server({Program()});
  Stream stream = Stream::Connect(server.port());
  ASSERT_TRUE(Echoes(&stream, "x"));
  std::string line;
  do {
    line = server.ReadErrorLine();
  } while (line.find("(0 B in all)") != std::string::npos);
  EXPECT_NE(std::string::npos, line.find("1 connections, echoed ")) << line;
  EXPECT_NE(std::string::npos, line.find("B/s (1 B in all)")) << line;
}

TEST(EchoTest, StopsWhenAskedTo) {
  for (int number : {SIGINT, SIGTERM}) {
    samples::TcpServer server({Program(), "--quiet"});
    Stream stream = Stream::Connect(server.port());
    ASSERT_TRUE(Echoes(&stream, "x"));
    server.Signal(number);
    EXPECT_EQ(0, server.Wait());
    EXPECT_EQ("", server.ReadErrors());
  }
}

TEST(EchoTest, RefusesWhatItDoesNotUnderstand) {
  samples::Process argument({Program(), "more"});
  EXPECT_EQ(2, argument.Wait());
  EXPECT_EQ("echo: unexpected argument: more\nTry 'echo --help'.\n", argument.ReadErrors());
  EXPECT_EQ(2, samples::Process({Program(), "--nonsense"}).Wait());
  EXPECT_EQ(1, samples::Process({Program(), "--port", "http?"}).Wait());
  samples::Process help({Program(), "--help"});
  EXPECT_EQ(0, help.Wait());
  EXPECT_EQ(0u, help.ReadOutput().find("usage: echo [options]\n"));
}

}  // namespace

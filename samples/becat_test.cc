#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "samples/stream.h"

namespace {

#ifdef _WIN32
const char kNothing[] = "NUL";
#else
const char kNothing[] = "/dev/null";
#endif

#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/becat_oracle";
#else
const char kProgram[] = "samples/becat";
#endif

using samples::Pattern;
using samples::Process;
using samples::Stream;

std::string Program() {
  return samples::ProgramPath("BECAT", kProgram);
}

// An open file, for Process::Settings.
class Input {
 public:
  explicit Input(const std::string &path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  explicit Input(int fd) : fd_(fd) {}
  ~Input() { Close(); }
  Process::Settings settings() const {
    Process::Settings settings;
    settings.input = fd_;
    return settings;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// becat as a listener that sends nothing, or the given file.
class Listener : public Process {
 public:
  explicit Listener(std::vector<std::string> options, const std::string &path = kNothing)
      : Process(Command(std::move(options)), Input(path).settings()),
        port_(samples::PortOf(ReadErrorLine())) {}
  int port() const { return port_; }

 private:
  static std::vector<std::string> Command(std::vector<std::string> options) {
    options.insert(options.begin(), Program());
    options.insert(options.end(), {"-l", "0"});
    return options;
  }
  int port_;
};

TEST(BecatTest, AFileGoesFromOneToTheOther) {
  samples::TemporaryDirectory directory;
  const std::string bytes = Pattern(0, 5000000);
  Input file(directory.Write("file", bytes));
  Listener listener({});
  Process sender({Program(), "127.0.0.1", std::to_string(listener.port())}, file.settings());
  EXPECT_EQ(bytes, listener.ReadBytes());
  EXPECT_EQ(0, listener.Wait());
  EXPECT_EQ(0, sender.Wait());
}

TEST(BecatTest, APipeGoesBothWaysAtOnce) {
  const std::string bytes = Pattern(0, 3000000);
  samples::TemporaryDirectory directory;
  Listener listener({}, directory.Write("file", bytes));
  int pipe_fds[2];
  samples::NewPipe(pipe_fds);
  Input input(pipe_fds[0]);
  Process sender({Program(), "127.0.0.1", std::to_string(listener.port())}, input.settings());
  input.Close();
  std::thread writer([&] {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t now = write(pipe_fds[1], &bytes[sent], bytes.size() - sent);
      if (now <= 0) break;
      sent += static_cast<size_t>(now);
    }
    close(pipe_fds[1]);
  });
  std::string received;
  std::thread reader([&] { received = sender.ReadBytes(); });
  EXPECT_EQ(bytes, listener.ReadBytes());
  writer.join();
  reader.join();
  EXPECT_EQ(bytes, received);
  EXPECT_EQ(0, listener.Wait());
  EXPECT_EQ(0, sender.Wait());
}

TEST(BecatTest, AnswersAfterTheOtherEndHasSentAll) {
  samples::TemporaryDirectory directory;
  Listener listener({"--quiet"}, directory.Write("file", "answer"));
  Stream stream = Stream::Connect(listener.port());
  ASSERT_TRUE(stream.Send("question"));
  stream.EndSending();
  EXPECT_EQ("answer", stream.ReceiveToEnd());
  EXPECT_EQ("question", listener.ReadOutput());
  EXPECT_EQ(0, listener.Wait());
  EXPECT_EQ("", listener.ReadErrors());
}

TEST(BecatTest, ASlowReaderOfItsOutputSlowsTheSenderDown) {
  constexpr size_t kMaxLen = 128 << 20;
  Listener listener({"--quiet"});
  Stream stream = Stream::Connect(listener.port());
  const size_t sent = stream.SendUntilFull(kMaxLen);
  EXPECT_LT(sent, kMaxLen);
  stream.EndSending();
  EXPECT_TRUE(listener.ReadBytes() == Pattern(0, sent));
  stream.Close();
  EXPECT_EQ(0, listener.Wait());
}

TEST(BecatTest, TellsHowMuchAndHowFast) {
  Listener listener({"--discard"});
  Process sender({Program(), "--send", "3000000", "127.0.0.1", std::to_string(listener.port())},
                 Input(kNothing).settings());
  EXPECT_EQ(0, sender.Wait());
  EXPECT_EQ(0, listener.Wait());
  const std::string received = listener.ReadErrors(), sent = sender.ReadErrors();
  EXPECT_NE(std::string::npos, received.find("B/s (3.00 MB in all)")) << received;
  EXPECT_NE(std::string::npos, sent.find("B/s (3.00 MB in all), received 0 B/s")) << sent;
  EXPECT_NE(std::string::npos, sent.find("ns/B")) << sent;
  EXPECT_EQ("", listener.ReadOutput());
}

TEST(BecatTest, TellsTheRateWhileItRuns) {
  Listener listener({});
  Stream stream = Stream::Connect(listener.port());
  ASSERT_TRUE(stream.Send("hello"));
  const std::string line = listener.ReadErrorLine();
  EXPECT_NE(std::string::npos, line.find("B/s (5 B in all)")) << line;
}

TEST(BecatTest, FailsWhenRefused) {
  samples::Acceptor acceptor;
  const std::string port = std::to_string(acceptor.port());
  acceptor.Close();
  Process becat({Program(), "-q", "127.0.0.1", port}, Input(kNothing).settings());
  EXPECT_EQ(1, becat.Wait());
  EXPECT_EQ("becat: cannot connect: Connection refused\n", becat.ReadErrors());
}

#ifndef _WIN32  // Wine resets no connection.
TEST(BecatTest, FailsWhenTheConnectionBreaks) {
  Listener listener({"-q"});
  Stream stream = Stream::Connect(listener.port());
  ASSERT_TRUE(stream.Send("x"));
  stream.WaitUntilAcknowledged();
  stream.Reset();
  EXPECT_EQ(1, listener.Wait());
  EXPECT_EQ("becat: the connection broke: Connection reset by peer\n", listener.ReadErrors());
}
#endif

TEST(BecatTest, StopsWhenAskedTo) {
  for (int number : {SIGINT, SIGTERM}) {
    Listener listener({});
    Stream stream = Stream::Connect(listener.port());
    ASSERT_TRUE(stream.Send("x"));
    ASSERT_NE("", listener.ReadErrorLine());
    listener.Signal(number);
    EXPECT_EQ(0, listener.Wait());
    EXPECT_EQ("x", listener.ReadOutput());
  }
}

TEST(BecatTest, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(2, Process({Program()}).Wait());
  EXPECT_EQ(2, Process({Program(), "-l"}).Wait());
  EXPECT_EQ(2, Process({Program(), "localhost"}).Wait());
  EXPECT_EQ(2, Process({Program(), "--send", "much", "localhost", "9"}).Wait());
  EXPECT_EQ(2, Process({Program(), "--nonsense"}).Wait());
  Process help({Program(), "--help"});
  EXPECT_EQ(0, help.Wait());
  EXPECT_EQ(0u, help.ReadOutput().find("usage: becat [options] HOST PORT\n"));
}

}  // namespace

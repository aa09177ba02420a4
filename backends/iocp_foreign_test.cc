// Sockets whose packets go to a port of the program's, and datagrams: what an event tells of.
#include <event2/event.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/testing/completion_fixture.h"

extern "C" {
#include "backends/afd.h"
}

namespace completion_testing {

class IocpForeign : public CompletionConformance {};

constexpr UCHAR kSkips = FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE;

// A port of the program's, and how the program uses it.
class OwnPort {
 public:
  explicit OwnPort(evutil_socket_t fd) : fd_(fd), port_(CreateIoCompletionPort(File(), 0, 7, 1)) {
    EXPECT_NE(nullptr, port_);
  }
  ~OwnPort() { CloseHandle(port_); }

  HANDLE File() const { return reinterpret_cast<HANDLE>(fd_); }
  bool IsEmpty() const {
    DWORD len;
    ULONG_PTR key;
    LPOVERLAPPED overlapped = nullptr;
    return !GetQueuedCompletionStatus(port_, &len, &key, &overlapped, 0) && overlapped == nullptr;
  }
  // A receive of the program's own brings its packet here.
  void ExpectReceives(Pair *pair) {
    char byte = 0;
    WSABUF buffer = {1, &byte};
    DWORD len = 0, flags = 0;
    ULONG_PTR key = 0;
    OVERLAPPED own = {}, *got = nullptr;
    ASSERT_EQ(SOCKET_ERROR,
              WSARecv(static_cast<SOCKET>(fd_), &buffer, 1, nullptr, &flags, &own, nullptr));
    ASSERT_EQ(WSA_IO_PENDING, WSAGetLastError());
    pair->Send(1, "p");
    ASSERT_TRUE(GetQueuedCompletionStatus(port_, &len, &key, &got, 30000));
    EXPECT_EQ(&own, got);
    EXPECT_EQ(7u, key);
    EXPECT_EQ('p', byte);
  }

 private:
  evutil_socket_t fd_;
  HANDLE port_;
};

// A pair whose first socket has the number.
std::unique_ptr<Pair> PairWith(evutil_socket_t number) {
  std::vector<std::unique_ptr<Pair>> others;
  while (others.size() < 50) {
    others.emplace_back(new Pair);
    if ((*others.back())[0] == number) return std::move(others.back());
  }
  return nullptr;
}

// The number was that of a socket which the base's port had.
class IocpReusedNumber : public IocpForeign {
 protected:
  void UseOnce(Pair *pair) {
    Op recv;
    ASSERT_EQ(0, recv.RecvInto((*pair)[0], {1}).Launch(base_));
    Turn();
    pair->Send(1, "x");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_EQ("x", recv.bytes);
  }
  void BeProgramsOwn(evutil_socket_t number, UCHAR modes) {
    std::unique_ptr<Pair> pair = PairWith(number);
    if (pair == nullptr) GTEST_SKIP() << "the number was not given out again";
    OwnPort own((*pair)[0]);
    ASSERT_TRUE(!modes || SetFileCompletionNotificationModes(own.File(), modes));
    UseOnce(pair.get());
    EXPECT_TRUE(own.IsEmpty());
    own.ExpectReceives(pair.get());
    UseOnce(pair.get());
  }
};

TEST_P(IocpReusedNumber, AfterTheLibraryClosedIt) {
  evutil_socket_t number;
  {
    Pair pair;
    UseOnce(&pair);
    number = pair[0];
  }
  BeProgramsOwn(number, kSkips);
}

TEST_P(IocpReusedNumber, AfterTheProgramClosedIt) {
  Pair pair;
  UseOnce(&pair);
  const evutil_socket_t number = pair.Release(0);
  closesocket(static_cast<SOCKET>(number));
  BeProgramsOwn(number, 0);
}

TEST_P(IocpReusedNumber, AfterItsBaseHasEnded) {
  struct event_base *const other = NewBase();  // What was noted is kept.
  Pair pair;
  UseOnce(&pair);
  const evutil_socket_t number = pair.Release(0);
  FreeBase();
  base_ = NewBase();
  closesocket(static_cast<SOCKET>(number));
  BeProgramsOwn(number, 0);
  event_base_free(other);
}

// --- Threads that end ---

// Two that send datagrams to each other.
class DatagramPair : public Pair {
 public:
  DatagramPair() {
    for (size_t i = 0; i < 2; i++) {
      Close(i);
      fds_[i] = Socket(socket(AF_INET, SOCK_DGRAM, 0));
      addresses_[i].sin_family = AF_INET;
      addresses_[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      ev_socklen_t len = sizeof(addresses_[i]);
      EXPECT_EQ(0, bind(fds_[i], Any(&addresses_[i]), len));
      EXPECT_EQ(0, getsockname(fds_[i], Any(&addresses_[i]), &len));
    }
    for (size_t i = 0; i < 2; i++)
      EXPECT_EQ(0, connect(fds_[i], Any(&addresses_[1 - i]), sizeof(addresses_[i])));
  }
  evutil_socket_t operator[](size_t i) const { return fds_[i]; }
  void Send(const std::string &bytes) {
    EXPECT_EQ(static_cast<int>(bytes.size()),
              send(fds_[1], bytes.data(), static_cast<int>(bytes.size()), 0));
  }

 private:
  Socket fds_[2];
  struct sockaddr_in addresses_[2] = {};
};

class IocpThreadEnds : public IocpForeign {
 protected:
  void LaunchElsewhere(Op *op) {
    std::thread([&] { EXPECT_EQ(0, op->Launch(base_)); }).join();
    for (int i = 0; i < 20; i++) Turn();
    EXPECT_FALSE(op->IsDone());
  }
};

TEST_P(IocpThreadEnds, DatagramsAreReceived) {
  DatagramPair pair;
  Op recv;
  for (int i = 0; i < 3; i++) {
    LaunchElsewhere(&recv.RecvInto(pair[0], {10}));
    pair.Send("abc");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_EQ("abc", recv.bytes);
  }
}

TEST_P(IocpThreadEnds, DatagramsAreReceivedIntoThePortsMemory) {
  DatagramPair pair;
  Op recv;
  LaunchElsewhere(&recv.Recv(pair[0]));
  pair.Send("abc");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("abc", recv.bytes);
}

TEST_P(IocpThreadEnds, CancellingIsNotUndone) {
  DatagramPair pair;
  Op recv;
  LaunchElsewhere(&recv.RecvInto(pair[0], {10}));
  recv.Cancel();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_TRUE(recv.IsCancelled());
}

TEST_P(IocpThreadEnds, BaseEndsAtOnce) {
  DatagramPair pair;
  Op recv;
  std::thread([&] { EXPECT_EQ(0, recv.RecvInto(pair[0], {10}).Launch(base_)); }).join();
  FreeBase();
  EXPECT_TRUE(recv.IsCancelled());
}

TEST_P(IocpThreadEnds, SocketHasAPortOfTheProgram) {
  Pair pair;
  OwnPort own(pair[0]);
  Op recv;
  LaunchElsewhere(&recv.RecvInto(pair[0], {10}));
  pair.Send(1, "abc");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("abc", recv.bytes);
  EXPECT_TRUE(own.IsEmpty());
}

TEST_P(IocpThreadEnds, RepeatedReceiveGoesOn) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  OwnPort own(pair[0]);
  Op recv;
  LaunchElsewhere(&recv.RecvRepeatedly(pair[0]));
  for (int i = 1; i <= 3; i++) {
    pair.Send(1, "abc");
    ASSERT_TRUE(RunUntil([&] { return recv.num_results >= i; }));
  }
  recv.Cancel();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("abcabcabc", recv.stream);
}

TEST_P(IocpThreadEnds, ConnectionsAreAccepted) {
  Listener listener;
  OwnPort own(listener.fd);
  Op accept;
  LaunchElsewhere(&accept.Accept(listener.fd));
  Socket client = listener.Connect();
  ASSERT_TRUE(Finish(&accept));
  Socket server(static_cast<evutil_socket_t>(accept.result));
  EXPECT_GE(server, 0);
}

// The bytes that went are not known.
TEST_P(IocpThreadEnds, StreamThatWasSendingIsOfNoUse) {
  Pair pair;
  OwnPort own(pair[0]);
  Op send;
  const size_t len = pair.Fill(0) + (1 << 20);
  send.Send(pair[0], {std::string(len, 'x')});
  std::thread([&] { EXPECT_EQ(0, send.Launch(base_)); }).join();
  ASSERT_TRUE(Finish(&send));
  EXPECT_FALSE(send.IsCancelled());
  EXPECT_LT(send.result, static_cast<ev_ssize_t>(len));
  if (send.result < 0) {
    EXPECT_EQ(WSAECONNABORTED, send.error);
  }
}

INSTANTIATE_TEST_SUITE_P(Ports, IocpReusedNumber, testing::Values(Port{&event_afd_ops, 0}),
                         CompletionName());
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, IocpReusedNumber,
                         testing::Values(Port{&event_afd_ops, 4}), CompletionName());
INSTANTIATE_TEST_SUITE_P(Ports, IocpThreadEnds, testing::Values(Port{&event_afd_ops, 0}),
                         CompletionName());
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, IocpThreadEnds, testing::Values(Port{&event_afd_ops, 4}),
                         CompletionName());

}  // namespace completion_testing

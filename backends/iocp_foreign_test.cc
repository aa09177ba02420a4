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
template <typename AnyPair = Pair>
std::unique_ptr<AnyPair> PairWith(evutil_socket_t number) {
  std::vector<std::unique_ptr<AnyPair>> others;
  while (others.size() < 50) {
    others.emplace_back(new AnyPair);
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
      EXPECT_EQ(0, evutil_make_socket_nonblocking(fds_[i]));
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

// --- Sockets that are closed in flight, against the rules, and whose numbers others get ---

bool IsWine() {
  return GetProcAddress(GetModuleHandleA("ntdll"), "wine_get_version") != nullptr;
}

class IocpClosedInFlight : public IocpForeign {
 protected:
  void SetUp() override {
    IocpForeign::SetUp();
    listener_.reset(new Listener);
  }
  void LaunchAndTurn(Op *op) {
    ASSERT_EQ(0, op->Launch(base_));
    for (int i = 0; i < 3; i++) Turn();
  }
  // `to` has the number now, and gets its own bytes.
  void ExpectEnds(Op *op, evutil_socket_t to, evutil_socket_t from) {
    for (int i = 0; i < 20; i++) Turn();
    if (to >= 0) {
      EXPECT_EQ(9, send(from, "not yours", 9, 0));
    }
    for (int i = 0; i < 20; i++) Turn();
    op->Cancel();
    ASSERT_TRUE(Finish(op));
    EXPECT_TRUE(op->IsCancelled()) << op->bytes;
    if (to < 0) GTEST_SKIP() << "the number was not given out again";
    char bytes[10] = "";
    EXPECT_EQ(9, recv(to, bytes, 9, 0));
    EXPECT_STREQ("not yours", bytes);
  }
  void ExpectDatagramsEnd(Op *op, evutil_socket_t number) {
    std::unique_ptr<DatagramPair> reused = PairWith<DatagramPair>(number);
    ExpectEnds(op, reused ? (*reused)[0] : -1, reused ? (*reused)[1] : -1);
  }
  void ExpectStreamEnds(Op *op, evutil_socket_t number) {
    std::vector<Socket> others;
    Socket to, from;
    while (to < 0 && others.size() < 50) {
      others.emplace_back(socket(AF_INET, SOCK_STREAM, 0));
      if (others.back() == number) to = std::move(others.back());
    }
    if (to >= 0) {
      ASSERT_EQ(0, connect(to, Any(&listener_->address), sizeof(listener_->address)));
      ASSERT_EQ(0, evutil_make_socket_nonblocking(to));
      from = listener_->Accept();
    }
    ExpectEnds(op, to, from);
  }

  std::unique_ptr<Listener> listener_;
};

TEST_P(IocpClosedInFlight, Datagrams) {
  Op recv;
  auto pair = std::make_unique<DatagramPair>();
  const evutil_socket_t number = (*pair)[0];
  LaunchAndTurn(&recv.RecvInto(number, {10}));
  pair.reset();
  ExpectDatagramsEnd(&recv, number);
}

TEST_P(IocpClosedInFlight, StreamWithAPortOfTheProgram) {
  Op recv;
  auto pair = std::make_unique<Pair>();
  const evutil_socket_t number = (*pair)[0];
  OwnPort own(number);
  LaunchAndTurn(&recv.RecvInto(number, {10}));
  pair.reset();
  ExpectStreamEnds(&recv, number);
}

TEST_P(IocpClosedInFlight, StreamWithThePortOfAnotherBase) {
  struct event_base *const other = NewBase();
  Op first, recv;
  auto pair = std::make_unique<Pair>();
  const evutil_socket_t number = (*pair)[0];
  ASSERT_EQ(0, first.RecvInto(number, {1}).Launch(other));
  pair->Send(1, "x");
  while (!first.IsDone()) event_base_loop(other, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
  LaunchAndTurn(&recv.RecvInto(number, {10}));
  pair.reset();
  ExpectStreamEnds(&recv, number);
  event_base_free(other);
}

// What the kernel tells is that the thread ended.
TEST_P(IocpClosedInFlight, AfterItsThreadHasEnded) {
  Op recv;
  auto pair = std::make_unique<DatagramPair>();
  const evutil_socket_t number = (*pair)[0];
  std::thread([&] { EXPECT_EQ(0, recv.RecvInto(number, {10}).Launch(base_)); }).join();
  pair.reset();
  ExpectDatagramsEnd(&recv, number);
}

TEST_P(IocpClosedInFlight, ByTheProgram) {
  if (!IsWine()) GTEST_SKIP() << "Windows does not tell that from the end of a thread";
  Op recv;
  const evutil_socket_t number = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in any = {};
  any.sin_family = AF_INET;
  ASSERT_EQ(0, bind(number, Any(&any), sizeof(any)));
  LaunchAndTurn(&recv.RecvInto(number, {10}));
  closesocket(static_cast<SOCKET>(number));
  ExpectDatagramsEnd(&recv, number);
}

bool HasBytes(evutil_socket_t fd) {
  u_long num = 0;
  EXPECT_EQ(0, ioctlsocket(static_cast<SOCKET>(fd), FIONREAD, &num));
  return num > 0;
}

// It has as many results as may wait for the loop, which does not turn.
TEST_P(IocpClosedInFlight, WhilePaused) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Op recv;
  auto pair = std::make_unique<Pair>();
  const evutil_socket_t number = (*pair)[0];
  ASSERT_EQ(0, recv.RecvRepeatedly(number).Launch(base_));
  for (int i = 0; i < 4; i++) {
    pair->Send(1, "x");
    while (HasBytes(number)) std::this_thread::yield();
  }
  pair.reset();
  ExpectStreamEnds(&recv, number);
  EXPECT_EQ("xxxx", recv.stream);
}

INSTANTIATE_TEST_SUITE_P(Ports, IocpClosedInFlight, testing::Values(Port{&event_afd_ops, 0}),
                         CompletionName());
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, IocpClosedInFlight,
                         testing::Values(Port{&event_afd_ops, 4}), CompletionName());
INSTANTIATE_TEST_SUITE_P(Ports, IocpReusedNumber, testing::Values(Port{&event_afd_ops, 0}),
                         CompletionName());
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, IocpReusedNumber,
                         testing::Values(Port{&event_afd_ops, 4}), CompletionName());
INSTANTIATE_TEST_SUITE_P(Ports, IocpThreadEnds, testing::Values(Port{&event_afd_ops, 0}),
                         CompletionName());
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, IocpThreadEnds, testing::Values(Port{&event_afd_ops, 4}),
                         CompletionName());

}  // namespace completion_testing

// The fault shim: each fault happens, leaves the kernel's state as it says, and reaches no call of
// the test's own. The calls here are made as strata makes them: this file is compiled without
// unfaulted.h.
#include "util/testing/faults.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

extern "C" ssize_t __real_write(int fd, const void *data, size_t len);
extern "C" ssize_t __real_read(int fd, void *data, size_t len);

namespace {

// A stream pair; the first end is in an epoll set, edge-triggered.
class Faults : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(strata_faults_set(nullptr), 0);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd_), 0);
    epoll_fd_ = epoll_create1(0);
    Watch(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }
  void TearDown() override {
    strata_faults_set(nullptr);
    close(fd_[0]);
    close(fd_[1]);
    close(epoll_fd_);
  }

  void Watch(uint32_t events) {
    struct epoll_event event = {};
    event.events = events;
    event.data.u64 = 42;
    ASSERT_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd_[0], &event), 0);
  }
  // What epoll reports of the first end without waiting.
  uint32_t Report() {
    struct epoll_event event = {};
    const int num = epoll_wait(epoll_fd_, &event, 1, 0);
    EXPECT_TRUE(num == 0 || event.data.u64 == 42);
    return num == 1 ? event.events : 0;
  }
  void PeerWrites(const std::string &bytes) {
    ASSERT_EQ(__real_write(fd_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  std::string PeerReads() {
    char bytes[64];
    const ssize_t len = __real_read(fd_[1], bytes, sizeof(bytes));
    return len > 0 ? std::string(bytes, static_cast<size_t>(len)) : "";
  }

  int fd_[2];
  int epoll_fd_;
};

// Every way of reading and of writing, by the same name for all.
struct Transfer {
  const char *name;
  bool reads;
  ssize_t (*call)(int fd, char *bytes, size_t len);
};

ssize_t CallReadv(int fd, char *bytes, size_t len) {
  struct iovec vecs[3] = {{bytes, 0}, {bytes, len / 2}, {bytes + len / 2, len - len / 2}};
  return readv(fd, vecs, 3);
}
ssize_t CallWritev(int fd, char *bytes, size_t len) {
  struct iovec vecs[2] = {{bytes, len / 2}, {bytes + len / 2, len - len / 2}};
  return writev(fd, vecs, 2);
}
ssize_t CallSendmsg(int fd, char *bytes, size_t len) {
  struct iovec vecs[2] = {{bytes, len / 2}, {bytes + len / 2, len - len / 2}};
  struct msghdr message = {};
  message.msg_iov = vecs;
  message.msg_iovlen = 2;
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}
ssize_t CallSendfile(int fd, char *bytes, size_t len) {
  FILE *file = tmpfile();
  EXPECT_EQ(fwrite(bytes, 1, len, file), len);
  fflush(file);
  off_t position = 0;
  const ssize_t result = sendfile(fd, fileno(file), &position, len);
  const int error = errno;
  fclose(file);
  errno = error;
  return result;
}

const Transfer kTransfers[] = {
    {"read", true, [](int fd, char *bytes, size_t len) { return read(fd, bytes, len); }},
    {"readv", true, CallReadv},
    {"recv", true, [](int fd, char *bytes, size_t len) { return recv(fd, bytes, len, 0); }},
    {"write", false,
     [](int fd, char *bytes, size_t len) -> ssize_t { return write(fd, bytes, len); }},
    {"writev", false, CallWritev},
    {"send", false,
     [](int fd, char *bytes, size_t len) { return send(fd, bytes, len, MSG_NOSIGNAL); }},
    {"sendto", false,
     [](int fd, char *bytes, size_t len) {
       return sendto(fd, bytes, len, MSG_NOSIGNAL, nullptr, 0);
     }},
    {"sendmsg", false, CallSendmsg},
    {"sendfile", false, CallSendfile},
};

class Transfers : public Faults, public ::testing::WithParamInterface<Transfer> {
 protected:
  // The call, with six bytes for it to move.
  ssize_t Call() {
    memcpy(bytes_, "secret", 6);
    errno = 0;
    return GetParam().call(fd_[0], bytes_, 6);
  }
  void SetUp() override {
    Faults::SetUp();
    if (GetParam().reads) PeerWrites("secret");
    Report();  // The edges that there are.
    ASSERT_EQ(Report(), 0u);
  }
  void Set(const std::string &plan) {
    ASSERT_EQ(strata_faults_set((plan + ":rate=100:count=1").c_str()), 0);
  }
  char bytes_[6];
};

TEST_P(Transfers, InterruptedWithNothingMovedAndNoEdge) {
  Set("eintr");
  EXPECT_EQ(Call(), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(Report(), 0u);
  EXPECT_EQ(strata_faults_num(STRATA_FAULT_EINTR), 1u);
  EXPECT_EQ(Call(), 6);
}

TEST_P(Transfers, WouldBlockWithAnEdgeAfterIt) {
  Set("eagain");
  EXPECT_EQ(Call(), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_TRUE(Report() & (GetParam().reads ? EPOLLIN : EPOLLOUT));
  EXPECT_EQ(Report(), 0u);
  EXPECT_EQ(Call(), 6);
}

TEST_P(Transfers, MovesOneByteWithAnEdgeAfterIt) {
  Set("short");
  EXPECT_EQ(Call(), 1);
  EXPECT_TRUE(Report() & (GetParam().reads ? EPOLLIN : EPOLLOUT));
  if (GetParam().reads) {
    EXPECT_EQ(bytes_[0], 's');
    EXPECT_EQ(Call(), 5);
    EXPECT_EQ(std::string(bytes_, 5), "ecret");
  } else {
    EXPECT_EQ(PeerReads(), "s");
  }
  EXPECT_EQ(strata_faults_num(STRATA_FAULT_SHORT), 1u);
}

TEST_P(Transfers, ResetEndsTheConnection) {
  Set("reset");
  EXPECT_EQ(Call(), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_TRUE(Report() & EPOLLHUP);
  char byte;
  EXPECT_EQ(send(fd_[0], "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(read(fd_[0], &byte, 1), 0);
  EXPECT_EQ(__real_read(fd_[1], &byte, 1), 0);
}

TEST_P(Transfers, NoBufferSpaceIsForWritesAndMovesNothing) {
  Set("enobufs");
  if (GetParam().reads) {
    EXPECT_EQ(Call(), 6);
    EXPECT_EQ(strata_faults_total(), 0u);
    return;
  }
  EXPECT_EQ(Call(), -1);
  EXPECT_EQ(errno, ENOBUFS);
  EXPECT_EQ(PeerReads(), "");
  EXPECT_EQ(Call(), 6);
  EXPECT_EQ(PeerReads(), "secret");
}

TEST_P(Transfers, UnwatchedDescriptorsAreLeftAlone) {
  ASSERT_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd_[0], nullptr), 0);
  Set("eintr,eagain,short,reset,enobufs");
  EXPECT_EQ(Call(), 6);
  EXPECT_EQ(strata_faults_total(), 0u);
}

TEST_P(Transfers, ThePlanMayNameOtherCalls) {
  Set(GetParam().reads ? "eintr:on=write,wait" : "eintr:on=read,accept");
  EXPECT_EQ(Call(), 6);
  EXPECT_EQ(strata_faults_total(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Calls, Transfers, ::testing::ValuesIn(kTransfers),
                         [](const ::testing::TestParamInfo<Transfer> &info) {
                           return std::string(info.param.name);
                         });

TEST_F(Faults, LevelTriggeredWatchingCounts) {
  char byte;
  struct pollfd polled = {fd_[1], POLLIN, 0};
  poll(&polled, 1, 0);
  ASSERT_EQ(strata_faults_set("eagain:rate=100:count=2"), 0);
  ASSERT_EQ(__real_write(fd_[0], "x", 1), 1);
  EXPECT_EQ(read(fd_[1], &byte, 1), -1);
  EXPECT_EQ(poll(&polled, 1, 0), 1);
  fd_set set;
  FD_ZERO(&set);
  int pair[2];
  ASSERT_EQ(pipe(pair), 0);
  FD_SET(pair[0], &set);
  struct timeval now = {0, 0};
  select(pair[0] + 1, &set, nullptr, nullptr, &now);
  ASSERT_EQ(__real_write(pair[1], "x", 1), 1);
  EXPECT_EQ(read(pair[0], &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(read(pair[0], &byte, 1), 1);
  close(pair[0]);
  close(pair[1]);
}

TEST_F(Faults, AClosedDescriptorIsForgotten) {
  const int old_fd = fd_[0];
  close(fd_[0]);
  fd_[0] = open("/dev/null", O_RDONLY);  // Takes the number.
  int pair[2];
  if (fd_[0] == old_fd) {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ASSERT_EQ(dup2(pair[0], old_fd), old_fd);
    ASSERT_EQ(strata_faults_set("eintr:rate=100:count=1"), 0);
    EXPECT_EQ(write(old_fd, "x", 1), 1);
    close(pair[0]);
    close(pair[1]);
  }
}

TEST_F(Faults, WritesToAnEventfdAreOnlyInterrupted) {
  const int fd = eventfd(0, EFD_NONBLOCK);
  struct epoll_event event = {};
  event.events = EPOLLIN;
  ASSERT_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event), 0);
  ASSERT_EQ(strata_faults_set("eagain,short,reset,enobufs:rate=100:count=1"), 0);
  const uint64_t one = 1;
  EXPECT_EQ(write(fd, &one, sizeof(one)), 8);
  ASSERT_EQ(strata_faults_set("eintr:rate=100:count=1"), 0);
  EXPECT_EQ(write(fd, &one, sizeof(one)), -1);
  EXPECT_EQ(errno, EINTR);
  close(fd);
}

TEST_F(Faults, DatagramsAreNotCut) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
  struct pollfd polled = {pair[0], POLLIN, 0};
  poll(&polled, 1, 0);
  ASSERT_EQ(strata_faults_set("short,reset:rate=100:count=1"), 0);
  EXPECT_EQ(write(pair[0], "four", 4), 4);
  EXPECT_EQ(strata_faults_total(), 0u);
  close(pair[0]);
  close(pair[1]);
}

TEST_F(Faults, WaitsAreInterruptedWhereTheyMaySleep) {
  struct epoll_event event;
  struct pollfd polled = {fd_[0], POLLIN, 0};
  fd_set set;
  FD_ZERO(&set);
  ASSERT_EQ(strata_faults_set("eintr:rate=100:count=4"), 0);
  EXPECT_EQ(epoll_wait(epoll_fd_, &event, 1, 0), 1);
  EXPECT_EQ(poll(&polled, 1, 0), 0);
  EXPECT_EQ(strata_faults_total(), 0u);
  EXPECT_EQ(epoll_wait(epoll_fd_, &event, 1, -1), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(poll(&polled, 1, 1000), -1);
  EXPECT_EQ(ppoll(&polled, 1, nullptr, nullptr), -1);
  EXPECT_EQ(select(0, &set, nullptr, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(strata_faults_total(), 4u);
}

// The calls that the C library has no functions for.
TEST_F(Faults, SystemCallsByNumber) {
  struct epoll_event event;
  const long long none[] = {0, 0}, second[] = {1, 0};
  const auto wait = [&](const long long *timeout) {
    return syscall(SYS_epoll_pwait2, epoll_fd_, &event, 1, timeout, nullptr, 0);
  };
  ASSERT_EQ(strata_faults_set("eintr,enosys,eperm,emfile,enomem:rate=100:count=2"), 0);
  EXPECT_EQ(wait(second), -1);
  EXPECT_EQ(syscall(SYS_io_uring_setup, 1, nullptr), -1);
  EXPECT_NE(errno, EFAULT);
  EXPECT_EQ(syscall(SYS_getpid), getpid());
  ASSERT_EQ(strata_faults_set("eintr:rate=100:count=1"), 0);
  EXPECT_EQ(wait(none), 1);
  EXPECT_EQ(strata_faults_total(), 0u);
  EXPECT_EQ(wait(second), -1);
  EXPECT_EQ(errno, EINTR);
}

// A listening TCP socket, and an address for it.
class Listening : public Faults {
 protected:
  void SetUp() override {
    Faults::SetUp();
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(address_);
    ASSERT_EQ(bind(listener_, address(), len), 0);
    ASSERT_EQ(listen(listener_, 5), 0);
    ASSERT_EQ(getsockname(listener_, address(), &len), 0);
    client_ = socket(AF_INET, SOCK_STREAM, 0);
  }
  void TearDown() override {
    close(client_);
    close(listener_);
    Faults::TearDown();
  }
  struct sockaddr *address() {
    return reinterpret_cast<struct sockaddr *>(&address_);
  }
  int Connect() { return connect(client_, address(), sizeof(address_)); }

  struct sockaddr_in address_ = {};
  int listener_, client_;
};

TEST_F(Listening, AcceptFailsAndLeavesTheConnection) {
  ASSERT_EQ(Connect(), 0);
  for (const auto &[plan, error] : std::vector<std::pair<std::string, int>>{
           {"eintr", EINTR}, {"emfile", EMFILE}, {"enobufs", ENOBUFS}}) {
    ASSERT_EQ(strata_faults_set((plan + ":rate=100:count=2").c_str()), 0);
    EXPECT_EQ(accept(listener_, nullptr, nullptr), -1);
    EXPECT_EQ(errno, error);
    EXPECT_EQ(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), -1);
    EXPECT_EQ(errno, error);
  }
  const int accepted = accept4(listener_, nullptr, nullptr, 0);
  EXPECT_GE(accepted, 0);
  close(accepted);
}

TEST_F(Listening, AcceptWouldBlockOnlyIfWatched) {
  ASSERT_EQ(Connect(), 0);
  ASSERT_EQ(strata_faults_set("eagain:rate=100:count=1"), 0);
  int accepted = accept4(listener_, nullptr, nullptr, 0);
  EXPECT_GE(accepted, 0);
  close(accepted);
  struct epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  ASSERT_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listener_, &event), 0);
  close(client_);
  client_ = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(Connect(), 0);
  EXPECT_EQ(accept4(listener_, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  accepted = accept4(listener_, nullptr, nullptr, 0);
  EXPECT_GE(accepted, 0);
  close(accepted);
}

TEST_F(Listening, AnAbortedConnectionIsGone) {
  ASSERT_EQ(Connect(), 0);
  ASSERT_EQ(strata_faults_set("aborted:rate=100:count=1"), 0);
  EXPECT_EQ(accept4(listener_, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, ECONNABORTED);
  EXPECT_EQ(accept4(listener_, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  char byte;
  EXPECT_EQ(__real_read(client_, &byte, 1), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(Listening, AnInterruptedConnectGoesOn) {
  ASSERT_EQ(strata_faults_set("eintr:on=connect:rate=100:count=1"), 0);
  EXPECT_EQ(Connect(), -1);
  EXPECT_EQ(errno, EINTR);
  int error = -1;
  socklen_t len = sizeof(error);
  struct pollfd polled = {client_, POLLOUT, 0};
  EXPECT_EQ(poll(&polled, 1, 10000), 1);
  EXPECT_EQ(getsockopt(client_, SOL_SOCKET, SO_ERROR, &error, &len), 0);
  EXPECT_EQ(error, 0);
  const int accepted = accept(listener_, nullptr, nullptr);
  EXPECT_GE(accepted, 0);
  close(accepted);
}

TEST_F(Faults, NoDescriptorIsMade) {
  int fds[2];
  ASSERT_EQ(strata_faults_set("emfile:rate=100:count=5"), 0);
  EXPECT_EQ(socket(AF_INET, SOCK_STREAM, 0), -1);
  EXPECT_EQ(errno, EMFILE);
  EXPECT_EQ(eventfd(0, 0), -1);
  EXPECT_EQ(epoll_create1(0), -1);
  EXPECT_EQ(pipe(fds), -1);
  EXPECT_EQ(pipe2(fds, 0), -1);
  EXPECT_EQ(strata_faults_num(STRATA_FAULT_EMFILE), 5u);
}

TEST_F(Faults, APlanIsRepeatable) {
  const auto run = [&](const char *plan) {
    EXPECT_EQ(strata_faults_set(plan), 0);
    std::string outcome;
    for (int i = 0; i < 200; i++) {
      char byte;
      outcome += read(fd_[0], &byte, 1) < 0 && errno == EINTR ? 'x' : '.';
    }
    return outcome;
  };
  const std::string first = run("eintr:seed=7:rate=30");
  EXPECT_EQ(run("eintr:seed=7:rate=30"), first);
  EXPECT_NE(run("eintr:seed=8:rate=30"), first);
  const auto num = std::count(first.begin(), first.end(), 'x');
  EXPECT_GT(num, 30);
  EXPECT_LT(num, 90);
  const std::string skipped = run("eintr:seed=7:rate=100:skip=5:count=3");
  EXPECT_EQ(skipped.substr(0, 10), ".....xxx..");
}

TEST_F(Faults, APlanThatCannotBeReadIsRefused) {
  for (const char *plan :
       {"", "eintr,what", "eintr:rate", "eintr:rate=", "eintr:rate=1x", "eintr:rate=101",
        "eintr:rate=100", "eintr:on=", "eintr:on=reading", "eintr:speed=3", "eintr:"}) {
    EXPECT_EQ(strata_faults_set(plan), -1) << plan;
  }
}

}  // namespace

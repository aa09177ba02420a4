// What testing/older_io_uring.c lets a kernel of an age do and not do: else the suites that are
// named after one ("linux_5_13" of strata_backend_tests) would test another. Linux 6.0 is what has
// it all.
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>

#include "gtest/gtest.h"

extern "C" {
#include "backends/uring.h"
}

namespace {

constexpr unsigned kAcceptDontWait = 1U << 1;  // IORING_ACCEPT_DONTWAIT, of Linux 6.10

class Ring {
 public:
  Ring() { EXPECT_EQ(0, strata_uring_open(&ring_, 4)); }
  ~Ring() { strata_uring_close(&ring_); }
  int fd() const { return ring_.fd; }

  // The first result of an operation on the descriptor; kNone if it goes on.
  int ResultOf(int opcode, int of_fd, unsigned ioprio) {
    struct io_uring_sqe *sqe = strata_uring_get_sqe(&ring_);
    sqe->opcode = static_cast<uint8_t>(opcode);
    sqe->fd = of_fd;
    sqe->ioprio = static_cast<uint16_t>(ioprio);
    if (opcode == IORING_OP_RECV) sqe->flags = IOSQE_BUFFER_SELECT;
    strata_uring_publish(&ring_);
    EXPECT_EQ(0, strata_uring_enter(&ring_, false, 0));
    struct io_uring_cqe *cqe = strata_uring_peek(&ring_);
    if (!cqe) return kNone;
    const int result = cqe->res;
    strata_uring_pop(&ring_);
    return result;
  }

  static constexpr int kNone = 1;

 private:
  struct uring ring_;
};

// 0, or errno; what the kernel says of itself besides.
int SetUpRing(unsigned flags, unsigned *out_features = nullptr) {
  struct io_uring_params params = {};
  params.flags = flags;
  const long fd = syscall(SYS_io_uring_setup, 1, &params);
  if (fd < 0) return errno;
  if (out_features) *out_features = params.features;
  close(static_cast<int>(fd));
  return 0;
}

int RegisterBlocks() {
  Ring ring;
  constexpr unsigned kNumBlocks = 8;
  const size_t len = kNumBlocks * sizeof(struct io_uring_buf);
  void *const blocks =
      mmap(nullptr, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  EXPECT_NE(MAP_FAILED, blocks);
  struct io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uintptr_t>(blocks);
  registration.ring_entries = kNumBlocks;
  const long result =
      syscall(SYS_io_uring_register, ring.fd(), IORING_REGISTER_PBUF_RING, &registration, 1);
  const int error = result < 0 ? errno : 0;
  munmap(blocks, len);
  return error;
}

// A receive that repeats, of blocks that nobody has provided.
int Receive() {
  int fds[2];
  EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  EXPECT_EQ(1, write(fds[1], "x", 1));
  const int result = Ring().ResultOf(IORING_OP_RECV, fds[0], IORING_RECV_MULTISHOT);
  close(fds[0]);
  close(fds[1]);
  return result;
}

// From a socket where nobody connects.
int Accept(unsigned ioprio) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EXPECT_EQ(0, listen(fd, 1));
  const int result = Ring().ResultOf(IORING_OP_ACCEPT, fd, ioprio);
  close(fd);
  return result;
}

class OlderIoUring : public ::testing::Test {
 protected:
  void SetUp() override {
    if (SetUpRing(IORING_SETUP_SINGLE_ISSUER) != 0) GTEST_SKIP() << "no io_uring of Linux 6.0";
  }
  ~OlderIoUring() override { unsetenv("STRATA_IO_URING_OF"); }

  static void Play(const char *kernel) { setenv("STRATA_IO_URING_OF", kernel, 1); }
};

TEST_F(OlderIoUring, WithoutANameNothingIsRefused) {
  EXPECT_EQ(0, RegisterBlocks());
  EXPECT_EQ(-ENOBUFS, Receive());
  EXPECT_EQ(Ring::kNone, Accept(0));
}

TEST_F(OlderIoUring, Linux519) {
  Play("5.19");
  unsigned features;
  EXPECT_EQ(0, SetUpRing(IORING_SETUP_COOP_TASKRUN, &features));
  EXPECT_TRUE(features & IORING_FEAT_CQE_SKIP);
  EXPECT_EQ(EINVAL, SetUpRing(IORING_SETUP_SINGLE_ISSUER));
  EXPECT_EQ(0, RegisterBlocks());
  EXPECT_EQ(-EINVAL, Receive());
  EXPECT_EQ(Ring::kNone, Accept(0));
}

TEST_F(OlderIoUring, Linux513) {
  Play("5.13");
  unsigned features;
  EXPECT_EQ(0, SetUpRing(IORING_SETUP_CLAMP, &features));
  EXPECT_TRUE(features & IORING_FEAT_RSRC_TAGS);
  EXPECT_FALSE(features & IORING_FEAT_CQE_SKIP);
  EXPECT_EQ(EINVAL, SetUpRing(IORING_SETUP_COOP_TASKRUN));
  EXPECT_EQ(EINVAL, RegisterBlocks());
}

TEST_F(OlderIoUring, AcceptingDoesNotWaitBefore518) {
  if (Accept(kAcceptDontWait) != -EAGAIN) GTEST_SKIP() << "Linux before 6.10";
  Play("5.13");
  EXPECT_EQ(-EAGAIN, Accept(0));
}

}  // namespace

// Pipes whose filter for writing the kernel refuses. On Linux the emulation can be told with what
// error.
#ifndef BACKENDS_TESTING_KQUEUE_BROKEN_PIPE_H_
#define BACKENDS_TESTING_KQUEUE_BROKEN_PIPE_H_

#include <fcntl.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/event.h>
#undef close
#endif

#include "backends/testing/readiness_driver.h"

// A pipe to write to, whose reader is gone.
class BrokenPipe : public readiness_testing::Fd {
 public:
  BrokenPipe() : Fd(Make()) {}

 private:
  static int Make() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(0, pipe(fds));
    close(fds[0]);
    return fds[1];
  }
};

#ifdef __linux__
// Meanwhile the filter of such a pipe is refused with this error: NetBSD's is EBADF.
class BrokenPipeError {
 public:
  explicit BrokenPipeError(int error) { strata_emulated_broken_pipe_error = error; }
  ~BrokenPipeError() { strata_emulated_broken_pipe_error = EPIPE; }
};
#endif

#endif  // BACKENDS_TESTING_KQUEUE_BROKEN_PIPE_H_

// The fixture that the parts of the completion suite share: a base over the port, and operations
// that count their completions.
#ifndef BACKENDS_TESTING_COMPLETION_FIXTURE_H_
#define BACKENDS_TESTING_COMPLETION_FIXTURE_H_

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <event2/watch.h>
#ifndef _WIN32
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

extern "C" {
#include "loop/completion.h"
#include "loop/readiness.h"
}

#include "gtest/gtest.h"
#include "loop/test_support.h"

namespace completion_testing {

// Errors of sockets, in the system's numbers.
#ifdef _WIN32
constexpr int kConnectionRefused = WSAECONNREFUSED, kConnectionReset = WSAECONNRESET;
#else
constexpr int kConnectionRefused = ECONNREFUSED, kConnectionReset = ECONNRESET;
#endif

// What has become of a connection whose peer is gone. Windows distinguishes who gave it up.
inline bool IsBroken(int error) {
#ifdef _WIN32
  return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAESHUTDOWN;
#else
  return error == EPIPE || error == ECONNRESET;
#endif
}

inline void Release(struct event_received *received) {
  received->release(received);
}

// Different bytes at every place, so that one that is lost or moved shows.
inline std::string Pattern(size_t len, unsigned seed = 1) {
  std::string bytes(len, '\0');
  for (char &c : bytes) c = static_cast<char>((seed = seed * 1103515245 + 12345) >> 16);
  return bytes;
}

// An operation and the memory that it points to. Every launch has to be answered once.
class Op {
 public:
  typedef std::function<void(Op *)> Fn;

  // `fn` runs after each completion, and may delete the object.
  explicit Op(Fn fn = Fn(), int priority = 0) : fn_(std::move(fn)) {
    inner_.self = this;
    event_operation_init(&inner_.operation, priority, Run);
  }
  ~Op() {
    EXPECT_FALSE(IsPending());
    EXPECT_EQ(num_launched, num_done);
    if (block != nullptr) Release(block);
  }
  Op(const Op &) = delete;
  Op &operator=(const Op &) = delete;

  // Into memory of the port's.
  Op &Recv(evutil_socket_t fd, size_t max_len = 0) {
    Set(EVENT_OPERATION_RECV, fd, {});
    get()->max_len = max_len;
    return *this;
  }
  // The same, again and again: the function runs for each piece of data, which `stream` collects.
  Op &RecvRepeatedly(evutil_socket_t fd) {
    Recv(fd);
    get()->repeats = true;
    stream.clear();
    num_results = 0;
    return *this;
  }
  Op &RecvInto(evutil_socket_t fd, const std::vector<size_t> &lens) {
    std::vector<std::string> pieces;
    for (size_t len : lens) pieces.emplace_back(len, '.');
    return Set(EVENT_OPERATION_RECV, fd, std::move(pieces));
  }
  Op &Send(evutil_socket_t fd, std::vector<std::string> pieces) {
    return Set(EVENT_OPERATION_SEND, fd, std::move(pieces));
  }
  Op &Accept(evutil_socket_t fd, bool with_address = false) {
    Set(EVENT_OPERATION_ACCEPT, fd, {});
    get()->address = with_address ? reinterpret_cast<struct sockaddr *>(&address) : nullptr;
    get()->address_len = sizeof(address);
    return *this;
  }
  Op &Connect(evutil_socket_t fd, const struct sockaddr_in &to) {
    Set(EVENT_OPERATION_CONNECT, fd, {});
    address = to;
    get()->address = reinterpret_cast<struct sockaddr *>(&address);
    get()->address_len = sizeof(address);
    return *this;
  }
  int Launch(struct event_base *base) {
    num_launched++;
    const int launched = event_operation_launch(get(), base);
    if (launched != 0) num_launched--;
    return launched;
  }
  void Cancel() { event_operation_cancel(get()); }

  struct event_operation *get() {
    return &inner_.operation;
  }
  bool IsPending() const { return event_operation_is_pending(&inner_.operation); }
  bool IsDone() const { return num_done == num_launched; }
  bool IsCancelled() const { return result == -1 && error == STRATA_OPERATION_CANCELLED; }

  std::atomic<int> num_launched{0}, num_done{0};
  // Of the last completion.
  ev_ssize_t result = -2;
  int error = 0;
  std::string bytes;
  bool is_last = true;
  std::string stream;  // Of all results of one that repeats.
  std::atomic<int> num_results{0};
  bool keeps_block = false;  // The function leaves it in `block`.
  struct event_received *block = nullptr;
  struct sockaddr_in address = {};

 private:
  struct WithSelf {
    struct event_operation operation;  // First: a pointer to it is a pointer to the whole.
    Op *self;
  };

  Op &Set(enum event_operation_kind kind, evutil_socket_t fd, std::vector<std::string> pieces) {
    pieces_ = std::move(pieces);
    spans_.clear();
    for (std::string &piece : pieces_) spans_.push_back({&piece[0], piece.size()});
    struct event_operation *operation = get();
    operation->kind = kind;
    operation->fd = fd;
    event_operation_forget_socket(operation);
    operation->spans = spans_.data();
    operation->num_spans = static_cast<int>(spans_.size());
    operation->max_len = 0;
    operation->repeats = false;
    return *this;
  }

  void TakeBytes(const struct event_operation &operation) {
    bytes.clear();
    if (operation.received != nullptr) {
      EXPECT_EQ(EVENT_OPERATION_RECV, operation.kind);
      EXPECT_EQ(0, operation.num_spans);
      EXPECT_EQ(result, static_cast<ev_ssize_t>(operation.received->len));
      bytes.assign(static_cast<const char *>(operation.received->data), operation.received->len);
      if (keeps_block)
        block = operation.received;
      else
        Release(operation.received);
    } else if (operation.kind == EVENT_OPERATION_RECV && result > 0) {
      EXPECT_NE(0, operation.num_spans);
      for (const std::string &piece : pieces_) bytes += piece;
      EXPECT_LE(static_cast<size_t>(result), bytes.size());
      bytes.resize(static_cast<size_t>(result));
    }
  }

  static void Run(struct event_operation *operation) {
    Op *self = reinterpret_cast<WithSelf *>(operation)->self;
    self->is_last = operation->is_last;
    EXPECT_EQ(!self->is_last, event_operation_is_pending(operation));
    EXPECT_TRUE(self->is_last || (operation->repeats && operation->result > 0));
    EXPECT_FALSE(self->is_last && operation->repeats && operation->received != nullptr);
    self->result = operation->result;
    self->error = operation->error;
    EXPECT_GE(self->result, -1);
    EXPECT_EQ(self->result == -1, self->error != 0);
    self->TakeBytes(*operation);
    if (!self->is_last) {
      self->stream += self->bytes;
      self->num_results++;
    } else {
      self->num_done++;
    }
    const Fn fn = self->fn_;
    if (fn) fn(self);
  }

  Fn fn_;
  WithSelf inner_;
  std::vector<std::string> pieces_;
  std::vector<struct event_span> spans_;
};

// A socket that is closed with the object.
class Socket {
 public:
  explicit Socket(evutil_socket_t fd = -1) : fd_(fd) {}
  ~Socket() { Close(); }
  Socket(Socket &&other) : fd_(other.fd_) { other.fd_ = -1; }
  Socket &operator=(Socket &&other) {
    std::swap(fd_, other.fd_);
    return *this;
  }

  operator evutil_socket_t() const { return fd_; }
  void Close() {
    if (fd_ >= 0) evutil_closesocket(fd_);
    fd_ = -1;
  }
  // Closes so that the peer gets a reset.
  void Reset() {
    const struct linger at_once = {1, 0};
    EXPECT_EQ(0, setsockopt(fd_, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char *>(&at_once),
                            sizeof(at_once)));
    Close();
  }

 private:
  evutil_socket_t fd_;
};

inline Socket TcpSocket() {
  Socket fd(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(0, evutil_make_socket_nonblocking(fd));
  return fd;
}

inline struct sockaddr *Any(struct sockaddr_in *address) {
  return reinterpret_cast<struct sockaddr *>(address);
}

// Listens on a port of the loopback device.
struct Listener {
  explicit Listener(int backlog = 128) : fd(TcpSocket()) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ev_socklen_t len = sizeof(address);
    EXPECT_EQ(0, bind(fd, Any(&address), len));
    EXPECT_EQ(0, listen(fd, backlog));
    EXPECT_EQ(0, getsockname(fd, Any(&address), &len));
  }
  // What is returned may be connecting still.
  Socket Connect() {
    Socket client = TcpSocket();
    (void)connect(client, Any(&address), sizeof(address));
    return client;
  }
  Socket Accept() { return Socket(accept(fd, nullptr, nullptr)); }

  struct sockaddr_in address = {};
  Socket fd;
};

// One whose queue is full: connecting to it takes until somebody accepts, and the client tries
// again.
struct FullListener : Listener {
  FullListener() : Listener(0) {
    for (int i = 0; i < 4; i++) waiting.push_back(Connect());
  }
  std::vector<Socket> waiting;
};

// The CPU hint is what gives a port workers, where it can have any.
struct Port {
  const struct event_readiness_ops *ops;
  int num_cpus_hint;
};

struct CompletionName {
  std::string operator()(const testing::TestParamInfo<Port> &info) const {
    return info.param.ops->name;
  }
};

inline void UseThreads() {
#ifdef _WIN32
  ASSERT_EQ(0, evthread_use_windows_threads());
#else
  ASSERT_EQ(0, evthread_use_pthreads());
#endif
}

// As before evthread_use_pthreads(). No lock may be left that is to be freed.
inline void ForgetThreads() {
  evthread_set_lock_callbacks(nullptr);
  evthread_set_condition_callbacks(nullptr);
  evthread_set_id_callback(nullptr);
}

// The base is freed before the objects of the fixture's, after those of the test.
class CompletionConformance : public testing::TestWithParam<Port> {
 protected:
  void SetUp() override {
    if (HasWorkers()) UseThreads();
    base_ = NewBase();
    if (base_ == nullptr || event_base_port_features(base_) == 0)
      GTEST_SKIP() << "the system has no such port";
  }
  void TearDown() override { FreeBase(); }

  struct event_base *NewBase() {
    const struct event_readiness_ops *const backends[] = {GetParam().ops, nullptr};
    struct event_config *config = event_config_new();
    EXPECT_EQ(0, event_config_set_flag(config, EVENT_BASE_FLAG_COMPLETION));
    EXPECT_EQ(0, event_config_set_num_cpus_hint(config, GetParam().num_cpus_hint));
    struct event_base *base = event_base_new_with_backends(config, backends);
    event_config_free(config);
    return base;
  }
  static bool HasWorkers() { return GetParam().num_cpus_hint > 1; }
  void FreeBase() {
    if (base_ != nullptr) event_base_free(base_);
    base_ = nullptr;
  }

  // Looks at the kernel, so that it has what was launched.
  void Turn() {
    EXPECT_NE(-1, event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY));
  }
  // False when it takes longer than any healthy run would.
  bool RunUntil(const std::function<bool()> &done) {
    bool has_expired = false;
    Ev guard(base_, -1, 0, [&](evutil_socket_t, short) { has_expired = true; });
    guard.AddMs(30000);
    while (!done() && !has_expired) {
      if (event_base_loop(base_, EVLOOP_ONCE) == -1) return false;
    }
    return done();
  }
  bool Finish(const std::vector<Op *> &ops) {
    return RunUntil([&] {
      for (const Op *op : ops) {
        if (!op->IsDone()) return false;
      }
      return true;
    });
  }
  bool FinishAll(const std::vector<std::unique_ptr<Op>> &ops) {
    std::vector<Op *> pointers;
    for (const std::unique_ptr<Op> &op : ops) pointers.push_back(op.get());
    return Finish(pointers);
  }
  bool Finish(Op *op) { return Finish(std::vector<Op *>{op}); }

  struct event_base *base_ = nullptr;
};

#define COMPLETION_NEEDS(feature)                     \
  if (!(event_base_port_features(base_) & (feature))) \
  GTEST_SKIP() << "the port does not have " #feature

}  // namespace completion_testing

using completion_testing::CompletionConformance;
using completion_testing::CompletionName;
using completion_testing::Port;

#endif  // BACKENDS_TESTING_COMPLETION_FIXTURE_H_

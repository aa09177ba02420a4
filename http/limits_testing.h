#ifndef STRATA_HTTP_LIMITS_TESTING_H_
#define STRATA_HTTP_LIMITS_TESTING_H_

#include <string>
#include <vector>

#ifndef _WIN32
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "http/http_testing.h"
#include "http/streaming_testing.h"

namespace http_testing {

#ifndef _WIN32
// The process's soft limit of descriptors, for as long as the object lives.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(int limit) {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit lower = before_;
    lower.rlim_cur = static_cast<rlim_t>(limit);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
  }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit &) = delete;
  DescriptorLimit &operator=(const DescriptorLimit &) = delete;

 private:
  rlimit before_;
};

// Uses up all descriptors below a number, with which room there is to be had above only.
class DescriptorFiller {
 public:
  explicit DescriptorFiller(int end) {
    while (fds_.empty() || (fds_.back() >= 0 && fds_.back() < end - 1)) fds_.push_back(dup(0));
    EXPECT_GE(fds_.back(), end - 1);
  }
  ~DescriptorFiller() {
    for (int fd : fds_) close(fd);
  }
  DescriptorFiller(const DescriptorFiller &) = delete;
  DescriptorFiller &operator=(const DescriptorFiller &) = delete;

 private:
  std::vector<int> fds_;
};
#endif

// A server that echoes bodies, for the tests of what it refuses.
class LimitsTest : public testing::Test {
 protected:
  LimitsTest() {
    server_.OnAny([this](evhttp_request *req) {
      called_++;
      Reply(req, BodyOf(req));
    });
  }
  // Asks on a new connection, and checks that the reply is the only one and is not lost.
  Response AskOnce(const std::string &request) {
    Client client(&loop_, server_.port());
    Response response = client.Get(request);
    EXPECT_EQ(response.Value("Connection"), "close");
    client.Shutdown();
    EXPECT_TRUE(client.WaitClosed());
    EXPECT_FALSE(client.reset());
    EXPECT_EQ(client.received(), "");
    return response;
  }
  // On the server's side: otherwise the kernel takes it all.
  void UseSmallBuffers() {
    evhttp_foreach_bound_socket(
        server_.http(),
        [](evhttp_bound_socket *bound, void *) {
          int len = 16 * 1024;
          setsockopt(evhttp_bound_socket_get_fd(bound), SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
        },
        nullptr);
  }
  void Wait(int ms) {
    bool waited = false;
    Later(&loop_, ms, [&] { waited = true; });
    ASSERT_TRUE(loop_.RunUntil([&] { return waited; }));
  }
  static timeval Ms(int ms) { return {ms / 1000, ms % 1000 * 1000}; }
  static std::string ChunkedPost(const std::string &chunks) {
    return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
  }

  Loop loop_;
  Server server_{&loop_};
  int called_ = 0;
};

// A server with replies that stay with it when nobody reads them.
class EvictionTest : public LimitsTest {
 protected:
  static void ReplyBig(evhttp_request *req, const std::string &bytes) {
    evbuffer *body = evbuffer_new();
    evbuffer_add_reference(body, bytes.data(), bytes.size(), nullptr, nullptr);
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
  }
};

}  // namespace http_testing

#endif

// The acceptor when there are no descriptors: it says so once, waits, and says so the next time.
#include <arpa/inet.h>
#include <event2/event.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

extern "C" {
#include "samples/acceptor.h"
}

namespace {

class AcceptorTest : public ::testing::Test {
 protected:
  AcceptorTest() {
    EXPECT_EQ(0, acceptor_open(&acceptor_, base_, "test", "127.0.0.1", "0", announcement_, OnAccept,
                               this));
    // Room for the clients' descriptors, so that they alone can be had in a shortage.
    for (int &client : clients_) client = socket(AF_INET, SOCK_STREAM, 0);
  }
  ~AcceptorTest() override {
    acceptor_close(&acceptor_);
    for (const int fd : clients_) close(fd);
    for (const int fd : accepted_) close(fd);
    fclose(announcement_);
    event_base_free(base_);
  }

  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    AcceptorTest *test = static_cast<AcceptorTest *>(arg);
    test->accepted_.push_back(fd);
    event_base_loopbreak(test->base_);
  }

  void RunFor(int ms) {
    const struct timeval time = {0, ms * 1000};
    event_base_loopexit(base_, &time);
    event_base_dispatch(base_);
  }

  // A client comes when there are no descriptors; when there are, it is accepted. What was said.
  std::string ConnectInAShortage(int client) {
    struct sockaddr_in address;
    socklen_t address_len = sizeof(address);
    struct sockaddr *generic = reinterpret_cast<struct sockaddr *>(&address);
    EXPECT_EQ(0, getsockname(evconnlistener_get_fd(acceptor_.listener), generic, &address_len));
    EXPECT_EQ(0, connect(client, generic, address_len));
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    // What is open stays open. Not 0: poll(2) takes no more descriptors than the limit.
    const struct rlimit none = {3, limit.rlim_max};
    testing::internal::CaptureStderr();
    setrlimit(RLIMIT_NOFILE, &none);
    RunFor(200);  // Some pauses long.
    setrlimit(RLIMIT_NOFILE, &limit);
    const std::string said = testing::internal::GetCapturedStderr();
    const size_t num_before = accepted_.size();
    for (int i = 0; i < 1000 && accepted_.size() == num_before; i++) RunFor(50);
    EXPECT_EQ(num_before + 1, accepted_.size());
    return said;
  }

  struct event_base *base_ = event_base_new();
  FILE *announcement_ = fopen("/dev/null", "w");
  struct acceptor acceptor_;
  int clients_[2];
  std::vector<int> accepted_;
};

TEST_F(AcceptorTest, SaysOncePerShortageThatItCannotAccept) {
  for (const int client : clients_) {
    const std::string said = ConnectInAShortage(client);
    EXPECT_EQ(0u, said.find("test: cannot accept: ")) << said;
    EXPECT_EQ(said.size() - 1, said.find('\n')) << said;
  }
}

}  // namespace

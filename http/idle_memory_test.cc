// What an idle keep-alive connection holds, and thousands of them at once. Strata's own.

#include <malloc.h>
#include <sys/resource.h>

#include <cstdlib>
#include <iostream>
#include <vector>

#include "http/http_testing.h"

namespace {

using http_testing::GetRequest;
using http_testing::Server;

// Bytes of the library, as the allocator rounds them.
size_t held;

void *Resize(void *old, size_t size) {
  if (old) held -= malloc_usable_size(old);
  void *block = realloc(old, size);
  if (block) held += malloc_usable_size(block) + sizeof(size_t);
  return block;
}
void *Allocate(size_t size) {
  return Resize(nullptr, size);
}
void Free(void *block) {
  if (block) held -= malloc_usable_size(block) + sizeof(size_t);
  free(block);
}
void *Reallocate(void *old, size_t size) {
  if (old) held -= sizeof(size_t);
  return Resize(old, size);
}

class Hooks : public testing::Environment {
 public:
  void SetUp() override { event_set_mem_functions(Allocate, Reallocate, Free); }
};
const testing::Environment *const hooks = testing::AddGlobalTestEnvironment(new Hooks);

// Both ends of each connection are this process's.
int NumConnections() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  rlim_t possible = (limit.rlim_cur - 100) / 2;
  if (possible >= 9000) return 9000;
  std::cout << "descriptors for " << possible << " of 9000 connections only\n";
  return static_cast<int>(possible);
}

int Connect(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
  return fd;
}

// Has a connection serve a request.
bool Ask(event_base *base, int fd) {
  const std::string request = GetRequest("/some/path", "User-Agent: test\r\nAccept: */*\r\n");
  char reply[1000];
  ssize_t len = -1;
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return false;
  for (int i = 0; i < 100000 && len <= 0; ++i) {
    event_base_loop(base, EVLOOP_NONBLOCK);
    len = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
  }
  return len > 0;
}

TEST(IdleConnections, HoldLittle) {
  const int count = NumConnections();
  event_base *base = event_base_new();
  evhttp *http = evhttp_new(base);
  evhttp_set_gencb(
      http, [](evhttp_request *req, void *) { evhttp_send_reply(req, 200, "OK", nullptr); },
      nullptr);
  evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
  const int port = Server::PortOf(evhttp_bound_socket_get_fd(bound));
  std::vector<int> fds;
  size_t before = 0;
  for (int i = 0; i < count; ++i) {
    // The first pays for what all share: pools, tables.
    if (i == 10) before = held;
    fds.push_back(Connect(port));
    if (!Ask(base, fds.back())) {
      ADD_FAILURE() << "connection " << i;
      break;
    }
  }
  EXPECT_EQ(evhttp_get_connection_count(http), count);
  const size_t each = (held - before) / (fds.size() - 10);
  printf("%zu idle connections, %zu bytes each\n", fds.size(), each);
  RecordProperty("bytes_each", static_cast<int>(each));
  EXPECT_LE(each, 2048u);
  // All of them still serve.
  for (size_t i = 0; i < fds.size(); i += 97) EXPECT_TRUE(Ask(base, fds[i]));
  evhttp_free(http);
  event_base_free(base);
  for (int fd : fds) close(fd);
}

}  // namespace

// Memory: every allocation may fail, and a steady state makes none.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "buffer/buffer_testing.h"
#include "buffer/evbuffer_internal.h"
#include "util/memory.h"
#include "util/testing/counting_memory.h"

namespace {

class Allocation : public ::testing::Test {
 protected:
  void SetUp() override {
    CountingMemory::Begin();
    CountingMemory::Install(strata_set_mem_functions);
  }
  void TearDown() override { strata_set_mem_functions(nullptr, nullptr, nullptr); }
};

struct Pair {
  struct evbuffer *a;
  struct evbuffer *b;
};

struct Operation {
  const char *name;
  std::function<bool(Pair)> run;  // false on failure
};

int num_cleanups;

Pair MakePair() {
  Pair pair = {evbuffer_new(), evbuffer_new()};
  std::string bytes(5000, 'a');
  evbuffer_add(pair.a, bytes.data(), 600);
  evbuffer_add(pair.a, bytes.data(), bytes.size());
  evbuffer_add_reference(pair.a, "0123456789\r\n", 12, nullptr, nullptr);
  evbuffer_add(pair.a, "tail", 4);
  evbuffer_add(pair.b, bytes.data(), 970);
  evbuffer_add_reference(pair.b, "xyz", 3, nullptr, nullptr);
  return pair;
}

int MakeFile() {
  const char *dir = getenv("TEST_TMPDIR");
  std::string path = std::string(dir ? dir : "/tmp") + "/allocation_test.XXXXXX";
  int fd = mkstemp(&path[0]);
  unlink(path.c_str());
  EXPECT_EQ(10, write(fd, "0123456789", 10));
  return fd;
}

// Operations that fail as a whole or not at all.
std::vector<Operation> Operations() {
  static const std::string large(100000, 'L');
  static const std::string small(50, 'S');
  static const int file = MakeFile();
  return {
      {"add", [](Pair p) { return evbuffer_add(p.a, large.data(), large.size()) == 0; }},
      {"add_small", [](Pair p) { return evbuffer_add(p.b, small.data(), small.size()) == 0; }},
      {"prepend", [](Pair p) { return evbuffer_prepend(p.a, large.data(), large.size()) == 0; }},
      {"printf", [](Pair p) { return evbuffer_add_printf(p.b, "%s", large.c_str()) > 0; }},
      {"expand", [](Pair p) { return evbuffer_expand(p.a, 100000) == 0; }},
      {"pullup", [](Pair p) { return evbuffer_pullup(p.a, -1) != nullptr; }},
      {"add_buffer", [](Pair p) { return evbuffer_add_buffer(p.b, p.a) == 0; }},
      {"prepend_buffer", [](Pair p) { return evbuffer_prepend_buffer(p.b, p.a) == 0; }},
      {"remove_buffer", [](Pair p) { return evbuffer_remove_buffer(p.a, p.b, 3000) == 3000; }},
      {"remove_buffer_small", [](Pair p) { return evbuffer_remove_buffer(p.a, p.b, 300) == 300; }},
      {"add_buffer_reference", [](Pair p) { return evbuffer_add_buffer_reference(p.b, p.a) == 0; }},
      {"add_reference",
       [](Pair p) {
         int before = num_cleanups;
         bool added =
             evbuffer_add_reference(
                 p.a, "ref", 3, [](const void *, size_t, void *) { num_cleanups++; }, nullptr) == 0;
         EXPECT_EQ(before, num_cleanups);
         return added;
       }},
      {"add_iovec",
       [](Pair p) {
         struct evbuffer_iovec vec = {const_cast<char *>(large.data()), large.size()};
         return evbuffer_add_iovec(p.a, &vec, 1) == large.size();
       }},
      {"reserve",
       [](Pair p) {
         struct evbuffer_iovec vec[2];
         return evbuffer_reserve_space(p.b, 100000, vec, 2) > 0;
       }},
      {"readln",
       [](Pair p) {
         char *line = evbuffer_readln(p.a, nullptr, EVBUFFER_EOL_CRLF);
         strata_free(line);
         return line != nullptr;
       }},
      {"add_cb",
       [](Pair p) {
         return evbuffer_add_cb(
                    p.a, [](struct evbuffer *, const struct evbuffer_cb_info *, void *) {},
                    nullptr) != nullptr;
       }},
      {"setcb",
       [](Pair p) {
         return evbuffer_setcb(
                    p.a, [](struct evbuffer *, size_t, size_t, void *) {}, nullptr) == 0;
       }},
      {"add_file_mapped",
       [](Pair p) {
         int fd = dup(file);
         if (evbuffer_add_file(p.a, fd, 0, -1) == 0) return true;
         EXPECT_EQ(0, close(fd)) << "still the caller's";
         return false;
       }},
      {"add_file_read",
       [](Pair p) {
         struct evbuffer_file_segment *segment =
             evbuffer_file_segment_new(file, 0, 10, EVBUF_FS_DISABLE_MMAP);
         if (!segment) return false;
         int result = evbuffer_add_file_segment(p.a, segment, 2, 5);
         evbuffer_file_segment_free(segment);
         return result == 0;
       }},
      {"recv",
       [](Pair p) {
         int fds[2];
         EXPECT_EQ(0, pipe(fds));
         EXPECT_EQ(5, write(fds[1], "piped", 5));
         bool got = evbuffer_read(p.b, fds[0], 100) == 5;
         close(fds[0]);
         close(fds[1]);
         return got;
       }},
  };
}

TEST_F(Allocation, FailureChangesNothing) {
  for (const Operation &operation : Operations()) {
    SCOPED_TRACE(operation.name);
    bool succeeded = false;
    for (int n = 1; !succeeded; n++) {
      ASSERT_LT(n, 50);
      Pair pair = MakePair();
      std::string a = Content(pair.a), b = Content(pair.b);
      CountingMemory::Begin(n, CountingMemory::kAll);
      succeeded = operation.run(pair);
      CountingMemory::StopFailing();
      if (!succeeded) {
        EXPECT_EQ(a, Content(pair.a));
        EXPECT_EQ(b, Content(pair.b));
        // And both still work.
        EXPECT_EQ(0, evbuffer_add(pair.a, "more", 4));
        EXPECT_EQ(0, evbuffer_add_buffer(pair.b, pair.a));
        EXPECT_EQ(b + a + "more", Content(pair.b));
      }
      evbuffer_free(pair.a);
      evbuffer_free(pair.b);
    }
  }
}

TEST_F(Allocation, NewFails) {
  CountingMemory::Begin(1, CountingMemory::kAll);
  EXPECT_EQ(nullptr, evbuffer_new());
  EXPECT_EQ(nullptr, evbuffer_chain_pool_new());
}

TEST_F(Allocation, SteadyStateWithAPoolAllocatesNothing) {
  if (!EVBUFFER_KEEPS_STORAGE) GTEST_SKIP() << "pools are off under AddressSanitizer";
  struct evbuffer_chain_pool *pool = evbuffer_chain_pool_new();
  struct evbuffer *in = evbuffer_new();
  struct evbuffer *out = evbuffer_new();
  evbuffer_set_pool(in, pool);
  evbuffer_set_pool(out, pool);
  int fds[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  const std::string bytes(9000, 'x');
  for (int i = 0; i < 100; i++) {
    if (i == 3) CountingMemory::Begin();
    evbuffer_add(out, bytes.data(), 200);
    evbuffer_add(out, bytes.data(), bytes.size());
    evbuffer_add_printf(out, "%d\r\n", i);
    evbuffer_add_reference(out, bytes.data(), 5000, nullptr, nullptr);
    evbuffer_prepend(out, bytes.data(), 700);
    while (evbuffer_get_length(out) > 0) {
      ASSERT_GT(evbuffer_send(out, fds[0], SIZE_MAX), 0);
      ASSERT_GT(evbuffer_recv(in, fds[1], 65536, nullptr), 0);
    }
    evbuffer_drain(in, evbuffer_get_length(in));
  }
  EXPECT_EQ(0, CountingMemory::num_calls());
  close(fds[0]);
  close(fds[1]);
  evbuffer_free(in);
  evbuffer_free(out);
  evbuffer_chain_pool_unref(pool);
}

TEST_F(Allocation, SteadyStateWithoutAPoolAllocatesNothing) {
  if (!EVBUFFER_KEEPS_STORAGE) GTEST_SKIP() << "blocks are not kept under AddressSanitizer";
  struct evbuffer *buf = evbuffer_new();
  struct evbuffer *other = evbuffer_new();
  for (int i = 0; i < 100; i++) {
    if (i == 3) CountingMemory::Begin();
    evbuffer_add_printf(buf, "line %d\n", i);
    evbuffer_add_buffer(other, buf);
    evbuffer_drain(other, SIZE_MAX);
  }
  EXPECT_EQ(0, CountingMemory::num_calls());
  for (int i = 0; i < 100; i++) {
    if (i == 3) CountingMemory::Begin();
    evbuffer_add_printf(buf, "Content-Length: %d", 10);
    evbuffer_add_reference(buf, "0123456789", 10, nullptr, nullptr);
    evbuffer_drain(buf, SIZE_MAX);
    evbuffer_add_reference(buf, "0123456789", 10, nullptr, nullptr);
    evbuffer_drain(buf, SIZE_MAX);
  }
  EXPECT_EQ(0, CountingMemory::num_calls());
  evbuffer_free(buf);
  evbuffer_free(other);
}

TEST_F(Allocation, BlocksGrowWhileABufferCollects) {
  struct evbuffer *buf = evbuffer_new();
  const std::string bytes(100, 'x');
  CountingMemory::Begin();
  for (int i = 0; i < 10000; i++) evbuffer_add(buf, bytes.data(), bytes.size());
  EXPECT_LE(CountingMemory::num_calls(), 6);
  evbuffer_free(buf);
}

TEST_F(Allocation, BlocksOfAQueueStaySmall) {
  struct evbuffer *buf = evbuffer_new();
  const std::string bytes(1000, 'x');
  for (int i = 0; i < 20; i++) evbuffer_add(buf, bytes.data(), bytes.size());
  for (int i = 0; i < 1000; i++) {
    evbuffer_drain(buf, bytes.size());
    evbuffer_add(buf, bytes.data(), bytes.size());
  }
  for (struct evbuffer_chain *chain = buf->first; chain; chain = chain->next) {
    EXPECT_LE(chain->capacity, 65536u);
  }
  evbuffer_free(buf);
}

}  // namespace

// Records when memory is out: written whole or not at all, read whole or left where they are.
#include <event2/tag.h>
#include <stdlib.h>

#include <functional>
#include <string>

#include "buffer/buffer_testing.h"
#include "util/memory.h"
#include "util/testing/counting_memory.h"

namespace {

class TagAllocation : public ::testing::Test {
 protected:
  void SetUp() override {
    CountingMemory::Begin();
    CountingMemory::Install(strata_set_mem_functions);
  }
  void TearDown() override { strata_set_mem_functions(nullptr, nullptr, nullptr); }

  // Runs `operation` on two buffers (the second holds `bytes` in two blocks) with the n-th
  // allocation failing, for every n. It returns false, having changed nothing, or true.
  void Sweep(const std::string &bytes,
             const std::function<bool(struct evbuffer *, struct evbuffer *)> &operation) {
    bool is_done = false;
    for (long n = 1; !is_done; n++) {
      struct evbuffer *a = evbuffer_new(), *b = evbuffer_new();
      evbuffer_add_reference(b, bytes.data(), bytes.size() / 2, nullptr, nullptr);
      evbuffer_add(b, bytes.data() + bytes.size() / 2, bytes.size() - bytes.size() / 2);
      CountingMemory::Begin(n, CountingMemory::kAll);
      is_done = operation(a, b);
      CountingMemory::StopFailing();
      if (!is_done) {
        EXPECT_EQ(0u, evbuffer_get_length(a));
        EXPECT_TRUE(bytes == Content(b));
      }
      evbuffer_free(a);
      evbuffer_free(b);
      ASSERT_LT(n, 20);
    }
  }
};

std::string Record(size_t len) {
  struct evbuffer *buf = evbuffer_new();
  std::string bytes(len, 'r');
  evtag_marshal(buf, 1, bytes.data(), static_cast<ev_uint32_t>(len));
  bytes = Content(buf);
  evbuffer_free(buf);
  return bytes;
}

TEST_F(TagAllocation, Marshal) {
  const std::string bytes(20000, 'x');
  Sweep(bytes, [&](struct evbuffer *a, struct evbuffer *) {
    evtag_marshal(a, 1, bytes.data(), static_cast<ev_uint32_t>(bytes.size()));
    return evbuffer_get_length(a) == bytes.size() + 4;
  });
}

TEST_F(TagAllocation, MarshalBuffer) {
  Sweep(std::string(20000, 'x'), [](struct evbuffer *a, struct evbuffer *b) {
    evtag_marshal_buffer(a, 1, b);
    return evbuffer_get_length(a) == 20004;
  });
}

TEST_F(TagAllocation, Unmarshal) {
  Sweep(Record(20000), [](struct evbuffer *a, struct evbuffer *b) {
    return evtag_unmarshal(b, nullptr, a) == 20000;
  });
}

TEST_F(TagAllocation, UnmarshalString) {
  Sweep(Record(20000), [](struct evbuffer *, struct evbuffer *b) {
    char *text = nullptr;
    if (evtag_unmarshal_string(b, 1, &text) < 0) return false;
    EXPECT_EQ(std::string(20000, 'r'), text);
    free(text);
    return true;
  });
}

}  // namespace

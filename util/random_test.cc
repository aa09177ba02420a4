#include <event2/util.h>
#include <gtest/gtest.h>
#include <string.h>

#include <vector>

#if defined(STRATA_ORACLE)
static const bool kOnLibevent = true;
#else
static const bool kOnLibevent = false;
#endif

TEST(RandomTest, InitSucceedsAgainAndAgain) {
  EXPECT_EQ(0, evutil_secure_rng_init());
  EXPECT_EQ(0, evutil_secure_rng_init());
}

TEST(RandomTest, FillsExactlyWhatItWasGiven) {
  // Each byte is nonzero in some round, save with a probability of 2^-256; those beside never.
  unsigned char bytes[32], seen[32] = {};
  for (int round = 0; round < 32; ++round) {
    memset(bytes, 0, sizeof(bytes));
    evutil_secure_rng_get_bytes(bytes + 1, sizeof(bytes) - 2);
    for (size_t i = 0; i < sizeof(bytes); ++i) seen[i] |= bytes[i];
  }
  EXPECT_EQ(0, seen[0]);
  EXPECT_EQ(0, seen[31]);
  for (size_t i = 1; i < 31; ++i) EXPECT_NE(0, seen[i]) << i;
}

TEST(RandomTest, TwoDrawsDiffer) {
  unsigned char a[16], b[16];
  evutil_secure_rng_get_bytes(a, sizeof(a));
  evutil_secure_rng_get_bytes(b, sizeof(b));
  EXPECT_NE(0, memcmp(a, b, sizeof(a)));
}

TEST(RandomTest, LargeAndEmptyRequests) {
  std::vector<unsigned char> bytes(1 << 20);
  evutil_secure_rng_get_bytes(bytes.data(), bytes.size());
  EXPECT_NE(0, memcmp(bytes.data(), bytes.data() + bytes.size() / 2, bytes.size() / 2));
  evutil_secure_rng_get_bytes(nullptr, 0);
}

TEST(RandomTest, DeviceIsRefusedOnceInUse) {
  char device[] = "/dev/urandom";
  unsigned char byte;
  evutil_secure_rng_get_bytes(&byte, 1);
  EXPECT_EQ(-1, evutil_secure_rng_set_urandom_device_file(device));
}

// libevent stirs the bytes into its generator, and so reads them. strata's bytes all come from the
// kernel, and what is offered is not even looked at.
TEST(RandomTest, OfferedBytesChangeNothing) {
  unsigned char a[16], b[16];
  evutil_secure_rng_get_bytes(a, sizeof(a));
  evutil_secure_rng_add_bytes("0123456789", 10);
  evutil_secure_rng_get_bytes(b, sizeof(b));
  EXPECT_NE(0, memcmp(a, b, sizeof(a)));
  if (!kOnLibevent) evutil_secure_rng_add_bytes(nullptr, 1 << 20);
}

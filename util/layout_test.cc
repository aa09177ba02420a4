#include <event2/keyvalq_struct.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stddef.h>

#if defined(STRATA_ORACLE)
#include <event2/event_struct.h>
#else
#include <event2/callback_struct.h>
#endif

// shared/api/layout-2.1.12-lp64.txt
#if defined(__LP64__)
static_assert(sizeof(struct evkeyval) == 32, "evkeyval");
static_assert(offsetof(struct evkeyval, key) == 16, "evkeyval.key");
static_assert(offsetof(struct evkeyval, value) == 24, "evkeyval.value");
static_assert(sizeof(struct evkeyvalq) == 16, "evkeyvalq");
static_assert(sizeof(struct event_callback) == 40, "event_callback");
#endif

TEST(LayoutTest, IntegersHaveTheirWidth) {
  EXPECT_EQ(8u, sizeof(ev_uint64_t));
  EXPECT_EQ(8u, sizeof(ev_int64_t));
  EXPECT_EQ(4u, sizeof(ev_uint32_t));
  EXPECT_EQ(4u, sizeof(ev_int32_t));
  EXPECT_EQ(2u, sizeof(ev_uint16_t));
  EXPECT_EQ(2u, sizeof(ev_int16_t));
  EXPECT_EQ(1u, sizeof(ev_uint8_t));
  EXPECT_EQ(1u, sizeof(ev_int8_t));
  EXPECT_EQ(8u, sizeof(ev_off_t));
  EXPECT_EQ(sizeof(void *), sizeof(ev_uintptr_t));
  EXPECT_EQ(sizeof(void *), sizeof(ev_intptr_t));
  EXPECT_EQ(sizeof(size_t), sizeof(ev_ssize_t));
}

TEST(LayoutTest, ConfigAgreesWithTheCompiler) {
  EXPECT_EQ(sizeof(short), (size_t)EVENT__SIZEOF_SHORT);
  EXPECT_EQ(sizeof(int), (size_t)EVENT__SIZEOF_INT);
  EXPECT_EQ(sizeof(long), (size_t)EVENT__SIZEOF_LONG);
  EXPECT_EQ(sizeof(long long), (size_t)EVENT__SIZEOF_LONG_LONG);
  EXPECT_EQ(sizeof(size_t), (size_t)EVENT__SIZEOF_SIZE_T);
  EXPECT_EQ(sizeof(void *), (size_t)EVENT__SIZEOF_VOID_P);
  EXPECT_EQ(sizeof(time_t), (size_t)EVENT__SIZEOF_TIME_T);
  EXPECT_EQ(0x02010c00, EVENT__NUMERIC_VERSION);
  EXPECT_STREQ("2.1.12-stable", EVENT__VERSION);
}

TEST(LayoutTest, Limits) {
  EXPECT_EQ(~(ev_uint64_t)0, EV_UINT64_MAX);
  EXPECT_EQ(~(size_t)0, EV_SIZE_MAX);
  EXPECT_EQ((ev_ssize_t)(EV_SIZE_MAX / 2), EV_SSIZE_MAX);
  EXPECT_EQ(-EV_SSIZE_MAX - 1, EV_SSIZE_MIN);
  EXPECT_EQ(-32768, EV_INT16_MIN);
  EXPECT_EQ(255, EV_UINT8_MAX);
}

TEST(LayoutTest, OffsetOf) {
  EXPECT_EQ(2 * sizeof(void *), (size_t)evutil_offsetof(struct evkeyval, key));
}

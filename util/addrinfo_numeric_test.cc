#include <gtest/gtest.h>
#include <netinet/in.h>

#include "util/addrinfo.h"
#include "util/memory.h"
#include "util/testing/counting_memory.h"

TEST(AddrinfoNumericTest, WhatHasToAskTheSystem) {
  struct evutil_addrinfo hints = {}, *list = nullptr;
  EXPECT_EQ(STRATA_ADDRINFO_NOT_NUMERIC, strata_addrinfo_numeric("localhost", "80", &hints, &list));
  EXPECT_EQ(STRATA_ADDRINFO_NOT_NUMERIC, strata_addrinfo_numeric("::1", "http", &hints, &list));
  EXPECT_EQ(STRATA_ADDRINFO_NOT_NUMERIC, strata_addrinfo_numeric(nullptr, "80", &hints, &list));
  hints.ai_family = AF_INET;
  EXPECT_EQ(STRATA_ADDRINFO_NOT_NUMERIC, strata_addrinfo_numeric("::1", "80", &hints, &list));
  EXPECT_EQ(nullptr, list);
}

TEST(AddrinfoNumericTest, Zone) {
  struct evutil_addrinfo hints = {}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  ASSERT_EQ(0, strata_addrinfo_numeric("fe80::1%5", "80", &hints, &list));
  EXPECT_EQ(5u, ((struct sockaddr_in6 *)list->ai_addr)->sin6_scope_id);
  evutil_freeaddrinfo(list);
}

TEST(AddrinfoNumericTest, Ports) {
  EXPECT_EQ(0, strata_port_parse("0"));
  EXPECT_EQ(65535, strata_port_parse("65535"));
  for (const char *text : {"", "65536", "-1", "+1", " 1", "1 ", "0x1", "99999999999999999999"})
    EXPECT_EQ(-1, strata_port_parse(text)) << text;
}

TEST(AddrinfoNumericTest, Append) {
  struct evutil_addrinfo *one = nullptr, *two = nullptr;
  ASSERT_EQ(0, evutil_getaddrinfo("127.0.0.1", "1", nullptr, &one));
  ASSERT_EQ(0, evutil_getaddrinfo("::1", "1", nullptr, &two));
  EXPECT_EQ(two, strata_addrinfo_append(nullptr, two));
  EXPECT_EQ(one, strata_addrinfo_append(one, two));
  int num = 0;
  for (struct evutil_addrinfo *ai = one; ai; ai = ai->ai_next) ++num;
  EXPECT_EQ(6, num);
  evutil_freeaddrinfo(one);
}

TEST(AddrinfoNumericTest, EachAllocationMayFail) {
  struct evutil_addrinfo hints = {}, *list = nullptr;
  hints.ai_flags = EVUTIL_AI_CANONNAME;
  CountingMemory::Install(strata_set_mem_functions);
  int num_allowed = 0, error;
  do {
    CountingMemory::Begin(++num_allowed, CountingMemory::kAll);
    error = evutil_getaddrinfo("127.0.0.1", "80", &hints, &list);
    EXPECT_TRUE(error == 0 || error == EVUTIL_EAI_MEMORY);
    EXPECT_EQ(error == 0, list != nullptr);
    evutil_freeaddrinfo(list);
    EXPECT_EQ(0, CountingMemory::num_blocks());
  } while (error);
  strata_set_mem_functions(nullptr, nullptr, nullptr);
  EXPECT_EQ(5, num_allowed) << "three elements and a name";
}

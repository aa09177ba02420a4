#include <arpa/inet.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include <string>

#if defined(STRATA_ORACLE)
static const bool kOnLibevent = true;
#else
static const bool kOnLibevent = false;
#endif

// What an address parses to, as text: "host port zone", or "error".
static std::string Parse(const char *text) {
  struct sockaddr_storage storage;
  int len = sizeof(storage);
  char host[128];
  if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&storage, &len) < 0) return "error";
  if (storage.ss_family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;
    EXPECT_EQ((int)sizeof(*in), len);
    EXPECT_NE(nullptr, evutil_inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)));
    return host + (" " + std::to_string(ntohs(in->sin_port)));
  }
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
  EXPECT_EQ(AF_INET6, storage.ss_family);
  EXPECT_EQ((int)sizeof(*in6), len);
  EXPECT_NE(nullptr, evutil_inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)));
  return host +
         (" " + std::to_string(ntohs(in6->sin6_port)) + " " + std::to_string(in6->sin6_scope_id));
}

TEST(AddressTest, Ipv4WithAndWithoutPort) {
  EXPECT_EQ("1.2.3.4 0", Parse("1.2.3.4"));
  EXPECT_EQ("1.2.3.4 80", Parse("1.2.3.4:80"));
  EXPECT_EQ("1.2.3.4 65535", Parse("1.2.3.4:65535"));
}

TEST(AddressTest, Ipv6InItsThreeForms) {
  EXPECT_EQ("::1 0 0", Parse("::1"));
  EXPECT_EQ("::1 0 0", Parse("[::1]"));
  EXPECT_EQ("2001:db8::5 443 0", Parse("[2001:db8::5]:443"));
  EXPECT_EQ("::ffff:1.2.3.4 0 0", Parse("::ffff:1.2.3.4"));
}

TEST(AddressTest, Zones) {
  EXPECT_EQ("fe80::1 0 5", Parse("fe80::1%5"));
  EXPECT_EQ("fe80::1 80 5", Parse("[fe80::1%5]:80"));
  for (unsigned index = 1; index < 100; ++index) {
    char name[IF_NAMESIZE];
    if (!if_indextoname(index, name)) continue;
    std::string zone = std::to_string(index);
    EXPECT_EQ("fe80::1 0 " + zone, Parse(("fe80::1%" + std::string(name)).c_str()));
  }
  EXPECT_EQ("error", Parse("fe80::1%nosuchinterface"));
}

TEST(AddressTest, MalformedTextIsRefused) {
  for (const char *text : {"",
                           ":",
                           "[]",
                           "[",
                           "abc",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.1.1.1",
                           "1.2.3.4:",
                           "1.2.3.4:0",
                           "1.2.3.4:65536",
                           "1.2.3.4:-1",
                           "1.2.3.4:x",
                           "[1.2.3.4]",
                           "[1.2.3.4]:80",
                           "[::1",
                           "[::1]:",
                           "[::1]:0",
                           "[::1]:65536",
                           "1:2:3:4:5:6:7:8:9",
                           ":::",
                           "1.2.3.4%lo",
                           "::g"})
    EXPECT_EQ("error", Parse(text)) << text;
  EXPECT_EQ("error", Parse(std::string(300, '1').c_str()));
  EXPECT_EQ("error", Parse(("[" + std::string(300, ':') + "]:1").c_str()));
}

// libevent reads ports with atoi and IPv4 addresses with sscanf, so that rubbish around a number
// passes, and "01.2.3.4", which elsewhere is octal, is taken as decimal. strata reads digits only.
TEST(AddressTest, NumbersHoldNothingButDigits) {
  if (kOnLibevent) GTEST_SKIP() << "libevent accepts these";
  for (const char *text : {"1.2.3.4:80abc", "1.2.3.4: 80", "1.2.3.4:+80", "[::1]x", "[::1]80",
                           "01.2.3.4", " 1.2.3.4", "+1.2.3.4", "1.2.3.4:99999999999999999999"})
    EXPECT_EQ("error", Parse(text)) << text;
}

TEST(AddressTest, TooLittleRoom) {
  struct sockaddr_storage storage;
  int len = sizeof(struct sockaddr_in) - 1;
  EXPECT_EQ(-1, evutil_parse_sockaddr_port("1.2.3.4", (struct sockaddr *)&storage, &len));
  len = sizeof(struct sockaddr_in6) - 1;
  EXPECT_EQ(-1, evutil_parse_sockaddr_port("::1", (struct sockaddr *)&storage, &len));
  len = sizeof(struct sockaddr_in);
  EXPECT_EQ(0, evutil_parse_sockaddr_port("1.2.3.4", (struct sockaddr *)&storage, &len));
}

static std::string RoundTrip(const char *text) {
  struct in6_addr addr;
  char out[64];
  if (evutil_inet_pton(AF_INET6, text, &addr) != 1) return "error";
  return evutil_inet_ntop(AF_INET6, &addr, out, sizeof(out));
}

TEST(AddressTest, Ipv6TextIsCanonical) {
  EXPECT_EQ("::", RoundTrip("0:0:0:0:0:0:0:0"));
  EXPECT_EQ("::1", RoundTrip("0000::0001"));
  EXPECT_EQ("2001:db8::ff", RoundTrip("2001:0DB8:0:0:0:0:0:FF"));
  EXPECT_EQ("1:0:0:2::3", RoundTrip("1:0:0:2:0:0:0:3"));
  EXPECT_EQ("::ffff:1.2.3.4", RoundTrip("::FFFF:1.2.3.4"));
  EXPECT_EQ("error", RoundTrip("1::2::3"));
  EXPECT_EQ("error", RoundTrip("12345::"));
  EXPECT_EQ("error", RoundTrip("::1.2.3"));
  EXPECT_EQ("error", RoundTrip("1.2.3.4"));
}

TEST(AddressTest, NtopWithTooLittleRoom) {
  struct in_addr addr;
  char out[16];
  ASSERT_EQ(1, evutil_inet_pton(AF_INET, "100.100.100.100", &addr));
  EXPECT_EQ(nullptr, evutil_inet_ntop(AF_INET, &addr, out, 15));
  EXPECT_STREQ("100.100.100.100", evutil_inet_ntop(AF_INET, &addr, out, 16));
  EXPECT_EQ(nullptr, evutil_inet_ntop(AF_UNIX, &addr, out, sizeof(out)));
}

TEST(AddressTest, UnknownFamily) {
  struct in_addr addr;
  EXPECT_EQ(-1, evutil_inet_pton(AF_UNIX, "1.2.3.4", &addr));
}

TEST(AddressTest, Scope) {
  struct in6_addr addr;
  unsigned index = 99;
  EXPECT_EQ(1, evutil_inet_pton_scope(AF_INET6, "fe80::1", &addr, &index));
  EXPECT_EQ(0u, index);
  EXPECT_EQ(1, evutil_inet_pton_scope(AF_INET6, "fe80::1%7", &addr, &index));
  EXPECT_EQ(7u, index);
  EXPECT_EQ(0, evutil_inet_pton_scope(AF_INET6, "fe80::1%nosuchinterface", &addr, &index));
  EXPECT_EQ(0, evutil_inet_pton_scope(AF_INET, "1.2.3.4%7", &addr, &index));
  EXPECT_EQ(1, evutil_inet_pton_scope(AF_INET, "1.2.3.4", &addr, &index));
}

static int Compare(const char *a, const char *b, int include_port) {
  struct sockaddr_storage sa, sb;
  int a_len = sizeof(sa), b_len = sizeof(sb);
  EXPECT_EQ(0, evutil_parse_sockaddr_port(a, (struct sockaddr *)&sa, &a_len)) << a;
  EXPECT_EQ(0, evutil_parse_sockaddr_port(b, (struct sockaddr *)&sb, &b_len)) << b;
  int order = evutil_sockaddr_cmp((struct sockaddr *)&sa, (struct sockaddr *)&sb, include_port);
  int reverse = evutil_sockaddr_cmp((struct sockaddr *)&sb, (struct sockaddr *)&sa, include_port);
  EXPECT_EQ(order<0, reverse> 0) << a << " " << b;
  EXPECT_EQ(order == 0, reverse == 0) << a << " " << b;
  return order;
}

TEST(AddressTest, Order) {
  EXPECT_EQ(0, Compare("1.2.3.4:80", "1.2.3.4:80", 1));
  EXPECT_EQ(0, Compare("1.2.3.4:80", "1.2.3.4:81", 0));
  EXPECT_NE(0, Compare("1.2.3.4:80", "1.2.3.4:81", 1));
  EXPECT_LT(Compare("1.2.3.4", "1.2.3.5", 0), 0);
  EXPECT_LT(Compare("1.2.3.4", "200.2.3.4", 0), 0);
  EXPECT_EQ(0, Compare("[::1]:80", "[::1]:81", 0));
  EXPECT_NE(0, Compare("[::1]:80", "[::1]:81", 1));
  EXPECT_LT(Compare("::1", "::2", 1), 0);
  EXPECT_NE(0, Compare("::1", "0.0.0.1", 0));
}

TEST(AddressTest, OtherFamiliesAreNeverEqual) {
  struct sockaddr_storage a, b;
  memset(&a, 0, sizeof(a));
  a.ss_family = AF_UNIX;
  b = a;
  EXPECT_NE(0, evutil_sockaddr_cmp((struct sockaddr *)&a, (struct sockaddr *)&b, 1));
}

// libevent ends a run of zeros that reaches into the last 32 bits behind them and writes
// hexadecimal digits; strata writes an address of the old "IPv4-compatible" kind as inet_ntop(3)
// does, on Windows too, whose own function differs.
TEST(AddressTest, TextIsTheCLibrarys) {
#if !defined(__GLIBC__) && !defined(_WIN32)
  GTEST_SKIP() << "this C library's may differ";
#endif
  for (const char *text :
       {"::0.1.0.0", "::0.1.0.2", "::1.2.3.4", "::ffff:0.0.0.1", "1::1:0", "::"}) {
    struct in6_addr addr;
    char ours[INET6_ADDRSTRLEN];
    ASSERT_EQ(1, evutil_inet_pton(AF_INET6, text, &addr));
    ASSERT_NE(nullptr, evutil_inet_ntop(AF_INET6, &addr, ours, sizeof(ours)));
    if (kOnLibevent) continue;
    EXPECT_STREQ(text, ours);
#ifndef _WIN32
    char theirs[INET6_ADDRSTRLEN];
    ASSERT_NE(nullptr, inet_ntop(AF_INET6, &addr, theirs, sizeof(theirs)));
    EXPECT_STREQ(theirs, ours);
#endif
  }
  EXPECT_EQ(kOnLibevent ? "::1:0" : "::0.1.0.0", RoundTrip("0:0:0:0:0:0:1:0"));
}

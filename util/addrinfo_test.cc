#include <arpa/inet.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <set>
#include <string>
#include <vector>

// "family/socktype/protocol host:port" for each element, or the error's number.
static std::vector<std::string> Lookup(const char *host, const char *service, int socktype,
                                       int flags = 0, int family = AF_UNSPEC) {
  struct evutil_addrinfo hints = {}, *list = nullptr;
  std::vector<std::string> result;
  hints.ai_family = family;
  hints.ai_socktype = socktype;
  hints.ai_flags = flags;
  int error = evutil_getaddrinfo(host, service, &hints, &list);
  if (error) return {std::to_string(error)};
  for (struct evutil_addrinfo *ai = list; ai; ai = ai->ai_next) {
    char text[128], line[256];
    const void *addr = ai->ai_family == AF_INET
                           ? (void *)&((struct sockaddr_in *)ai->ai_addr)->sin_addr
                           : (void *)&((struct sockaddr_in6 *)ai->ai_addr)->sin6_addr;
    int port = ntohs(ai->ai_family == AF_INET ? ((struct sockaddr_in *)ai->ai_addr)->sin_port
                                              : ((struct sockaddr_in6 *)ai->ai_addr)->sin6_port);
    EXPECT_EQ(ai->ai_family, ai->ai_addr->sa_family);
    evutil_inet_ntop(ai->ai_family, addr, text, sizeof(text));
    evutil_snprintf(line, sizeof(line), "%s/%d/%d %s:%d", ai->ai_family == AF_INET ? "v4" : "v6",
                    ai->ai_socktype, ai->ai_protocol, text, port);
    result.push_back(line);
  }
  evutil_freeaddrinfo(list);
  return result;
}

typedef std::vector<std::string> Strings;

static Strings Error(int code) {
  return {std::to_string(code)};
}

TEST(AddrinfoTest, NumericHost) {
  EXPECT_EQ(Strings{"v4/1/6 127.0.0.1:80"}, Lookup("127.0.0.1", "80", SOCK_STREAM));
  EXPECT_EQ(Strings{"v4/2/17 127.0.0.1:53"}, Lookup("127.0.0.1", "53", SOCK_DGRAM));
  EXPECT_EQ(Strings{"v6/1/6 ::1:8080"}, Lookup("::1", "8080", SOCK_STREAM));
  EXPECT_EQ(Strings{"v4/1/6 10.0.0.1:0"}, Lookup("10.0.0.1", nullptr, SOCK_STREAM));
  EXPECT_EQ(Strings{"v4/1/6 10.0.0.1:5"},
            Lookup("10.0.0.1", "5", SOCK_STREAM, EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV));
}

TEST(AddrinfoTest, OpenSocketTypeGivesOneElementForEach) {
  EXPECT_EQ((Strings{"v4/1/6 1.2.3.4:80", "v4/2/17 1.2.3.4:80", "v4/3/0 1.2.3.4:80"}),
            Lookup("1.2.3.4", "80", 0));
}

TEST(AddrinfoTest, NoHostMeansThisHost) {
  Strings loopback = Lookup(nullptr, "80", SOCK_STREAM, 0, AF_INET);
  EXPECT_EQ(Strings{"v4/1/6 127.0.0.1:80"}, loopback);
  Strings any = Lookup(nullptr, "80", SOCK_STREAM, EVUTIL_AI_PASSIVE, AF_INET);
  EXPECT_EQ(Strings{"v4/1/6 0.0.0.0:80"}, any);
}

TEST(AddrinfoTest, NamedHostAndService) {
  Strings found = Lookup("localhost", "http", SOCK_STREAM, 0, AF_INET);
  EXPECT_EQ(Strings{"v4/1/6 127.0.0.1:80"}, found);
}

TEST(AddrinfoTest, Errors) {
  EXPECT_EQ(Error(EVUTIL_EAI_NONAME), Lookup(nullptr, nullptr, SOCK_STREAM));
  EXPECT_EQ(Error(EVUTIL_EAI_NONAME),
            Lookup("localhost", "80", SOCK_STREAM, EVUTIL_AI_NUMERICHOST));
  EXPECT_EQ(Error(EVUTIL_EAI_NONAME),
            Lookup("127.0.0.1", "http", SOCK_STREAM, EVUTIL_AI_NUMERICSERV));
  EXPECT_EQ(Error(EVUTIL_EAI_FAMILY), Lookup("127.0.0.1", "80", SOCK_STREAM, 0, 12345));
  EXPECT_EQ(Error(EVUTIL_EAI_SERVICE), Lookup("127.0.0.1", "80", SOCK_RAW));
  EXPECT_NE(Strings{"v6/1/6 ::1:80"}, Lookup("::1", "80", SOCK_STREAM, 0, AF_INET));
}

TEST(AddrinfoTest, HintsAreOptional) {
  struct evutil_addrinfo *list = nullptr;
  ASSERT_EQ(0, evutil_getaddrinfo("127.0.0.1", "80", nullptr, &list));
  ASSERT_NE(nullptr, list);
  EXPECT_EQ((int)sizeof(struct sockaddr_in), (int)list->ai_addrlen);
  evutil_freeaddrinfo(list);
}

TEST(AddrinfoTest, CanonicalName) {
  struct evutil_addrinfo hints = {}, *list = nullptr;
  hints.ai_flags = EVUTIL_AI_CANONNAME;
  ASSERT_EQ(0, evutil_getaddrinfo("127.0.0.1", "80", &hints, &list));
  EXPECT_STREQ("127.0.0.1", list->ai_canonname);
  ASSERT_NE(nullptr, list->ai_next);
  EXPECT_EQ(nullptr, list->ai_next->ai_canonname);
  evutil_freeaddrinfo(list);
}

TEST(AddrinfoTest, MappedAddressOnRequest) {
  EXPECT_EQ(Strings{"v6/1/6 ::ffff:1.2.3.4:80"},
            Lookup("1.2.3.4", "80", SOCK_STREAM, EVUTIL_AI_V4MAPPED, AF_INET6));
}

TEST(AddrinfoTest, EachErrorHasAText) {
  std::set<std::string> texts;
  const int codes[] = {EVUTIL_EAI_ADDRFAMILY, EVUTIL_EAI_AGAIN,  EVUTIL_EAI_BADFLAGS,
                       EVUTIL_EAI_FAIL,       EVUTIL_EAI_FAMILY, EVUTIL_EAI_MEMORY,
                       EVUTIL_EAI_NODATA,     EVUTIL_EAI_NONAME, EVUTIL_EAI_SERVICE,
                       EVUTIL_EAI_SOCKTYPE,   EVUTIL_EAI_SYSTEM, EVUTIL_EAI_CANCEL};
  for (int code : codes) texts.insert(evutil_gai_strerror(code));
  EXPECT_EQ(sizeof(codes) / sizeof(codes[0]), texts.size());
  EXPECT_EQ(0u, texts.count(evutil_gai_strerror(0)));
  EXPECT_NE(nullptr, evutil_gai_strerror(4711));
}

#if !defined(STRATA_ORACLE)  // libevent reads through the null pointer
TEST(AddrinfoTest, FreeingNothing) {
  evutil_freeaddrinfo(nullptr);
}
#endif

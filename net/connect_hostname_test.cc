// bufferevent_socket_connect_hostname without a DNS layer: the system is asked.
#include "net/test_support.h"

namespace {

class ConnectHostname : public ::testing::Test {
 protected:
  ConnectHostname() : listener_(Listen()), bev_(loop_, -1, BEV_OPT_CLOSE_ON_FREE) {}
  ~ConnectHostname() override { evutil_closesocket(listener_); }

  int Start(const char *host, int family = AF_INET) {
    return bufferevent_socket_connect_hostname(bev_, nullptr, family, host, Port());
  }
  int Port() const { return ntohs(AddressOf(listener_).sin_port); }
  bool RunUntilTold() {
    return loop_.RunUntil([&] { return !bev_.events.empty(); });
  }

  Loop loop_;
  evutil_socket_t listener_;
  Bev bev_;
};

TEST_F(ConnectHostname, ANumericHost) {
  ASSERT_EQ(0, Start("127.0.0.1"));
  EXPECT_TRUE(bev_.events.empty());
  ASSERT_TRUE(RunUntilTold());
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  EXPECT_EQ(0, bufferevent_socket_get_dns_error(bev_));
}

TEST_F(ConnectHostname, ANameOfThisHost) {
  ASSERT_EQ(0, Start("localhost"));
  ASSERT_TRUE(RunUntilTold());
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

TEST_F(ConnectHostname, EitherFamily) {
  ASSERT_EQ(0, Start("127.0.0.1", AF_UNSPEC));
  ASSERT_TRUE(RunUntilTold());
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

TEST_F(ConnectHostname, WhatWasWrittenBeforeFollows) {
  bev_.Write("early");
  ASSERT_EQ(0, Start("127.0.0.1"));
  ASSERT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  const evutil_socket_t peer = accept(listener_, nullptr, nullptr);
  char text[5];
  EXPECT_EQ(5, recv(peer, text, 5, MSG_WAITALL));
  evutil_closesocket(peer);
}

TEST_F(ConnectHostname, AHostThatIsNotFound) {
  ASSERT_EQ(0, Start("127.0.0.1", AF_INET6));
  // libevent calls back from inside the call.
  EXPECT_EQ(kOnLibevent, !bev_.events.empty());
  ASSERT_TRUE(RunUntilTold());
  EXPECT_EQ(std::vector<short>{BEV_EVENT_ERROR}, bev_.events);
  EXPECT_NE(0, bufferevent_socket_get_dns_error(bev_));
  EXPECT_STRNE("", evutil_gai_strerror(bufferevent_socket_get_dns_error(bev_)));
}

TEST_F(ConnectHostname, AnotherAttemptForgetsTheError) {
  ASSERT_EQ(0, Start("127.0.0.1", AF_INET6));
  ASSERT_TRUE(RunUntilTold());
  bev_.events.clear();
  ASSERT_EQ(0, Start("127.0.0.1"));
  ASSERT_TRUE(RunUntilTold());
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  EXPECT_EQ(0, bufferevent_socket_get_dns_error(bev_));
}

TEST_F(ConnectHostname, RefusedIsNoLookupError) {
  const int port = Port();
  evutil_closesocket(std::exchange(listener_, -1));
  ASSERT_EQ(0, bufferevent_socket_connect_hostname(bev_, nullptr, AF_INET, "127.0.0.1", port));
  ASSERT_TRUE(RunUntilTold());
  EXPECT_EQ(std::vector<short>{BEV_EVENT_ERROR}, bev_.events);
  EXPECT_EQ(0, bufferevent_socket_get_dns_error(bev_));
}

TEST_F(ConnectHostname, RefusesNonsense) {
  for (const int port : {0, -1, 65536})
    EXPECT_EQ(-1, bufferevent_socket_connect_hostname(bev_, nullptr, AF_INET, "127.0.0.1", port));
  EXPECT_EQ(-1, bufferevent_socket_connect_hostname(bev_, nullptr, AF_UNIX, "127.0.0.1", 80));
  loop_.Settle();
  EXPECT_TRUE(bev_.events.empty());
}

TEST_F(ConnectHostname, FreedBeforeTheAnswerIsTold) {
  ASSERT_EQ(0, Start("127.0.0.1"));
  bev_.Free();
  loop_.Settle();
  EXPECT_TRUE(bev_.events.empty());
}

#ifndef STRATA_ORACLE  // A function of 2.2.
class ConnectHostnameHints : public ConnectHostname {
 protected:
  ConnectHostnameHints() {
    hints_.ai_family = AF_INET;
    hints_.ai_socktype = SOCK_STREAM;
    hints_.ai_protocol = IPPROTO_TCP;
  }

  int Start(const char *host) {
    return bufferevent_socket_connect_hostname_hints(bev_, nullptr, &hints_, host, Port());
  }
  // All that is told, which comes from the loop.
  short Outcome(const char *host) {
    bev_.events.clear();
    EXPECT_EQ(0, Start(host));
    EXPECT_TRUE(bev_.events.empty());
    EXPECT_TRUE(RunUntilTold());
    loop_.Settle();
    return bev_.events.size() == 1 ? bev_.events[0] : -1;
  }
  int dns_error() { return bufferevent_socket_get_dns_error(bev_); }

  struct evutil_addrinfo hints_ = {};
};

TEST_F(ConnectHostnameHints, NameInTheFamilyThatIsAskedFor) {
  EXPECT_EQ(BEV_EVENT_CONNECTED, Outcome("localhost"));
  EXPECT_EQ(0, dns_error());
}

TEST_F(ConnectHostnameHints, NumberOfAnotherFamily) {
  const std::pair<int, const char *> cases[] = {{AF_INET6, "127.0.0.1"}, {AF_INET, "::1"}};
  for (const auto &[family, host] : cases) {
    hints_.ai_family = family;
    EXPECT_EQ(BEV_EVENT_ERROR, Outcome(host));
    // Systems do not agree on one.
    struct evutil_addrinfo *list = nullptr;
    EXPECT_NE(0, dns_error());
    EXPECT_EQ(evutil_getaddrinfo(host, nullptr, &hints_, &list), dns_error());
  }
}

TEST_F(ConnectHostnameHints, FamilyWithoutHosts) {
  hints_.ai_family = 12345;
  EXPECT_EQ(BEV_EVENT_ERROR, Outcome("127.0.0.1"));
  EXPECT_EQ(EVUTIL_EAI_FAMILY, dns_error());
}

TEST_F(ConnectHostnameHints, NumbersAlone) {
  hints_.ai_flags = EVUTIL_AI_NUMERICHOST;
  EXPECT_EQ(BEV_EVENT_ERROR, Outcome("localhost"));
  EXPECT_EQ(EVUTIL_EAI_NONAME, dns_error());
  EXPECT_EQ(BEV_EVENT_CONNECTED, Outcome("127.0.0.1"));
  EXPECT_EQ(0, dns_error());
}

TEST_F(ConnectHostnameHints, TypeThatHasNoPorts) {
  hints_.ai_socktype = SOCK_RAW;
  hints_.ai_protocol = 0;
  EXPECT_EQ(BEV_EVENT_ERROR, Outcome("127.0.0.1"));
  EXPECT_EQ(EVUTIL_EAI_SERVICE, dns_error());
}

TEST_F(ConnectHostnameHints, WithoutAHostItIsThisOne) {
  EXPECT_EQ(BEV_EVENT_CONNECTED, Outcome(nullptr));
}

TEST_F(ConnectHostnameHints, RefusesNonsense) {
  for (const int port : {0, -1, 65536})
    EXPECT_EQ(-1,
              bufferevent_socket_connect_hostname_hints(bev_, nullptr, &hints_, "127.0.0.1", port));
  struct bufferevent *pair[2];
  ASSERT_EQ(0, bufferevent_pair_new(loop_, 0, pair));
  EXPECT_EQ(-1, bufferevent_socket_connect_hostname_hints(pair[0], nullptr, &hints_, "127.0.0.1",
                                                          Port()));
  for (struct bufferevent *end : pair) bufferevent_free(end);
  loop_.Settle();
  EXPECT_TRUE(bev_.events.empty());
}
#endif

}  // namespace

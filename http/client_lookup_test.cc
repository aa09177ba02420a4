// The HTTP client with a resolver that does not block, as the DNS layer sets one.
#include "util/resolver.h"

#include <utility>

#include "http/client_testing.h"

namespace {

using client_testing::ClientTest;
using client_testing::Connection;
using client_testing::Exchange;
using client_testing::kHi;

struct Question {
  strata_resolver_cb callback = nullptr;
  void *arg = nullptr;
  std::string service;
};

// The question that waits for an answer, and how many were asked and cancelled.
Question g_question;
int g_num_asked, g_num_cancelled;

void Answer(int result) {
  Question question = std::exchange(g_question, Question());
  evutil_addrinfo *list = nullptr;
  evutil_addrinfo hints = {};
  hints.ai_flags = EVUTIL_AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  ASSERT_NE(question.callback, nullptr);
  if (result == 0) {
    ASSERT_EQ(evutil_getaddrinfo("127.0.0.1", question.service.c_str(), &hints, &list), 0);
  }
  question.callback(result, list, question.arg);
}

void *Ask(evdns_base *, const char *, const char *service, const evutil_addrinfo *,
          strata_resolver_cb callback, void *arg) {
  EXPECT_EQ(g_question.callback, nullptr) << "one question at a time";
  g_num_asked++;
  g_question = {callback, arg, service};
  return &g_question;
}

void Cancel(void *) {
  g_num_cancelled++;
  Answer(EVUTIL_EAI_CANCEL);
}

const struct strata_resolver kResolver = {Ask, Cancel};

class ClientLookupTest : public ClientTest {
 protected:
  ClientLookupTest() {
    strata_resolver = &kResolver;
    g_num_asked = g_num_cancelled = 0;
    server_.replies = {kHi};
  }
  ~ClientLookupTest() override { strata_resolver = nullptr; }

  // Gives up looking up, and connecting, almost at once, but tries it again.
  evhttp_connection *Impatient(bufferevent *bev) {
    evhttp_connection *con = evhttp_connection_base_bufferevent_new(
        loop_.base(), reinterpret_cast<evdns_base *>(this), bev, "a.name",
        static_cast<ev_uint16_t>(server_.port()));
    const timeval soon = {0, 1000};
    evhttp_connection_set_connect_timeout_tv(con, &soon);
    evhttp_connection_set_initial_retry_tv(con, &soon);
    evhttp_connection_set_retries(con, -1);
    return con;
  }

  void AsksAgain(bufferevent *bev) {
    Connection con(Impatient(bev));
    Exchange exchange;
    ASSERT_EQ(exchange.Make(con.get()), 0);
    ASSERT_TRUE(Run([] { return g_num_asked == 3; }));
    EXPECT_EQ(g_num_cancelled, 2);
    const timeval long_enough = {20, 0};
    evhttp_connection_set_connect_timeout_tv(con.get(), &long_enough);
    ASSERT_TRUE(Run([] { return g_num_asked == 4; }));
    Answer(0);
    ASSERT_TRUE(Finish(&exchange));
    EXPECT_EQ(exchange.code, 200);
    EXPECT_EQ(exchange.body, "hi");
    EXPECT_EQ(g_num_cancelled, 3);
  }
};

TEST_F(ClientLookupTest, RetriesWhileTheNameIsLookedUp) {
  AsksAgain(nullptr);
}

TEST_F(ClientLookupTest, RetriesOverTheUsersBuffereventWhileTheNameIsLookedUp) {
  AsksAgain(bufferevent_socket_new(loop_.base(), -1, BEV_OPT_CLOSE_ON_FREE));
}

TEST_F(ClientLookupTest, FreedWhileTheNameIsLookedUp) {
  Connection con(Impatient(bufferevent_socket_new(loop_.base(), -1, BEV_OPT_CLOSE_ON_FREE)));
  Exchange exchange;
  ASSERT_EQ(exchange.Make(con.get()), 0);
  ASSERT_EQ(g_num_asked, 1);
  con.Free();
  EXPECT_EQ(g_num_cancelled, 1);
  EXPECT_EQ(exchange.calls, 0);
}

}  // namespace

// bufferevent_socket_connect_hostname with a resolver that does not block, as the DNS layer sets
// one.
#include "util/resolver.h"

#include "net/test_support.h"

namespace {

// Answers when the test says so. One question at a time.
struct Question {
  strata_resolver_cb callback;
  void *arg;
  std::string host, service;
};
Question g_question;
bool g_answers_at_once;
bool g_answers_cancel_later;

void Answer(int result, const char *address = nullptr) {
  struct evutil_addrinfo *list = nullptr;
  struct evutil_addrinfo hints = {};
  hints.ai_flags = EVUTIL_AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  if (result == 0) {
    ASSERT_EQ(0, evutil_getaddrinfo(address, g_question.service.c_str(), &hints, &list));
  }
  const strata_resolver_cb callback = std::exchange(g_question.callback, nullptr);
  ASSERT_NE(nullptr, callback);
  callback(result, list, g_question.arg);
}

void *StartLookup(struct evdns_base *, const char *host, const char *service,
                  const struct evutil_addrinfo *, strata_resolver_cb callback, void *arg) {
  g_question = {callback, arg, host, service};
  if (!g_answers_at_once) return &g_question;
  Answer(0, "127.0.0.1");
  return nullptr;
}

void CancelLookup(void *request) {
  EXPECT_EQ(&g_question, request);
  if (!g_answers_cancel_later) Answer(EVUTIL_EAI_CANCEL);
}

const struct strata_resolver kResolver = {StartLookup, CancelLookup};

class ConnectResolver : public ::testing::Test {
 protected:
  ConnectResolver() : listener_(Listen()), bev_(loop_, -1, BEV_OPT_CLOSE_ON_FREE) {
    strata_resolver = &kResolver;
    g_question = {};
    g_answers_at_once = g_answers_cancel_later = false;
  }
  ~ConnectResolver() override {
    evutil_closesocket(listener_);
    strata_resolver = nullptr;
  }
  int Start() {
    return bufferevent_socket_connect_hostname(bev_, reinterpret_cast<struct evdns_base *>(this),
                                               AF_INET, "a.name",
                                               ntohs(AddressOf(listener_).sin_port));
  }

  Loop loop_;
  evutil_socket_t listener_;
  Bev bev_;
};

TEST_F(ConnectResolver, ConnectsWhenTheAnswerComes) {
  bev_.Enable(EV_READ);
  ASSERT_EQ(0, Start());
  loop_.Settle();
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_EQ("a.name", g_question.host);
  Answer(0, "127.0.0.1");
  EXPECT_TRUE(bev_.events.empty());
  ASSERT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
  const evutil_socket_t peer = accept(listener_, nullptr, nullptr);
  EXPECT_EQ(4, send(peer, "data", 4, 0));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == "data"; }));
  evutil_closesocket(peer);
}

TEST_F(ConnectResolver, AnAnswerAtOnce) {
  g_answers_at_once = true;
  ASSERT_EQ(0, Start());
  EXPECT_TRUE(bev_.events.empty());
  ASSERT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

TEST_F(ConnectResolver, TellsTheLookupsError) {
  ASSERT_EQ(0, Start());
  Answer(EVUTIL_EAI_NONAME);
  EXPECT_TRUE(bev_.events.empty());
  ASSERT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_ERROR}, bev_.events);
  EXPECT_EQ(EVUTIL_EAI_NONAME, bufferevent_socket_get_dns_error(bev_));
}

TEST_F(ConnectResolver, OneQuestionAtATime) {
  ASSERT_EQ(0, Start());
  EXPECT_EQ(-1, Start());
  Answer(EVUTIL_EAI_FAIL);
  EXPECT_EQ(0, Start());
  Answer(EVUTIL_EAI_FAIL);
}

TEST_F(ConnectResolver, FreeingCancels) {
  ASSERT_EQ(0, Start());
  bev_.Free();
  EXPECT_EQ(nullptr, g_question.callback);
  loop_.Settle();
  EXPECT_TRUE(bev_.events.empty());
}

TEST_F(ConnectResolver, FreeingCancelsThoughTheAnswerComesLater) {
  g_answers_cancel_later = true;
  ASSERT_EQ(0, Start());
  bev_.Free();
  loop_.Settle();
  Answer(EVUTIL_EAI_CANCEL);
  loop_.Settle();
  EXPECT_TRUE(bev_.events.empty());
}

TEST_F(ConnectResolver, AListThatComesTooLateIsFreed) {
  g_answers_cancel_later = true;
  ASSERT_EQ(0, Start());
  bev_.Free();
  Answer(0, "127.0.0.1");
  EXPECT_TRUE(bev_.events.empty());
}

// ---- Used for something else while the answer is outstanding ----

TEST_F(ConnectResolver, AnotherSocketCancels) {
  Pair pair;
  bev_.Enable(EV_READ);
  ASSERT_EQ(0, Start());
  ASSERT_EQ(0, bufferevent_setfd(bev_, pair[0]));
  EXPECT_EQ(nullptr, g_question.callback);
  EXPECT_EQ(4u, pair.Send("data"));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == "data"; }));
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_EQ(pair.Release(0), bufferevent_getfd(bev_));
}

TEST_F(ConnectResolver, NoSocketCancels) {
  ASSERT_EQ(0, Start());
  ASSERT_EQ(0, bufferevent_replacefd(bev_, -1));
  EXPECT_EQ(nullptr, g_question.callback);
  loop_.Settle();
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_EQ(-1, bufferevent_getfd(bev_));
}

TEST_F(ConnectResolver, AskingAgainAfterItWasCancelled) {
  ASSERT_EQ(0, Start());
  ASSERT_EQ(0, bufferevent_setfd(bev_, -1));
  ASSERT_EQ(0, Start());
  Answer(0, "127.0.0.1");
  ASSERT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

// The first question's answer is not the second's, and does not let it go on.
TEST_F(ConnectResolver, AskingAgainBeforeTheCancelledOneIsAnswered) {
  g_answers_cancel_later = true;
  for (const int late_result : {EVUTIL_EAI_CANCEL, EVUTIL_EAI_FAIL, 0}) {
    SCOPED_TRACE(late_result);
    ASSERT_EQ(0, Start());
    const Question first = g_question;
    ASSERT_EQ(0, bufferevent_setfd(bev_, -1));
    ASSERT_EQ(0, Start());
    const Question second = std::exchange(g_question, first);
    Answer(late_result, "127.0.0.1");
    loop_.Settle();
    EXPECT_TRUE(bev_.events.empty());
    EXPECT_EQ(-1, bufferevent_getfd(bev_));
    EXPECT_EQ(-1, Start()) << "the second question is under way";
    g_question = second;
    Answer(0, "127.0.0.1");
    ASSERT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
    EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
    bev_.events.clear();
    ASSERT_EQ(0, bufferevent_replacefd(bev_, -1));
  }
}

TEST_F(ConnectResolver, ConnectingToAnAddressCancels) {
  const struct sockaddr_in address = AddressOf(listener_);
  bev_.Enable(EV_READ);
  ASSERT_EQ(0, Start());
  ASSERT_EQ(0, bufferevent_socket_connect(bev_, reinterpret_cast<const struct sockaddr *>(&address),
                                          sizeof(address)));
  EXPECT_EQ(nullptr, g_question.callback);
  ASSERT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev_.events);
}

}  // namespace

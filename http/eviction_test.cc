// How the limits of a server hold one by one, and whose connection gives way to a new one. Strata's
// own.

#include <memory>
#include <string>
#include <vector>

#include "http/limits_testing.h"
#include "http/streaming_testing.h"

namespace {

using http_testing::Client;
using http_testing::EvictionTest;
using http_testing::GetRequest;
using http_testing::Later;
using http_testing::LimitsTest;
using http_testing::PostRequest;
using http_testing::Provider;
using http_testing::Reply;
using http_testing::Response;

TEST_F(LimitsTest, ReaderThatTricklesIsCutOff) {
  timeval tv = Ms(400);
  evhttp_set_write_timeout_tv(server_.http(), &tv);
  // It takes some KiB in each of about 40 turns of two windows.
  evhttp_set_min_reply_rate(server_.http(), 10 << 20);
  UseSmallBuffers();
  http_testing::Provider provider(http_testing::Pattern(64 << 20), 64 * 1024);
  server_.On("/big", [&](evhttp_request *req) {
    evhttp_send_reply_provided(req, 200, "OK", -1, Provider::Call, &provider);
  });
  Client client(&loop_, server_.port(), 16 * 1024);
  client.Send(GetRequest("/big"));
  while (!provider.ended) {
    client.Pause();
    Wait(20);
    client.Resume();
    event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    ASSERT_LT(client.received_in_all(), size_t{4} << 20);
  }
  EXPECT_GT(client.received_in_all(), 64u * 1024);
  EXPECT_LT(provider.given, size_t{64} << 20);
}

TEST_F(LimitsTest, ReaderThatKeepsUpIsNotCutOffThoughLittleComes) {
  timeval tv = Ms(50);
  evhttp_set_write_timeout_tv(server_.http(), &tv);
  evhttp_set_min_reply_rate(server_.http(), 10 << 20);
  http_testing::Provider provider(std::string(30, 'x'), 1);
  provider.on_ask = [&](evhttp_request *req, evbuffer *) {
    if (provider.asked % 2) return Provider::kUsual;
    Later(&loop_, 10, [req] { evhttp_request_body_ready(req); });
    return EVHTTP_BODY_MORE;
  };
  server_.On("/slow", [&](evhttp_request *req) {
    evhttp_send_reply_provided(req, 200, "OK", -1, Provider::Call, &provider);
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/slow")).body.size(), 30u);
}

TEST_F(LimitsTest, RequestsOfAConnection) {
  evhttp_set_max_requests(server_.http(), 3);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).Value("Connection"), "(none)");
  EXPECT_EQ(client.Get(PostRequest("/", "a")).Value("Connection"), "(none)");
  EXPECT_EQ(client.Get(GetRequest("/")).Value("Connection"), "close");
  EXPECT_TRUE(client.WaitClosed());
  evhttp_set_max_requests(server_.http(), 0);
  Client other(&loop_, server_.port());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(other.Get(GetRequest("/")).Value("Connection"), "(none)");
}

TEST_F(LimitsTest, FirstByteAndIdleTimeAreSetApart) {
  timeval soon = Ms(100), never = {0, 0};
  evhttp_set_first_byte_timeout_tv(server_.http(), &soon);
  evhttp_set_idle_timeout_tv(server_.http(), &never);
  Client silent(&loop_, server_.port()), idle(&loop_, server_.port());
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(silent.WaitClosed());
  EXPECT_EQ(silent.received(), "");
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  evhttp_set_first_byte_timeout_tv(server_.http(), &never);
  evhttp_set_idle_timeout_tv(server_.http(), &soon);
  Client patient(&loop_, server_.port());
  loop_.Settle();
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(idle.WaitClosed());
  EXPECT_EQ(patient.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(patient.WaitClosed());
}

// After those that are idle, and not for one that keeps up.
TEST_F(EvictionTest, ABodyThatIsBehindGivesWay) {
  evhttp_set_max_connections(server_.http(), 3);
  evhttp_set_min_body_rate(server_.http(), 2048);
  std::vector<evhttp_request *> held;
  server_.On("/hold", [&](evhttp_request *req) { held.push_back(req); });
  Client honest(&loop_, server_.port()), slow(&loop_, server_.port()), idle(&loop_, server_.port());
  const std::string upload = PostRequest("/", std::string(100000, 'b'));
  honest.Send(upload.substr(0, upload.size() - 40000));
  slow.Send(upload.substr(0, upload.size() - 99999));
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  Wait(2500);
  Client one(&loop_, server_.port()), two(&loop_, server_.port());
  one.Send(GetRequest("/hold"));
  EXPECT_TRUE(idle.WaitClosed());
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 1; }));
  two.Send(GetRequest("/hold"));
  EXPECT_TRUE(slow.WaitClosed());
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 2; }));
  EXPECT_EQ(AskOnce(GetRequest("/")).status, 503);
  EXPECT_EQ(honest.Get(upload.substr(upload.size() - 40000)).status, 200);
  for (evhttp_request *req : held) Reply(req, "x");
  Response response;
  EXPECT_TRUE(one.Receive(&response));
  EXPECT_TRUE(two.Receive(&response));
}

// They hold no place, so their going makes none.
TEST_F(EvictionTest, RefusedConnectionsHaveNoPlaceToGive) {
  evhttp_set_max_connections(server_.http(), 2);
  std::vector<evhttp_request *> held;
  server_.On("/hold", [&](evhttp_request *req) { held.push_back(req); });
  std::vector<std::unique_ptr<Client>> clients;
  auto ask = [&] {
    clients.emplace_back(new Client(&loop_, server_.port()));
    clients.back()->Send(GetRequest("/hold"));
  };
  auto expect_refused = [&] {
    clients.emplace_back(new Client(&loop_, server_.port()));
    Response response;
    ASSERT_TRUE(clients.back()->Receive(&response));
    EXPECT_EQ(response.status, 503);
  };
  for (int i = 0; i < 2; ++i) ask();
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 2; }));
  for (int i = 0; i < 5; ++i) expect_refused();
  Wait(1200);
  for (int i = 0; i < 5; ++i) expect_refused();
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 12);
  // Nor do they keep others from a place that is free.
  clients.front()->Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) < 12; }));
  ask();
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 3; }));
  for (evhttp_request *req : held) Reply(req, "x");
  Response response;
  EXPECT_TRUE(clients.back()->Receive(&response));
}

TEST_F(EvictionTest, SlowDownloadsDoNotHideIdleConnections) {
  const int num_slow = 17;
  evhttp_set_max_connections(server_.http(), num_slow + 1);
  int num_replied = 0;
  const std::string big(1 << 20, 'x');
  server_.On("/big", [&](evhttp_request *req) {
    ReplyBig(req, big);
    ++num_replied;
  });
  UseSmallBuffers();
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < num_slow; ++i) {
    slow.emplace_back(new Client(&loop_, server_.port(), 4096));
    slow.back()->Pause();
    slow.back()->Send(GetRequest("/big"));
  }
  ASSERT_TRUE(loop_.RunUntil([&] { return num_replied == num_slow; }));
  Client idle(&loop_, server_.port());
  EXPECT_EQ(idle.Get(GetRequest("/")).status, 200);
  Wait(1200);
  Client fresh(&loop_, server_.port());
  EXPECT_EQ(fresh.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(idle.WaitClosed());
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), num_slow + 1);
}

TEST_F(EvictionTest, OldestIdleConnectionGivesWay) {
  evhttp_set_max_connections(server_.http(), 3);
  evhttp_request *held = nullptr;
  server_.On("/hold", [&](evhttp_request *req) { held = req; });
  Client busy(&loop_, server_.port()), first(&loop_, server_.port()),
      second(&loop_, server_.port());
  busy.Send(GetRequest("/hold"));
  EXPECT_EQ(second.Get(GetRequest("/")).status, 200);
  EXPECT_EQ(first.Get(GetRequest("/")).status, 200);
  ASSERT_TRUE(loop_.RunUntil([&] { return held != nullptr; }));
  Wait(1200);
  // What has just been used is not the oldest any more.
  EXPECT_EQ(second.Get(GetRequest("/")).status, 200);
  Client fresh(&loop_, server_.port());
  EXPECT_EQ(fresh.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(first.WaitClosed());
  EXPECT_FALSE(second.closed());
  Reply(held, "x");
  Response response;
  EXPECT_TRUE(busy.Receive(&response));
}

}  // namespace

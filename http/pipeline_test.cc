// Requests that come without waiting for replies: order, budget, high-water mark, late replies.

#include "http/http_testing.h"

namespace {

using http_testing::BodyOf;
using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::OnLibevent;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

class PipelineTest : public testing::Test {
 protected:
  void EchoUri() {
    server_.OnAny([](evhttp_request *req) { Reply(req, evhttp_request_get_uri(req)); });
  }
  std::string Gets(int from, int to) {
    std::string requests;
    for (int i = from; i < to; ++i) requests += GetRequest("/" + std::to_string(i));
    return requests;
  }
  void ExpectUris(Client *client, int from, int to) {
    for (int i = from; i < to; ++i) {
      Response response;
      ASSERT_TRUE(client->Receive(&response)) << i;
      ASSERT_EQ(response.body, "/" + std::to_string(i));
    }
  }

  Loop loop_;
  Server server_{&loop_};
};

TEST_F(PipelineTest, AnsweredInOrder) {
  EchoUri();
  Client client(&loop_, server_.port());
  client.Send(Gets(0, 500));
  ExpectUris(&client, 0, 500);
  EXPECT_FALSE(client.closed());
}

TEST_F(PipelineTest, BodiesAmongThem) {
  server_.OnAny([](evhttp_request *req) { Reply(req, evhttp_request_get_uri(req) + BodyOf(req)); });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/a") + PostRequest("/b", "123") +
              "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "1\r\n4\r\n0\r\n\r\n" +
              GetRequest("/d"));
  for (const char *body : {"/a", "/b123", "/c4", "/d"}) {
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.body, body);
  }
}

TEST_F(PipelineTest, EmptyLineBetweenRequests) {
  if (OnLibevent()) return;  // It takes the empty line for a request.
  EchoUri();
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/0") + "\r\n" + GetRequest("/1"));
  ExpectUris(&client, 0, 2);
}

TEST_F(PipelineTest, LateReplyHoldsBackTheRest) {
  evhttp_request *held = nullptr;
  int called = 0;
  server_.OnAny([&](evhttp_request *req) {
    called++;
    if (called == 2)
      held = req;
    else
      Reply(req, evhttp_request_get_uri(req));
  });
  Client client(&loop_, server_.port());
  client.Send(Gets(0, 5));
  ASSERT_TRUE(loop_.RunUntil([&] { return held != nullptr; }));
  ExpectUris(&client, 0, 1);
  loop_.Settle();
  EXPECT_EQ(called, 2);
  EXPECT_EQ(client.received(), "");
  Reply(held, evhttp_request_get_uri(held));
  ExpectUris(&client, 1, 5);
}

TEST_F(PipelineTest, EveryReplyLate) {
  std::vector<evhttp_request *> held;
  server_.OnAny([&](evhttp_request *req) { held.push_back(req); });
  Client client(&loop_, server_.port());
  client.Send(Gets(0, 40));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(loop_.RunUntil([&] { return !held.empty(); }));
    ASSERT_EQ(held.size(), 1u);
    evhttp_request *req = held[0];
    held.clear();
    Reply(req, evhttp_request_get_uri(req));
  }
  ExpectUris(&client, 0, 40);
}

TEST_F(PipelineTest, NothingBehindConnectionClose) {
  int called = 0;
  server_.OnAny([&](evhttp_request *req) {
    called++;
    Reply(req, evhttp_request_get_uri(req));
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/0") + GetRequest("/1", "Connection: close\r\n") + GetRequest("/2"));
  ExpectUris(&client, 0, 2);
  ASSERT_TRUE(client.WaitClosed());
  EXPECT_EQ(called, 2);
  EXPECT_EQ(client.received(), "");
  // The rest was unread: libevent's close makes a reset of that.
  if (!OnLibevent()) {
    EXPECT_FALSE(client.reset());
  }
}

TEST_F(PipelineTest, CompletionsInOrder) {
  std::vector<std::string> completed;
  server_.OnAny([&](evhttp_request *req) {
    evhttp_request_set_on_complete_cb(
        req,
        [](evhttp_request *done, void *arg) {
          static_cast<std::vector<std::string> *>(arg)->push_back(evhttp_request_get_uri(done));
        },
        &completed);
    Reply(req, evhttp_request_get_uri(req));
  });
  Client client(&loop_, server_.port());
  client.Send(Gets(0, 100));
  ExpectUris(&client, 0, 100);
  ASSERT_TRUE(loop_.RunUntil([&] { return completed.size() == 100; }));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(completed[i], "/" + std::to_string(i));
}

TEST_F(PipelineTest, OthersGetTheirTurn) {
  // While one client's many requests are served, another one is answered in between.
  int flood = 0, flood_when_other = -1;
  server_.OnAny([&](evhttp_request *req) {
    if (evhttp_request_get_uri(req) == std::string("/other"))
      flood_when_other = flood;
    else
      flood++;
    Reply(req, "x");
  });
  Client greedy(&loop_, server_.port()), other(&loop_, server_.port());
  EXPECT_EQ(other.Get(GetRequest("/first")).status, 200);
  EXPECT_EQ(greedy.Get(GetRequest("/first")).status, 200);
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += GetRequest("/");
  greedy.Send(requests);
  other.Send(GetRequest("/other"));
  ASSERT_TRUE(loop_.RunUntil([&] { return flood_when_other >= 0; }));
  EXPECT_LT(flood_when_other, 100);
  for (int i = 0; i < 200; ++i) {
    Response response;
    ASSERT_TRUE(greedy.Receive(&response));
  }
}

TEST_F(PipelineTest, ReaderThatFallsBehindStopsTheServing) {
  if (OnLibevent()) return;  // It answers one at a time.
  const std::string body(64 * 1024, 'b');
  int called = 0;
  server_.OnAny([&](evhttp_request *req) {
    called++;
    Reply(req, body);
  });
  Client client(&loop_, server_.port(), 16 * 1024);
  client.Pause();
  client.Send(Gets(0, 1000));
  int last = -1;
  while (called != last) {
    last = called;
    loop_.Settle();
  }
  // Kernel buffers take some, the high-water mark allows 256 KiB more.
  EXPECT_LT(called, 200);
  client.Resume();
  for (int i = 0; i < 1000; ++i) {
    Response response;
    ASSERT_TRUE(client.Receive(&response)) << i;
    ASSERT_EQ(response.body.size(), body.size());
  }
  EXPECT_EQ(called, 1000);
}

TEST_F(PipelineTest, UnwantedInputIsBounded) {
  evhttp_request *held = nullptr;
  size_t max_input = 0;
  server_.OnAny([&](evhttp_request *req) {
    if (!held)
      held = req;
    else
      Reply(req, "x");
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  ASSERT_TRUE(loop_.RunUntil([&] { return held != nullptr; }));
  bufferevent *bufev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(held));
  std::string more;
  for (int i = 0; i < 20000; ++i) more += GetRequest("/x");
  client.Send(more);
  for (int i = 0; i < 100; ++i) {
    loop_.Settle();
    max_input = std::max(max_input, evbuffer_get_length(bufferevent_get_input(bufev)));
  }
  EXPECT_LT(max_input, 200u * 1024);
  Reply(held, "first");
  for (int i = 0; i < 20001; ++i) {
    Response response;
    ASSERT_TRUE(client.Receive(&response)) << i;
  }
}

TEST_F(PipelineTest, InputOfAFloodIsBounded) {
  // Short requests come in faster than a turn's budget of them is served.
  if (OnLibevent()) return;  // It reads on all the same.
  const int count = 50000;
  size_t max_input = 0;
  server_.OnAny([&](evhttp_request *req) {
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    evbuffer *input = bufferevent_get_input(evhttp_connection_get_bufferevent(evcon));
    max_input = std::max(max_input, evbuffer_get_length(input));
    evhttp_send_reply(req, 204, nullptr, nullptr);
  });
  Client client(&loop_, server_.port());
  std::string requests;
  for (int i = 0; i < count; ++i) requests += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  client.Send(requests);
  size_t reply_len = 0;
  ASSERT_TRUE(loop_.RunUntil([&] {
    if (!reply_len && client.received_in_all()) reply_len = client.received().find("\r\n\r\n") + 4;
    return reply_len && client.received_in_all() == count * reply_len;
  }));
  EXPECT_LT(max_input, 200u * 1024);
}

TEST_F(PipelineTest, UnwrittenRepliesAreBounded) {
  // Small as the replies are: what is kept for their completion callbacks is not.
  if (OnLibevent()) return;  // It answers one at a time.
  static int waiting, max_waiting;
  waiting = max_waiting = 0;
  server_.OnAny([&](evhttp_request *req) {
    max_waiting = std::max(max_waiting, ++waiting);
    evhttp_request_set_on_complete_cb(
        req, [](evhttp_request *, void *) { waiting--; }, nullptr);
    evhttp_send_reply(req, 204, nullptr, nullptr);
  });
  const int count = 30000;
  Client client(&loop_, server_.port(), 4096);
  client.Pause();
  client.Send(Gets(0, count));
  for (int last = -1, i = 0; i < 50 || last != max_waiting; ++i) {
    last = max_waiting;
    loop_.Settle();
  }
  EXPECT_LE(max_waiting, 100);
  client.Resume();
  client.Shutdown();
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(waiting, 0);
}

TEST_F(PipelineTest, HalfClosedWithALateReplyOwed) {
  // The earlier reply is not lost; the late one has nobody to go to.
  if (OnLibevent()) return;
  evhttp_request *held = nullptr;
  server_.OnAny([&](evhttp_request *req) {
    if (evhttp_request_get_uri(req) == std::string("/0"))
      Reply(req, "first");
    else
      held = req;
  });
  Client client(&loop_, server_.port());
  client.Send(Gets(0, 2));
  client.Shutdown();
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body, "first");
  EXPECT_TRUE(client.WaitClosed());
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(evhttp_request_get_connection(held), nullptr);
  Reply(held, "late");
}

TEST_F(PipelineTest, HalfClosedAfterManyRequests) {
  if (OnLibevent()) return;  // It drops the connection when it sees the end.
  EchoUri();
  Client client(&loop_, server_.port());
  client.Send(Gets(0, 100));
  client.Shutdown();
  ExpectUris(&client, 0, 100);
  EXPECT_TRUE(client.WaitClosed());
}

}  // namespace

// Who frees what, and when: every end that a request or a connection can come to. Meant to be run
// under AddressSanitizer.

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
using http_testing::SendChunk;
using http_testing::Server;

class LifetimeTest : public testing::Test {
 protected:
  // A request whose reply is owed.
  evhttp_request *Hold(Client *client, const std::string &request = GetRequest("/held")) {
    evhttp_request *held = nullptr;
    server_.OnAny([&held](evhttp_request *req) { held = req; });
    client->Send(request);
    EXPECT_TRUE(loop_.RunUntil([&] { return held != nullptr; }));
    return held;
  }
  static void CountClose(evhttp_connection *, void *arg) { ++*static_cast<int *>(arg); }

  Loop loop_;
  Server server_{&loop_};
};

TEST_F(LifetimeTest, ServerFreedAtOnce) {
  server_.Free();
}

TEST_F(LifetimeTest, ServerFreedWithOpenConnections) {
  server_.OnAny([](evhttp_request *req) { Reply(req, "x"); });
  Client idle(&loop_, server_.port()), used(&loop_, server_.port()), part(&loop_, server_.port());
  EXPECT_EQ(used.Get(GetRequest("/")).status, 200);
  part.Send("GET / HT");
  loop_.Settle();
  server_.Free();
  EXPECT_TRUE(idle.WaitClosed());
  EXPECT_TRUE(used.WaitClosed());
  EXPECT_TRUE(part.WaitClosed());
}

TEST_F(LifetimeTest, ServerFreedWithUnansweredRequests) {
  int closed = 0;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_connection_set_closecb(evhttp_request_get_connection(held), CountClose, &closed);
  server_.Free();
  EXPECT_EQ(closed, 1);
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, ServerFreedWithAReplyHalfSent) {
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_send_reply_start(held, 200, "OK");
  SendChunk(held, "some");
  server_.Free();
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, ServerFreedByAHandler) {
  if (OnLibevent()) return;  // Not allowed there.
  server_.OnAny([&](evhttp_request *req) {
    Reply(req, "x");
    server_.Free();
    EXPECT_STREQ(evhttp_request_get_uri(req), "/");
    EXPECT_EQ(evhttp_request_get_connection(req), nullptr);
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/") + GetRequest("/"));
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, ServerFreedWhenAReplyIsComplete) {
  if (OnLibevent()) return;
  server_.OnAny([&](evhttp_request *req) {
    evhttp_request_set_on_complete_cb(
        req, [](evhttp_request *, void *arg) { static_cast<Server *>(arg)->Free(); }, &server_);
    Reply(req, "x");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, ServerFreedByACloseCallback) {
  if (OnLibevent()) return;
  server_.OnAny([&](evhttp_request *req) {
    evhttp_connection_set_closecb(
        evhttp_request_get_connection(req),
        [](evhttp_connection *evcon, void *arg) {
          static_cast<Server *>(arg)->Free();
          EXPECT_EQ(evhttp_connection_get_server(evcon), nullptr);
        },
        &server_);
    Reply(req, "x");
  });
  Client client(&loop_, server_.port()), other(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).status, 200);
  client.Close();
  EXPECT_TRUE(other.WaitClosed());
}

TEST_F(LifetimeTest, CloseCallbackFreesTheServerAndThenReplies) {
  if (OnLibevent()) return;
  static Server *server;
  server = &server_;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_request_own(held);
  evhttp_connection *evcon = evhttp_request_get_connection(held);
  evhttp_connection_set_closecb(
      evcon,
      [](evhttp_connection *, void *arg) {
        server->Free();
        Reply(static_cast<evhttp_request *>(arg), "dropped");
      },
      held);
  evhttp_connection_free(evcon);
  EXPECT_EQ(evhttp_request_get_connection(held), nullptr);
  evhttp_request_free(held);
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, ConnectionFreedByAHandler) {
  int closed = 0;
  server_.OnAny([&](evhttp_request *req) {
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    evhttp_connection_set_closecb(evcon, CountClose, &closed);
    evhttp_connection_free(evcon);
    if (!OnLibevent()) {
      EXPECT_STREQ(evhttp_request_get_uri(req), "/");
      // Dropped.
      Reply(req, "x");
    }
  });
  if (OnLibevent()) return;  // It goes on to use the freed connection.
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/") + GetRequest("/"));
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(closed, 1);
}

TEST_F(LifetimeTest, ConnectionFreedAfterTheReplyInTheHandler) {
  if (OnLibevent()) return;
  server_.OnAny([&](evhttp_request *req) {
    Reply(req, "x");
    evhttp_connection_free(evhttp_request_get_connection(req));
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, ConnectionFreedFromOutside) {
  int closed = 0;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_connection *evcon = evhttp_request_get_connection(held);
  evhttp_connection_set_closecb(evcon, CountClose, &closed);
  evhttp_connection_free(evcon);
  EXPECT_EQ(closed, 1);
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, ClientClosesBeforeTheReply) {
  // libevent notices only when it writes.
  if (OnLibevent()) return;
  int closed = 0;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_connection_set_closecb(evhttp_request_get_connection(held), CountClose, &closed);
  client.Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return closed == 1; }));
  EXPECT_EQ(evhttp_request_get_connection(held), nullptr);
  EXPECT_STREQ(evhttp_request_get_uri(held), "/held");
  Reply(held, "too late");
}

TEST_F(LifetimeTest, ClientResetsBeforeTheReply) {
  if (OnLibevent()) return;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  client.Reset();
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_request_get_connection(held) == nullptr; }));
  evhttp_send_error(held, 500, nullptr);
}

TEST_F(LifetimeTest, ClientClosesDuringAStreamedReply) {
  int closed = 0;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_connection_set_closecb(evhttp_request_get_connection(held), CountClose, &closed);
  evhttp_send_reply_start(held, 200, "OK");
  SendChunk(held, "some");
  client.Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return closed == 1; }));
  EXPECT_EQ(evhttp_request_get_connection(held), nullptr);
  evbuffer *more = evbuffer_new();
  evbuffer_add(more, "more", 4);
  evhttp_send_reply_chunk(held, more);
  evbuffer_free(more);
  evhttp_send_reply_end(held);
}

TEST_F(LifetimeTest, ClientClosesInMidRequest) {
  server_.OnAny([](evhttp_request *req) { Reply(req, "x"); });
  for (const char *part :
       {"", "G", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    Client client(&loop_, server_.port());
    client.Send(part);
    loop_.Settle();
    client.Close();
    loop_.Settle();
    Client resetting(&loop_, server_.port());
    resetting.Send(part);
    loop_.Settle();
    resetting.Reset();
    loop_.Settle();
  }
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).status, 200);
}

TEST_F(LifetimeTest, ClientClosesWhileALargeReplyIsSent) {
  std::string big(10 << 20, 'x');
  server_.OnAny([&](evhttp_request *req) {
    evhttp_request_set_on_complete_cb(
        req, [](evhttp_request *, void *) { ADD_FAILURE() << "was not written"; }, nullptr);
    Reply(req, big);
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  ASSERT_TRUE(loop_.RunUntil([&] { return client.received_in_all() > 0; }));
  client.Reset();
  loop_.Settle();
}

TEST_F(LifetimeTest, CloseCallbackMayReply) {
  if (OnLibevent()) return;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_connection_set_closecb(
      evhttp_request_get_connection(held),
      [](evhttp_connection *evcon, void *arg) {
        char *address;
        ev_uint16_t port;
        evhttp_connection_get_peer(evcon, &address, &port);
        EXPECT_STREQ(address, "127.0.0.1");
        evhttp_connection_free(evcon);
        Reply(static_cast<evhttp_request *>(arg), "x");
      },
      held);
  evhttp_connection_free(evhttp_request_get_connection(held));
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LifetimeTest, OwnedRequestOutlivesEverything) {
  if (OnLibevent()) return;  // Ownership is not honoured for a server's requests.
  evhttp_request *owned = nullptr;
  server_.OnAny([&](evhttp_request *req) {
    if (!owned) {
      owned = req;
      evhttp_request_own(req);
    }
    Reply(req, "x");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(PostRequest("/owned", "body")).status, 200);
  EXPECT_EQ(client.Get(GetRequest("/", "Connection: close\r\n")).status, 200);
  server_.Free();
  EXPECT_STREQ(evhttp_request_get_uri(owned), "/owned");
  EXPECT_EQ(BodyOf(owned), "body");
  EXPECT_STREQ(evhttp_request_get_host(owned), "localhost");
  EXPECT_EQ(evhttp_request_get_connection(owned), nullptr);
  evhttp_request_free(owned);
}

TEST_F(LifetimeTest, OwnedRequestFreedInItsHandler) {
  if (OnLibevent()) return;
  server_.OnAny([](evhttp_request *req) {
    evhttp_request_own(req);
    Reply(req, "x");
    evhttp_request_free(req);
  });
  Client client(&loop_, server_.port());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Get(GetRequest("/")).body, "x");
}

TEST_F(LifetimeTest, OwnedRequestFreedRightAfterALateReply) {
  if (OnLibevent()) return;
  for (int i = 0; i < 3; ++i) {
    Client client(&loop_, server_.port());
    evhttp_request *held = Hold(&client);
    evhttp_request_own(held);
    Reply(held, "x");
    evhttp_request_free(held);
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.body, "x");
  }
}

TEST_F(LifetimeTest, OwnedRequestWithoutConnection) {
  if (OnLibevent()) return;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_request_own(held);
  client.Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_request_get_connection(held) == nullptr; }));
  Reply(held, "dropped");
  EXPECT_STREQ(evhttp_request_get_uri(held), "/held");
  evhttp_request_free(held);
}

TEST_F(LifetimeTest, SettingsOfABufferEndWithItsRequest) {
  // Request objects are used again; what a user hung on a buffer is not.
  int added = 0;
  server_.OnAny([&](evhttp_request *req) {
    evbuffer_add_cb(
        evhttp_request_get_input_buffer(req),
        [](evbuffer *, const evbuffer_cb_info *info, void *arg) {
          if (info->n_added) ++*static_cast<int *>(arg);
        },
        &added);
    Reply(req, "x");
  });
  Client client(&loop_, server_.port());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Get(PostRequest("/", "body")).body, "x");
  EXPECT_EQ(added, 0);
}

TEST_F(LifetimeTest, UnansweredRequestFreed) {
  if (OnLibevent()) return;
  Client client(&loop_, server_.port());
  evhttp_request *held = Hold(&client);
  evhttp_request_free(held);
  EXPECT_TRUE(client.WaitClosed());
  server_.OnAny([](evhttp_request *req) { evhttp_request_free(req); });
  Client second(&loop_, server_.port());
  second.Send(GetRequest("/") + GetRequest("/"));
  EXPECT_TRUE(second.WaitClosed());
}

TEST_F(LifetimeTest, RequestFreedWhileItsReplyIsWritten) {
  if (OnLibevent()) return;
  std::string big(5 << 20, 'x');
  evhttp_request *owned = nullptr;
  server_.OnAny([&](evhttp_request *req) {
    owned = req;
    evhttp_request_own(req);
    evhttp_request_set_on_complete_cb(
        req, [](evhttp_request *, void *) { ADD_FAILURE() << "was freed"; }, nullptr);
    Reply(req, big);
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  ASSERT_TRUE(loop_.RunUntil([&] { return client.received_in_all() > 0; }));
  evhttp_request_free(owned);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body.size(), big.size());
}

TEST_F(LifetimeTest, RequestOfTheUsersOwn) {
  evhttp_request *req = evhttp_request_new([](evhttp_request *, void *) {}, nullptr);
  ASSERT_NE(req, nullptr);
  EXPECT_EQ(evhttp_add_header(evhttp_request_get_output_headers(req), "A", "b"), 0);
  EXPECT_EQ(evhttp_request_get_connection(req), nullptr);
  EXPECT_EQ(evhttp_request_get_host(req), nullptr);
  evhttp_request_free(req);
}

TEST_F(LifetimeTest, HandlerRunsTheLoop) {
  if (OnLibevent()) return;
  int called = 0;
  server_.OnAny([&](evhttp_request *req) {
    called++;
    // A loop within the loop is refused by the base; what counts is that nothing breaks.
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    Reply(req, evhttp_request_get_uri(req));
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    EXPECT_STREQ(evhttp_request_get_uri(req), ("/" + std::to_string(called)).c_str());
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/1") + GetRequest("/2") + GetRequest("/3"));
  for (const char *body : {"/1", "/2", "/3"}) {
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.body, body);
  }
}

}  // namespace

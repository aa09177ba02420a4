// The HTTP client with bodies of any size, and the connections that
// libevent 2.1 does not have.

#include <event2/http_compat.h>
#ifndef _WIN32
#include <sys/un.h>
#endif

#include "http/client_testing.h"

namespace {

using client_testing::ClientTest;
using client_testing::Connection;
using client_testing::Exchange;
using client_testing::kHi;
using client_testing::Peer;
using http_testing::Server;

constexpr size_t kLarge = 64 << 20;
constexpr size_t kBound = 2 << 20;

// The bytes from an offset on: each block of 1 KiB is all of one kind.
std::string BytesAt(size_t offset, size_t len) {
  std::string bytes;
  bytes.reserve(len);
  while (bytes.size() < len) {
    const size_t at = offset + bytes.size(), left = 1024 - at % 1024;
    bytes.append(std::min(left, len - bytes.size()), static_cast<char>((at >> 10) * 7));
  }
  return bytes;
}

// The kernel's share of what is under way is small, whatever it would make of it by itself.
void BoundKernel(evhttp_request *req) {
  bufferevent *bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
  const evutil_socket_t fd = bufferevent_getfd(bev);
  const int len = 64 << 10;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, reinterpret_cast<const char *>(&len), sizeof(len));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, reinterpret_cast<const char *>(&len), sizeof(len));
}

// Provides a body, and checks one.
struct Pattern {
  size_t at = 0;
  size_t total = kLarge;
  int ends = 0;
  bool matches = true;
  const Pattern *taker = nullptr;
  size_t most_between = 0;  // Bytes provided that the taker had not taken.

  static int Provide(evhttp_request *req, evbuffer *out, size_t room, void *arg) {
    Pattern *self = static_cast<Pattern *>(arg);
    if (!out) {
      self->ends++;
      return 0;
    }
    if (self->at == 0) BoundKernel(req);
    const std::string bytes = BytesAt(self->at, std::min(room, self->total - self->at));
    self->at += bytes.size();
    if (self->taker) self->most_between = std::max(self->most_between, self->at - self->taker->at);
    evbuffer_add(out, bytes.data(), bytes.size());
    return self->at == self->total ? EVHTTP_BODY_LAST : EVHTTP_BODY_MORE;
  }
  void Take(evbuffer *in) {
    std::string bytes(evbuffer_get_length(in), '\0');
    evbuffer_remove(in, &bytes[0], bytes.size());
    matches = matches && bytes == BytesAt(at, bytes.size());
    at += bytes.size();
  }
};

// Takes a body, with rests in which whoever sends it could get far ahead.
struct RestingTaker : Pattern {
  static constexpr size_t kEvery = kLarge / 8;
  evhttp_request *resting = nullptr;

  void TakeFrom(evhttp_request *req) {
    if (at == 0) BoundKernel(req);
    const size_t before = at / kEvery;
    Take(evhttp_request_get_input_buffer(req));
    if (at / kEvery == before) return;
    resting = req;
    evhttp_request_pause_body(req);
  }
  // After a rest in which all has happened that could.
  void GoOn(http_testing::Loop *loop) {
    loop->Settle();
    evhttp_request *req = resting;
    resting = nullptr;
    evhttp_request_resume_body(req);
  }
};

TEST_F(ClientTest, LargeDownload) {
  Pattern sent;
  RestingTaker taken;
  sent.taker = &taken;
  Server server(&loop_);
  server.OnAny([&](evhttp_request *req) {
    evhttp_send_reply_provided(req, 200, "OK", -1, Pattern::Provide, &sent);
  });
  Connection con(&loop_, server.port());
  Exchange exchange;
  int rests = 0;
  exchange.WithChunks();
  exchange.on_chunk = [&] {
    exchange.chunk_bytes.clear();
    taken.TakeFrom(exchange.req);
  };
  exchange.Make(con.get());
  while (!exchange.calls) {
    ASSERT_TRUE(Run([&] { return taken.resting || exchange.calls; }));
    if (exchange.calls) break;
    rests++;
    taken.GoOn(&loop_);
  }
  EXPECT_EQ(exchange.code, 200);
  EXPECT_EQ(taken.at, kLarge);
  EXPECT_TRUE(taken.matches);
  EXPECT_EQ(rests, 8);
  EXPECT_LT(sent.most_between, kBound);
  EXPECT_EQ(sent.ends, 1);
}

TEST_F(ClientTest, PausedDownload) {
  Pattern sent, taken;
  sent.total = 8 << 20;
  Server server(&loop_);
  server.OnAny([&](evhttp_request *req) {
    evhttp_send_reply_provided(req, 200, "OK", static_cast<ev_int64_t>(sent.total),
                               Pattern::Provide, &sent);
  });
  Connection con(&loop_, server.port());
  Exchange exchange;
  bool paused = false;
  exchange.WithChunks();
  exchange.on_chunk = [&] {
    exchange.chunk_bytes.clear();
    taken.Take(evhttp_request_get_input_buffer(exchange.req));
    evhttp_request_pause_body(exchange.req);
    paused = true;
  };
  exchange.Make(con.get());
  ASSERT_TRUE(Run([&] { return paused; }));
  loop_.Settle();
  const size_t at_rest = taken.at;
  loop_.Settle();
  EXPECT_EQ(taken.at, at_rest);
  EXPECT_LT(
      evbuffer_get_length(bufferevent_get_input(evhttp_connection_get_bufferevent(con.get()))),
      kBound);
  while (!exchange.calls) {
    paused = false;
    evhttp_request_resume_body(exchange.req);
    ASSERT_TRUE(Run([&] { return paused || exchange.calls; }));
  }
  EXPECT_EQ(taken.at, sent.total);
  EXPECT_TRUE(taken.matches);
}

class Upload : public ClientTest, public testing::WithParamInterface<bool> {};

TEST_P(Upload, Large) {
  Pattern sent;
  RestingTaker taken;
  sent.taker = &taken;
  Server server(&loop_);
  evhttp_set_max_body_size(server.http(), -1);
  evhttp_set_newreqcb(
      server.http(),
      [](evhttp_request *req, void *arg) {
        // The request's callbacks get the server for their argument.
        static RestingTaker *taken;
        taken = static_cast<RestingTaker *>(arg);
        evhttp_request_set_chunked_cb(req, [](evhttp_request *r, void *) { taken->TakeFrom(r); });
        return 0;
      },
      &taken);
  server.OnAny([&](evhttp_request *req) { http_testing::Reply(req, "thanks"); });
  Connection con(&loop_, server.port());
  Exchange exchange;
  evhttp_request_set_body_provider(exchange.req, GetParam() ? static_cast<ev_int64_t>(kLarge) : -1,
                                   Pattern::Provide, &sent);
  exchange.Make(con.get(), EVHTTP_REQ_PUT);
  bufferevent *bev = evhttp_connection_get_bufferevent(con.get());
  int rests = 0;
  while (!exchange.calls) {
    ASSERT_TRUE(Run([&] { return taken.resting || exchange.calls; }));
    if (exchange.calls) break;
    rests++;
    taken.GoOn(&loop_);
  }
  EXPECT_EQ(exchange.body, "thanks");
  EXPECT_EQ(taken.at, kLarge);
  EXPECT_TRUE(taken.matches);
  EXPECT_EQ(rests, 8);
  EXPECT_LT(sent.most_between, kBound);
  EXPECT_EQ(sent.ends, 1);
  // Both messages are whole: the connection goes on.
  Exchange next;
  next.Make(con.get());
  ASSERT_TRUE(Finish(&next));
  EXPECT_EQ(evhttp_connection_get_bufferevent(con.get()), bev);
}

INSTANTIATE_TEST_SUITE_P(Lengths, Upload, testing::Bool());

TEST_F(ClientTest, ProviderThatBreaksOff) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  int ends = 0;
  evhttp_request_set_body_provider(
      exchange.req, -1,
      [](evhttp_request *, evbuffer *out, size_t, void *arg) {
        if (!out) ++*static_cast<int *>(arg);
        return EVHTTP_BODY_ABORT;
      },
      &ends);
  exchange.Make(con.get(), EVHTTP_REQ_POST);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(ends, 1);
}

TEST_F(ClientTest, ProviderOfARequestThatIsNeverSent) {
  int ends = 0;
  auto provide = [](evhttp_request *, evbuffer *out, size_t, void *arg) {
    if (!out) ++*static_cast<int *>(arg);
    return EVHTTP_BODY_MORE;
  };
  Connection con(&loop_, server_.port());
  Exchange waiting, refused;
  evhttp_request_set_body_provider(waiting.req, 5, provide, &ends);
  evhttp_request_set_body_provider(refused.req, 5, provide, &ends);
  EXPECT_EQ(refused.Make(con.get(), EVHTTP_REQ_POST, "/ "), -1);
  EXPECT_EQ(ends, 1);
  waiting.Make(con.get(), EVHTTP_REQ_POST);
  con.Free();
  EXPECT_EQ(ends, 2);
}

// ---- Other ways to a server ----

TEST_F(ClientTest, OverAConnectedBufferevent) {
  bufferevent *pair[2];
  ASSERT_EQ(bufferevent_pair_new(loop_.base(), BEV_OPT_CLOSE_ON_FREE, pair), 0);
  bufferevent_enable(pair[1], EV_READ | EV_WRITE);
  bufferevent_write(pair[1], "", 0);
  evhttp_connection *raw =
      evhttp_connection_base_bufferevent_reuse_new(loop_.base(), nullptr, pair[0]);
  ASSERT_NE(raw, nullptr);
  Connection con(raw);
  for (int i = 0; i < 2; ++i) {
    Exchange exchange;
    ASSERT_EQ(exchange.Make(raw), 0);
    ASSERT_TRUE(Run([&] { return evbuffer_get_length(bufferevent_get_input(pair[1])) > 0; }));
    loop_.Settle();
    evbuffer_drain(bufferevent_get_input(pair[1]), 10000);
    bufferevent_write(pair[1], kHi.data(), kHi.size());
    ASSERT_TRUE(Finish(&exchange));
    EXPECT_EQ(exchange.body, "hi");
  }
  bufferevent_flush(pair[1], EV_WRITE, BEV_FINISHED);
  ASSERT_TRUE(Run([&] { return con.closes == 1; }));
  Exchange late;
  EXPECT_EQ(late.Make(raw), -1);
  bufferevent_free(pair[1]);
}

#ifndef _WIN32
TEST_F(ClientTest, OverALocalSocket) {
  char directory[] = "/tmp/client_test_XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/socket";
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s", path.c_str());
  evconnlistener *listener = evconnlistener_new_bind(
      loop_.base(), nullptr, nullptr, LEV_OPT_CLOSE_ON_FREE, 8,
      reinterpret_cast<sockaddr *>(&address), static_cast<int>(sizeof(address)));
  ASSERT_NE(listener, nullptr);
  evhttp *http = evhttp_new(loop_.base());
  evhttp_set_gencb(
      http, [](evhttp_request *req, void *) { http_testing::Reply(req, "local"); }, nullptr);
  ASSERT_NE(evhttp_bind_listener(http, listener), nullptr);
  evhttp_connection *raw =
      evhttp_connection_base_bufferevent_unix_new(loop_.base(), nullptr, path.c_str());
  ASSERT_NE(raw, nullptr);
  {
    Connection con(raw);
    Exchange exchange;
    ASSERT_EQ(exchange.Make(raw), 0);
    ASSERT_TRUE(Finish(&exchange));
    EXPECT_EQ(exchange.body, "local");
  }
  evhttp_free(http);
  unlink(path.c_str());
  rmdir(directory);
}
#endif

TEST_F(ClientTest, FurtherMethods) {
  Connection con(&loop_, server_.port());
  evhttp_connection_set_ext_method_cmp(con.get(), [](evhttp_ext_method *method) {
    if (method->method || method->type != EVHTTP_REQ_MAX << 1) return -1;
    method->method = "BREW";
    return 0;
  });
  server_.replies = {kHi};
  Exchange exchange;
  ASSERT_EQ(exchange.Make(con.get(), static_cast<evhttp_cmd_type>(EVHTTP_REQ_MAX << 1)), 0);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(server_.peers[0]->in.find("BREW / HTTP/1.1\r\n"), 0u);
}

TEST_F(ClientTest, MethodsOfWebDav) {
  const struct {
    evhttp_cmd_type method;
    const char *name;
    bool says_length;  // Its body would have a meaning (RFC 9110 8.6).
  } cases[] = {{EVHTTP_REQ_PROPFIND, "PROPFIND", true}, {EVHTTP_REQ_PROPPATCH, "PROPPATCH", true},
               {EVHTTP_REQ_MKCOL, "MKCOL", false},      {EVHTTP_REQ_LOCK, "LOCK", true},
               {EVHTTP_REQ_UNLOCK, "UNLOCK", false},    {EVHTTP_REQ_COPY, "COPY", false},
               {EVHTTP_REQ_MOVE, "MOVE", false}};
  for (const auto &c : cases) {
    server_.replies.push_back(kHi);
    Connection con(&loop_, server_.port());
    Exchange exchange;
    ASSERT_EQ(exchange.Make(con.get(), c.method), 0);
    ASSERT_TRUE(Finish(&exchange));
    const std::string &sent = server_.peers.back()->in;
    EXPECT_EQ(sent.find(std::string(c.name) + " / HTTP/1.1\r\n"), 0u) << sent;
    EXPECT_EQ(sent.find("Content-Length: 0\r\n") != std::string::npos, c.says_length) << sent;
  }
}

// It is counted though the length is not sent, and need not say which piece is the last.
TEST_F(ClientTest, ProviderOfKnownLengthThatIsSentChunked) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithField("Transfer-Encoding", "chunked");
  evhttp_request_set_body_provider(
      exchange.req, 4,
      [](evhttp_request *, evbuffer *out, size_t, void *) {
        if (out) evbuffer_add(out, "abc", 3);
        return EVHTTP_BODY_MORE;
      },
      nullptr);
  ASSERT_EQ(exchange.Make(con.get(), EVHTTP_REQ_POST), 0);
  Peer *peer = server_.WaitFor(0, "0\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  EXPECT_NE(peer->in.find("\r\n\r\n3\r\nabc\r\n1\r\na\r\n0\r\n\r\n"), std::string::npos)
      << peer->in;
}

TEST_F(ClientTest, BaseGivenLater) {
  server_.replies = {kHi};
  Connection con(evhttp_connection_new("127.0.0.1", static_cast<ev_uint16_t>(server_.port())));
  evhttp_connection_set_timeout(con.get(), 10);
  evhttp_connection_set_base(con.get(), loop_.base());
  Exchange exchange;
  ASSERT_EQ(exchange.Make(con.get()), 0);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.body, "hi");
}

TEST_F(ClientTest, NeverGivenABase) {
  Connection con(evhttp_connection_new("127.0.0.1", 80));
  Exchange exchange;
  EXPECT_EQ(exchange.Make(con.get()), -1);
}

// ---- What is no HTTP any more ----

TEST_F(ClientTest, UpgradedConnectionIsHandedOver) {
  server_.replies = {
      "HTTP/1.1 101 Switching\r\nConnection: "
      "upgrade\r\nUpgrade: x\r\n\r\nnot http"};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  bufferevent *bev = nullptr;
  exchange.WithField("Connection", "Upgrade").WithField("Upgrade", "x");
  exchange.on_reply = [&] {
    bev = evhttp_connection_take_bufferevent(con.get());
    con.Forget();
  };
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 101);
  EXPECT_EQ(con.closes, 1);
  ASSERT_NE(bev, nullptr);
  bufferevent_enable(bev, EV_READ);
  ASSERT_TRUE(
      Run([&] { return evbuffer_get_length(bufferevent_get_input(bev)) == strlen("not http"); }));
  bufferevent_write(bev, "still open", 10);
  EXPECT_NE(server_.WaitFor(0, "still open"), nullptr);
  bufferevent_free(bev);
}

TEST_F(ClientTest, AnotherRequestAfterAnUpgradeTakesANewConnection) {
  server_.replies = {"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", kHi};
  Connection con(&loop_, server_.port());
  Exchange exchange, next;
  exchange.WithField("Connection", "Upgrade").WithField("Upgrade", "x").Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  next.Make(con.get());
  ASSERT_TRUE(Finish(&next));
  EXPECT_EQ(server_.peers.size(), 2u);
  EXPECT_EQ(evhttp_connection_take_bufferevent(con.get()), nullptr);
}

TEST_F(ClientTest, RequestsGoThroughATunnel) {
  server_.replies = {"HTTP/1.1 200 Connected\r\n\r\n", kHi};
  Connection con(&loop_, server_.port());
  Exchange connect, through;
  connect.Make(con.get(), EVHTTP_REQ_CONNECT, "example.org:80");
  through.WithField("Host", "example.org").Make(con.get());
  ASSERT_TRUE(Finish(&through));
  EXPECT_EQ(connect.code, 200);
  EXPECT_EQ(through.body, "hi");
  EXPECT_EQ(server_.peers.size(), 1u);
  EXPECT_NE(
      server_.peers[0]->in.find("CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n"),
      std::string::npos);
}

}  // namespace

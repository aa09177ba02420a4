// Replies whose body is provided as the client takes it: strata's own.

#include "http/streaming_testing.h"
#include "util/platform.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Later;
using http_testing::Pattern;
using http_testing::PostRequest;
using http_testing::Provider;
using http_testing::Response;
using http_testing::StreamingTest;

class Download : public StreamingTest {};

TEST_F(Download, CountedChunkedAndUntilTheEnd) {
  const std::string body = Pattern(1 << 20);
  for (size_t piece : {1000, 100000, 1 << 20}) {
    Provider counted(body, piece), chunked(body, piece), old(body, piece);
    Client client(&loop_, server_.port());
    Provide(&counted, static_cast<ev_int64_t>(body.size()));
    Response response = client.Get(GetRequest("/"));
    EXPECT_EQ(response.Value("Content-Length"), std::to_string(body.size()));
    EXPECT_TRUE(response.body == body);
    EXPECT_EQ(counted.ended, 1);
    Provide(&chunked, -1);
    response = client.Get(GetRequest("/"));
    EXPECT_TRUE(response.chunked);
    EXPECT_TRUE(response.body == body);
    EXPECT_EQ(chunked.ended, 1);
    Provide(&old, -1);
    response = client.Get("GET / HTTP/1.0\r\n\r\n");
    EXPECT_FALSE(response.chunked);
    EXPECT_EQ(response.Value("Content-Length"), "(none)");
    EXPECT_TRUE(response.body == body);
    EXPECT_EQ(old.ended, 1);
    EXPECT_TRUE(client.closed());
  }
}

// A body of known length ends with it even where the length is not sent: see transfer_coding_test.
TEST_F(Download, CountedWithATransferCoding) {
  for (ev_int64_t len : {0, 7, 20, 29}) {
    Provider provider("not said to be the last piece", 5);
    bool empty = false;
    // It never says so.
    provider.on_ask = [&](evhttp_request *, evbuffer *out) {
      EXPECT_FALSE(empty);
      empty = provider.Give(out) == EVHTTP_BODY_LAST;
      return EVHTTP_BODY_MORE;
    };
    server_.OnAny([&](evhttp_request *req) {
      evhttp_add_header(evhttp_request_get_output_headers(req), "Transfer-Encoding", "gzip");
      evhttp_send_reply_provided(req, 200, "OK", len, Provider::Call, &provider);
    });
    Client client(&loop_, server_.port());
    Response response = client.Get(GetRequest("/"));
    EXPECT_EQ(response.Value("Transfer-Encoding"), "gzip, chunked");
    EXPECT_EQ(response.Field("Content-Length"), nullptr);
    EXPECT_EQ(response.body, std::string("not said to be the last piece").substr(0, len));
    EXPECT_EQ(provider.ended, 1);
    EXPECT_FALSE(client.closed());
  }
}

TEST_F(Download, CountedWithATransferCodingThatEndsTooSoon) {
  Provider provider("short");
  server_.OnAny([&](evhttp_request *req) {
    evhttp_add_header(evhttp_request_get_output_headers(req), "Transfer-Encoding", "gzip");
    evhttp_send_reply_provided(req, 200, "OK", 6, Provider::Call, &provider);
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  ASSERT_TRUE(client.WaitClosed());
  // No last chunk: the client can tell.
  EXPECT_EQ(client.received().substr(client.received().find("\r\n\r\n")), "\r\n\r\n5\r\nshort\r\n");
}

TEST_F(Download, SlowReaderIsNotProvidedFor) {
  const std::string body = Pattern(3 << 20);
  for (ev_int64_t len : {static_cast<ev_int64_t>(body.size()), ev_int64_t{-1}}) {
    Provider provider(body, 16 * 1024);
    Provide(&provider, len);
    Client client(&loop_, server_.port(), kSmall);
    client.Pause();
    client.Send(GetRequest("/"));
    ASSERT_TRUE(loop_.RunUntil([&] { return provider.given > 0; }));
    loop_.Settle();
    // What the library holds, and what lies in the two sockets.
    EXPECT_LE(provider.given, size_t{1} << 20);
    client.Resume();
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_TRUE(response.body == body);
    EXPECT_EQ(provider.ended, 1);
  }
}

TEST_F(Download, ProviderThatHasNothingIsAskedAgainWhenReady) {
  Provider provider("abcdef", 2);
  evhttp_request *request = nullptr;
  bool nothing = true;
  provider.on_ask = [&](evhttp_request *req, evbuffer *) {
    request = req;
    nothing = !nothing;
    return nothing ? EVHTTP_BODY_MORE : Provider::kUsual;
  };
  Provide(&provider, -1);
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  for (int ready = 0; ready < 2; ++ready) {
    ASSERT_TRUE(loop_.RunUntil([&] { return provider.asked == 2 * ready + 2; }));
    loop_.Settle();
    EXPECT_EQ(provider.asked, 2 * ready + 2);
    EXPECT_EQ(provider.given, static_cast<size_t>(2 * ready + 2));
    evhttp_request_body_ready(request);
    EXPECT_EQ(provider.asked, 2 * ready + 2) << "called from within";
  }
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body, "abcdef");
}

TEST_F(Download, ReadyWithinTheProvider) {
  Provider provider("abcdef", 6);
  int turns = 0;
  provider.on_ask = [&](evhttp_request *req, evbuffer *) {
    evhttp_request_body_ready(req);
    return ++turns < 10 ? EVHTTP_BODY_MORE : Provider::kUsual;
  };
  Provide(&provider, 6);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).body, "abcdef");
  EXPECT_EQ(turns, 10);
}

TEST_F(Download, TooMuchIsDroppedAndTheConnectionLives) {
  Provider provider("abcdef", 6);
  Provide(&provider, 4);
  Client client(&loop_, server_.port());
  for (int i = 0; i < 2; ++i) {
    provider.given = 0;
    provider.ended = provider.asked = 0;
    EXPECT_EQ(client.Get(GetRequest("/")).body, "abcd");
  }
  EXPECT_EQ(provider.ended, 1);
}

TEST_F(Download, TooLittleOrAbortClosesWithoutAProperEnd) {
  for (int what = 0; what < 3; ++what) {
    Provider provider("abcdef", 3);
    if (what > 0)
      provider.on_ask = [&](evhttp_request *, evbuffer *) {
        return provider.given ? EVHTTP_BODY_ABORT : Provider::kUsual;
      };
    Provide(&provider, what == 2 ? -1 : 9);
    Client client(&loop_, server_.port());
    client.Send(GetRequest("/"));
    ASSERT_TRUE(client.WaitClosed());
    EXPECT_EQ(provider.ended, 1);
    EXPECT_NE(client.received().find("abc"), std::string::npos);
    EXPECT_EQ(client.received().find("0\r\n\r\n"), std::string::npos);
  }
}

TEST_F(Download, NoBodyNoQuestion) {
  struct Case {
    const char *method;
    int code;
    const char *length;
  };
  for (const Case &c : {Case{"HEAD", 200, "3"}, Case{"GET", 204, "(none)"}, Case{"GET", 205, "0"},
                        Case{"GET", 304, "(none)"}}) {
    Provider provider("abc", 3);
    server_.OnAny([&](evhttp_request *req) {
      evhttp_send_reply_provided(req, c.code, nullptr, 3, Provider::Call, &provider);
    });
    Client client(&loop_, server_.port());
    Response response = client.Get(std::string(c.method) + " / HTTP/1.1\r\nHost: a\r\n\r\n", true);
    EXPECT_EQ(response.status, c.code);
    EXPECT_EQ(response.Value("Content-Length"), c.length);
    ASSERT_TRUE(WaitEnded(provider));
    EXPECT_EQ(provider.asked, 0);
    // And nothing of it stays behind.
    provider.ended = 0;
    EXPECT_EQ(client.Get(GetRequest("/"), c.code != 200).status, c.code);
  }
}

TEST_F(Download, EmptyBodies) {
  for (ev_int64_t len : {0, -1}) {
    Provider provider("", 3);
    Provide(&provider, len);
    Client client(&loop_, server_.port());
    EXPECT_EQ(client.Get(GetRequest("/")).body, "");
    EXPECT_EQ(provider.asked, len == 0 ? 0 : 1);
    EXPECT_EQ(provider.ended, 1);
  }
}

TEST_F(Download, OutputBufferComesFirst) {
  Provider provider("def", 1);
  server_.OnAny([&](evhttp_request *req) {
    evbuffer_add(evhttp_request_get_output_buffer(req), "abc", 3);
    evhttp_send_reply_provided(req, 200, "OK", 6, Provider::Call, &provider);
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).body, "abcdef");
}

TEST_F(Download, LengthAmongTheOutputHeadersCounts) {
  Provider provider("abcdef", 1);
  server_.OnAny([&](evhttp_request *req) {
    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Length", "6");
    evhttp_send_reply_provided(req, 200, "OK", -1, Provider::Call, &provider);
  });
  Client client(&loop_, server_.port());
  Response response = client.Get(GetRequest("/"));
  EXPECT_EQ(response.body, "abcdef");
  EXPECT_FALSE(response.chunked);
}

TEST_F(Download, PipelinedBehindIt) {
  const std::string body = Pattern(600000);
  std::vector<Provider *> providers;
  int completed = 0;
  server_.OnAny([&](evhttp_request *req) {
    evhttp_request_set_on_complete_cb(
        req, [](evhttp_request *, void *arg) { ++*static_cast<int *>(arg); }, &completed);
    providers.push_back(new Provider(body, 50000));
    evhttp_send_reply_provided(req, 200, "OK", providers.size() % 2 ? -1 : 600000, Provider::Call,
                               providers.back());
  });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/") + GetRequest("/") + GetRequest("/"));
  for (int i = 0; i < 3; ++i) {
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_TRUE(response.body == body);
  }
  ASSERT_TRUE(loop_.RunUntil([&] { return completed == 3; }));
  for (Provider *provider : providers) {
    EXPECT_EQ(provider->ended, 1);
    delete provider;
  }
}

// A reply that is provided while the request's body still comes; the handler is not asked then.
TEST_F(Download, BeforeTheBodyHasCome) {
  const std::string body = Pattern(300000);
  Provider provider(body, 1000);
  on_header_ = [&](evhttp_request *req) {
    evhttp_send_reply_provided(req, 200, "OK", 300000, Provider::Call, &provider);
    return 0;
  };
  for (bool all : {true, false}) {
    provider.given = 0;
    provider.ended = provider.asked = 0;
    Client client(&loop_, server_.port());
    std::string request = PostRequest("/", "abcdef");
    if (!all) request.resize(request.size() - 1);
    Response response = client.Get(request);
    EXPECT_TRUE(response.body == body);
    EXPECT_EQ(response.Value("Connection"), "close");
    EXPECT_EQ(provider.ended, 1);
    client.Shutdown();
    EXPECT_TRUE(client.WaitClosed());
  }
  EXPECT_EQ(handled_, 0);
}

TEST_F(Download, ClientThatHasSentAllMayShutDownItsSide) {
  const std::string body = Pattern(1 << 20);
  Provider provider(body, 10000);
  Provide(&provider, -1);
  Client client(&loop_, server_.port(), kSmall);
  client.Send(GetRequest("/"));
  client.Shutdown();
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_TRUE(response.body == body);
}

// ---- Its end, everywhere ----

TEST_F(Download, EverythingMayBeFreedInTheProvider) {
  for (int what = 0; what < 5; ++what) {
    http_testing::Server other(&loop_);
    Provider provider(Pattern(1 << 20), 1000);
    provider.on_ask = [&](evhttp_request *req, evbuffer *) {
      if (provider.given < 5000) return Provider::kUsual;
      if (what == 0) evhttp_connection_free(evhttp_request_get_connection(req));
      if (what == 1) evhttp_send_error(req, 500, nullptr);
      if (what == 2) other.Free();
      if (what == 3) evhttp_request_free(req);
      if (what == 4) {
        evhttp_request_own(req);
        evhttp_connection_free(evhttp_request_get_connection(req));
        evhttp_request_free(req);
      }
      EXPECT_EQ(provider.ended, 0) << "while it runs";
      return EVHTTP_BODY_MORE;
    };
    other.OnAny([&](evhttp_request *req) {
      evhttp_send_reply_provided(req, 200, "OK", -1, Provider::Call, &provider);
    });
    Client client(&loop_, other.port());
    client.Send(GetRequest("/"));
    EXPECT_TRUE(client.WaitClosed()) << what;
    EXPECT_EQ(provider.ended, 1) << what;
  }
}

TEST_F(Download, MayEndWhileItWaits) {
  for (int what = 0; what < 5; ++what) {
    Provider provider("abcdef", 1);
    evhttp_request *request = nullptr;
    provider.on_ask = [&](evhttp_request *req, evbuffer *) {
      request = req;
      return EVHTTP_BODY_MORE;
    };
    Provide(&provider, -1);
    Client client(&loop_, server_.port());
    client.Send(GetRequest("/"));
    ASSERT_TRUE(loop_.RunUntil([&] { return request != nullptr; }));
    loop_.Settle();
    if (what == 0) evhttp_connection_free(evhttp_request_get_connection(request));
    if (what == 1) evhttp_send_error(request, 500, nullptr);
    if (what == 2) client.Reset();
    if (what == 3) evhttp_request_free(request);
    if (what == 4) {
      // Owned: ready after the connection has gone, it is not asked.
      evhttp_request_own(request);
      evhttp_connection_free(evhttp_request_get_connection(request));
      evhttp_request_body_ready(request);
      evhttp_request_free(request);
    }
    ASSERT_TRUE(WaitEnded(provider)) << what;
    client.Close();
    EXPECT_TRUE(WaitNoConnection()) << what;
    EXPECT_EQ(provider.ended, 1) << what;
  }
}

TEST_F(Download, ReaderThatGoesAway) {
  Provider provider(Pattern(8 << 20), 10000);
  Provide(&provider, -1);
  Client client(&loop_, server_.port(), kSmall);
  client.Pause();
  client.Send(GetRequest("/"));
  ASSERT_TRUE(loop_.RunUntil([&] { return provider.given > 0; }));
  loop_.Settle();
  client.Reset();
  ASSERT_TRUE(WaitEnded(provider));
  EXPECT_TRUE(WaitNoConnection());
}

TEST_F(Download, ReplyToAClientThatHasGone) {
  Provider provider("abc", 1);
  evhttp_request *request = nullptr;
  server_.OnAny([&](evhttp_request *req) { request = req; });
  Client client(&loop_, server_.port());
  client.Send(GetRequest("/"));
  ASSERT_TRUE(loop_.RunUntil([&] { return request != nullptr; }));
  client.Reset();
  ASSERT_TRUE(WaitNoConnection());
  evhttp_send_reply_provided(request, 200, "OK", -1, Provider::Call, &provider);
  EXPECT_EQ(provider.ended, 1);
  EXPECT_EQ(provider.asked, 0);
}

#if STRATA_HAVE_FILE_MAPS && !defined(_WIN32)
// Reading what is mapped of it would end the program (mmap(2), SIGBUS); the kernel gives an error.
TEST_F(Download, FileThatIsTruncatedWhileItIsMapped) {
  const char *directory = getenv("TEST_TMPDIR");
  std::string path = std::string(directory ? directory : "/tmp") + "/download.XXXXXX";
  const int fd = mkstemp(&path[0]);
  ASSERT_GE(fd, 0);
  unlink(path.c_str());
  const std::string bytes(100, 'x');
  ASSERT_EQ(100, write(fd, bytes.data(), bytes.size()));
  evbuffer_file_segment *segment =
      evbuffer_file_segment_new(fd, 0, 100, EVBUF_FS_CLOSE_ON_FREE | EVBUF_FS_DISABLE_SENDFILE);
  server_.OnAny([segment](evhttp_request *req) {
    evbuffer *body = evbuffer_new();
    EXPECT_EQ(evbuffer_add_file_segment(body, segment, 0, -1), 0);
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/")).body, bytes);
  ASSERT_EQ(ftruncate(fd, 0), 0);
  client.Send(GetRequest("/"));
  EXPECT_TRUE(client.WaitClosed());
  evbuffer_file_segment_free(segment);
}
#endif

TEST_F(Download, ServerFreedMeanwhile) {
  Provider provider(Pattern(8 << 20), 10000);
  Provide(&provider, -1);
  Client client(&loop_, server_.port(), kSmall);
  client.Pause();
  client.Send(GetRequest("/"));
  ASSERT_TRUE(loop_.RunUntil([&] { return provider.given > 0; }));
  server_.Free();
  EXPECT_EQ(provider.ended, 1);
}

}  // namespace

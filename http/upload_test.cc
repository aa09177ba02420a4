// Request bodies that are taken as they come, paused and resumed: strata's own.

#include <event2/keyvalq_struct.h>

#include "http/streaming_testing.h"

namespace {

using http_testing::BodyOf;
using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Later;
using http_testing::Pattern;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;
using http_testing::StreamingTest;

class Upload : public StreamingTest {
 protected:
  static std::string Chunked(const std::string &body, size_t piece,
                             const std::string &trailers = "") {
    std::string text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (size_t at = 0; at < body.size(); at += piece) {
      char size[32];
      std::string part = body.substr(at, piece);
      snprintf(size, sizeof(size), "%zx\r\n", part.size());
      text += size + part + "\r\n";
    }
    return text + "0\r\n" + trailers + "\r\n";
  }
};

// What the process holds of a body whose consumer does not want it: less than this, however much
// comes. The input's mark, one read beyond it, and what lies in the request.
const size_t kBound = 64 * 1024 + 64 * 1024;

size_t Held(evhttp_request *req) {
  evhttp_connection *evcon = evhttp_request_get_connection(req);
  return evbuffer_get_length(evhttp_request_get_input_buffer(req)) +
         evbuffer_get_length(bufferevent_get_input(evhttp_connection_get_bufferevent(evcon)));
}

TEST_F(Upload, SlowConsumerHoldsTheSenderBack) {
  // A completion port has memory of its own (16 MiB) that it receives into beforehand.
  const std::string body = Pattern(getenv("EVENT_COMPLETION") ? 24 << 20 : 2 << 20);
  evhttp_set_max_body_size(server_.http(), -1);
  for (const std::string &request : {PostRequest("/", body), Chunked(body, 7000)}) {
    evhttp_request *paused = nullptr;
    bool resume = false;
    on_chunk_ = [&](evhttp_request *req) {
      EXPECT_EQ(paused, nullptr) << "called while paused";
      EXPECT_LE(Held(req), kBound);
      Take(req);
      paused = req;
      evhttp_request_pause_body(req);
    };
    taken_.clear();
    handled_ = 0;
    Client client(&loop_, server_.port(), kSmall);
    client.Send(request);
    for (int round = 0; !handled_; ++round) {
      ASSERT_TRUE(loop_.RunUntil([&] { return paused || handled_; }));
      if (handled_) break;
      // Everything that can come is let come, in the first rounds.
      if (round < 20) {
        loop_.Settle();
        EXPECT_LE(Held(paused), kBound);
        EXPECT_FALSE(client.sent_all());
      }
      evhttp_request *req = paused;
      paused = nullptr;
      resume = !resume;
      if (resume)
        evhttp_request_resume_body(req);
      else
        Later(&loop_, 0, [req] { evhttp_request_resume_body(req); });
    }
    EXPECT_TRUE(taken_ == body) << taken_.size();
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.status, 200);
  }
}

TEST_F(Upload, WhatIsLeftIsThrownAwayUnlessPaused) {
  std::vector<std::string> seen;
  bool pause = false;
  evhttp_request *paused = nullptr;
  on_chunk_ = [&](evhttp_request *req) {
    seen.push_back(BodyOf(req));
    evbuffer_drain(evhttp_request_get_input_buffer(req), 1);
    if (!pause) return;
    paused = req;
    evhttp_request_pause_body(req);
    pause = false;
  };
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(PostRequest("/", "abc")).status, 200);
  EXPECT_EQ(seen, (std::vector<std::string>{"abc"}));
  pause = true;
  seen.clear();
  client.Send(PostRequest("/", "abc"));
  ASSERT_TRUE(loop_.RunUntil([&] { return paused != nullptr; }));
  loop_.Settle();
  EXPECT_EQ(handled_, 1);
  evhttp_request_resume_body(paused);
  EXPECT_EQ(seen.size(), 1u) << "called from within";
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(seen, (std::vector<std::string>{"abc", "bc"}));
}

TEST_F(Upload, NextRequestWaitsBehindAPausedOne) {
  evhttp_request *paused = nullptr;
  on_chunk_ = [&](evhttp_request *req) {
    if (paused) return;
    paused = req;
    evhttp_request_pause_body(req);
  };
  Client client(&loop_, server_.port());
  client.Send(PostRequest("/", "abc") + GetRequest("/2"));
  ASSERT_TRUE(loop_.RunUntil([&] { return paused != nullptr; }));
  loop_.Settle();
  EXPECT_EQ(handled_, 0);
  evhttp_request_resume_body(paused);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(handled_, 2);
}

TEST_F(Upload, PausedWithoutAChunkedCallbackIsHandedOutAfterwards) {
  evhttp_request *paused = nullptr;
  std::string body;
  on_header_ = [&](evhttp_request *req) {
    paused = req;
    evhttp_request_pause_body(req);
    return 0;
  };
  server_.OnAny([&](evhttp_request *req) {
    body = BodyOf(req);
    Reply(req, "x");
  });
  Client client(&loop_, server_.port());
  client.Send(PostRequest("/", "abc"));
  ASSERT_TRUE(loop_.RunUntil([&] { return paused != nullptr; }));
  loop_.Settle();
  // Nobody is told that the client sends no more before it is known what it has sent.
  client.Shutdown();
  loop_.Settle();
  EXPECT_EQ(errors_, 0);
  EXPECT_EQ(body, "");
  evhttp_request_resume_body(paused);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(body, "abc");
}

TEST_F(Upload, PausedClientIsNotAskedToContinue) {
  evhttp_request *paused = nullptr;
  on_header_ = [&](evhttp_request *req) {
    paused = req;
    evhttp_request_pause_body(req);
    return 0;
  };
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(loop_.RunUntil([&] { return paused != nullptr; }));
  loop_.Settle();
  EXPECT_EQ(client.received(), "");
  evhttp_request_resume_body(paused);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 100);
  EXPECT_EQ(client.Get("abc").status, 200);
}

TEST_F(Upload, NoContinueAfterTheReplyHasBegun) {
  on_header_ = [&](evhttp_request *req) {
    evhttp_send_reply_start(req, 200, "OK");
    return 0;
  };
  server_.OnAny([&](evhttp_request *req) { evhttp_send_reply_end(req); });
  Client client(&loop_, server_.port());
  Response response = client.Get(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(response.status, 200);
}

TEST_F(Upload, NoDeadlineWhilePaused) {
  timeval tv = {0, 50000};
  evhttp_set_timeout_tv(server_.http(), &tv);
  evhttp_set_min_body_rate(server_.http(), 1000000);
  evhttp_request *paused = nullptr;
  on_chunk_ = [&](evhttp_request *req) {
    if (paused) return;
    paused = req;
    evhttp_request_pause_body(req);
  };
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc");
  ASSERT_TRUE(loop_.RunUntil([&] { return paused != nullptr; }));
  bool waited = false;
  Later(&loop_, 200, [&] { waited = true; });
  ASSERT_TRUE(loop_.RunUntil([&] { return waited; }));
  EXPECT_EQ(errors_, 0);
  // From here on it is the client's turn again.
  evhttp_request_resume_body(paused);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 408);
  EXPECT_EQ(errors_, 1);
}

TEST_F(Upload, LimitOfTheBodyMayBeSetInTheHeaderCallback) {
  evhttp_set_max_body_size(server_.http(), 2);
  on_header_ = [&](evhttp_request *req) {
    ev_ssize_t limit = strcmp(evhttp_request_get_uri(req), "/big") == 0 ? -1 : 2;
    evhttp_connection_set_max_body_size(evhttp_request_get_connection(req), limit);
    return 0;
  };
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(PostRequest("/big", "abc")).status, 200);
  EXPECT_EQ(client.Get(PostRequest("/", "abc")).status, 413);
}

// ---- Its end, everywhere ----

TEST_F(Upload, EverythingMayBeFreedInTheChunkedCallback) {
  for (int what = 0; what < 3; ++what) {
    http_testing::Server other(&loop_);
    evhttp_set_newreqcb(
        other.http(),
        [](evhttp_request *req, void *) {
          evhttp_request_set_chunked_cb(
              req, [](evhttp_request *of, void *) { current_->on_chunk_(of); });
          return 0;
        },
        nullptr);
    on_chunk_ = [&](evhttp_request *req) {
      evhttp_request_pause_body(req);
      if (what == 0) evhttp_connection_free(evhttp_request_get_connection(req));
      if (what == 1) evhttp_send_error(req, 400, nullptr);
      if (what == 2) other.Free();
    };
    Client client(&loop_, other.port());
    client.Send(PostRequest("/", "abc") + GetRequest("/"));
    if (what == 1) client.Shutdown();
    EXPECT_TRUE(client.WaitClosed()) << what;
  }
}

TEST_F(Upload, MayEndWhilePaused) {
  for (int what = 0; what < 4; ++what) {
#ifdef _WIN32
    // Wine ends the stream where a reset is asked for, and an end waits behind the pause.
    if (what == 2) continue;
#endif
    evhttp_request *paused = nullptr;
    on_chunk_ = [&](evhttp_request *req) {
      paused = req;
      evhttp_request_pause_body(req);
    };
    Client client(&loop_, server_.port());
    client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc");
    ASSERT_TRUE(loop_.RunUntil([&] { return paused != nullptr; }));
    if (what == 0) evhttp_connection_free(evhttp_request_get_connection(paused));
    if (what == 1) evhttp_send_error(paused, 400, nullptr);
    if (what == 2) client.Reset();
    if (what == 3) {
      // Owned: resumed after the connection has gone, it does nothing.
      evhttp_request_own(paused);
      evhttp_connection_free(evhttp_request_get_connection(paused));
      evhttp_request_resume_body(paused);
      evhttp_request_free(paused);
    }
    client.Close();
    EXPECT_TRUE(WaitNoConnection()) << what;
  }
  EXPECT_EQ(handled_, 0);
}

// ---- Trailers ----

TEST_F(Upload, TrailersAreKeptApart) {
  std::string found, merged = "(not asked)";
  size_t count = 0;
  server_.OnAny([&](evhttp_request *req) {
    evkeyvalq *trailers = evhttp_request_get_trailers(req);
    const char *value = evhttp_find_header(trailers, "X-Checksum");
    found = value ? value : "(none)";
    merged = evhttp_find_header(evhttp_request_get_input_headers(req), "X-Checksum") ? "yes" : "no";
    count = 0;
    for (evkeyval *field = trailers->tqh_first; field; field = field->next.tqe_next) count++;
    Reply(req, "x");
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client
                .Get(Chunked("abc", 2,
                             "X-Checksum: 17\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
                             "Host: b\r\nAuthorization: me\r\nIf-Match: *\r\nOther: \r\n"))
                .status,
            200);
  EXPECT_EQ(found, "17");
  EXPECT_EQ(merged, "no");
  EXPECT_EQ(count, 2u);
  // The next request has its own.
  EXPECT_EQ(client.Get(Chunked("abc", 2)).status, 200);
  EXPECT_EQ(found, "(none)");
  EXPECT_EQ(count, 0u);
}

TEST_F(Upload, TrailersAreLimited) {
  std::string many, large = "A: " + std::string(9000, 'a') + "\r\n";
  for (int i = 0; i < 65; ++i) many += "A: b\r\n";
  for (const std::string &trailers : {many, large}) {
    Client client(&loop_, server_.port());
    EXPECT_EQ(client.Get(Chunked("abc", 2, trailers)).status, 431);
    client.Shutdown();
    EXPECT_TRUE(client.WaitClosed());
  }
  EXPECT_EQ(handled_, 0);
}

}  // namespace

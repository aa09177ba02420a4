// An HTTP client and a server that sends anything, in any pieces. The client's callbacks do what a
// program may do at any moment. However it goes, each request's callback is called exactly once,
// unless the request was taken back, and a body provider is told of its end exactly once.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void Check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

// What the input decides, byte by byte; 0 once it is used up.
class Bytes {
 public:
  Bytes(const uint8_t *data, size_t len) : data_(data), len_(len) {}
  uint8_t Next() {
    if (!len_) return 0;
    len_--;
    return *data_++;
  }
  std::string Take(size_t len) {
    if (len > len_) len = len_;
    std::string bytes(reinterpret_cast<const char *>(data_), len);
    data_ += len;
    len_ -= len;
    return bytes;
  }
  bool empty() const { return len_ == 0; }

 private:
  const uint8_t *data_;
  size_t len_;
};

constexpr int kRequests = 3;

struct Session;

struct Request {
  Session *session = nullptr;
  evhttp_request *req = nullptr;  // While it is the connection's.
  int calls = 0, errors = 0, ends = 0;
  bool provided = false, taken_back = false;
};

struct Session {
  event_base *base = nullptr;
  bufferevent *server = nullptr;
  evhttp_connection *con = nullptr;
  Request requests[kRequests];
  uint8_t plan = 0;  // What a callback does, and which.
  int closes = 0;

  void Act(Request *request, uint8_t moment) {
    if ((plan & 7) != moment || !con) return;
    switch (plan >> 3 & 3) {
      case 0:
        break;
      case 1:
        for (Request &other : requests) {
          other.taken_back = other.taken_back || !other.calls;
          other.req = nullptr;
        }
        evhttp_connection_free(con);
        con = nullptr;
        break;
      case 2:
        if (!request->req) return;
        request->taken_back = true;
        evhttp_cancel_request(request->req);
        request->req = nullptr;
        break;
      case 3:
        if (!request->req) return;
        // What is left would be presented again, and paused again.
        evbuffer_drain(evhttp_request_get_input_buffer(request->req), 10000);
        evhttp_request_pause_body(request->req);
        break;
    }
  }
};

void OnReply(evhttp_request *, void *arg) {
  Request *request = static_cast<Request *>(arg);
  request->calls++;
  request->req = nullptr;
  request->session->Act(request, 1);
}

void OnError(enum evhttp_request_error, void *arg) {
  Request *request = static_cast<Request *>(arg);
  request->errors++;
  request->req = nullptr;
  Check(request->calls == 0, "an error after the end");
  request->session->Act(request, 2);
}

void OnChunk(evhttp_request *, void *arg) {
  Request *request = static_cast<Request *>(arg);
  Check(request->calls == 0, "a piece after the end");
  request->session->Act(request, 3);
}

int OnHead(evhttp_request *req, void *arg) {
  Request *request = static_cast<Request *>(arg);
  const int code = evhttp_request_get_response_code(req);
  Check(code == 101 || (code >= 200 && code <= 999), "a status that is none");
  request->session->Act(request, 4);
  return (request->session->plan & 7) == 5 ? -1 : 0;
}

int Provide(evhttp_request *, evbuffer *out, size_t, void *arg) {
  Request *request = static_cast<Request *>(arg);
  if (!out) {
    request->ends++;
    return 0;
  }
  evbuffer_add(out, "piece", 5);
  return (request->session->plan & 7) == 6 ? EVHTTP_BODY_ABORT : EVHTTP_BODY_LAST;
}

void Make(Session *session, Request *request, uint8_t choice) {
  static const evhttp_cmd_type types[] = {EVHTTP_REQ_GET, EVHTTP_REQ_HEAD, EVHTTP_REQ_POST,
                                          EVHTTP_REQ_CONNECT};
  const evhttp_cmd_type type = types[choice & 3];
  request->session = session;
  request->req = evhttp_request_new(OnReply, request);
  if (!request->req) return;
  evhttp_request_set_error_cb(request->req, OnError);
  evhttp_request_set_header_cb(request->req, OnHead);
  if (choice & 4) evhttp_request_set_chunked_cb(request->req, OnChunk);
  evkeyvalq *fields = evhttp_request_get_output_headers(request->req);
  if (choice & 8) evhttp_add_header(fields, "Expect", "100-continue");
  if (choice & 16) evhttp_add_header(fields, "Connection", "Upgrade");
  if (choice & 32 && type == EVHTTP_REQ_POST) {
    request->provided = true;
    evhttp_request_set_body_provider(request->req, choice & 64 ? 5 : -1, Provide, request);
  }
  if (evhttp_make_request(session->con, request->req, type, "/") < 0) {
    request->taken_back = true;
    request->req = nullptr;
  }
}

void Turn(Session *session) {
  for (int i = 0; i < 4; ++i) event_base_loop(session->base, EVLOOP_NONBLOCK);
  for (Request &request : session->requests) {
    if (request.req) evhttp_request_resume_body(request.req);
  }
}

void Serve(Session *session, Bytes *bytes) {
  while (!bytes->empty()) {
    const uint8_t len = bytes->Next();
    const std::string piece = bytes->Take(len ? len : 1);
    bufferevent_write(session->server, piece.data(), piece.size());
    Turn(session);
  }
  bufferevent_flush(session->server, EV_WRITE, BEV_FINISHED);
  for (int i = 0; i < 12; ++i) Turn(session);
}

void Run(Bytes bytes) {
  Session session;
  bufferevent *pair[2];
  session.base = event_base_new();
  bufferevent_pair_new(session.base, BEV_OPT_CLOSE_ON_FREE, pair);
  session.server = pair[1];
  bufferevent_enable(session.server, EV_READ | EV_WRITE);
  session.con = evhttp_connection_base_bufferevent_reuse_new(session.base, nullptr, pair[0]);
  Check(session.con != nullptr, "no connection");
  evhttp_connection_set_closecb(
      session.con, [](evhttp_connection *, void *arg) { ++*static_cast<int *>(arg); },
      &session.closes);
  evhttp_connection_set_max_body_size(session.con, 1000);
  evhttp_connection_set_max_headers_size(session.con, 500);
  session.plan = bytes.Next();
  for (Request &request : session.requests) Make(&session, &request, bytes.Next());
  Serve(&session, &bytes);
  for (const Request &request : session.requests) {
    Check(request.calls == 1 || (request.taken_back && request.calls == 0), "not one callback");
    Check(request.errors <= 1, "several errors");
  }
  if (session.con) evhttp_connection_free(session.con);
  for (const Request &request : session.requests)
    Check(request.ends == (request.provided ? 1 : 0), "a provider not told of its end");
  Check(session.closes == 1, "not one close");
  bufferevent_free(session.server);
  event_base_loop(session.base, EVLOOP_NONBLOCK);
  event_base_free(session.base);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  if (len <= 4096) Run(Bytes(data, len));
  return 0;
}

// Random use of a server: clients that send anything, take anything and go at any time, and
// callbacks that reply at any time, in any way, and free whatever they know. Nothing is checked but
// that nothing breaks: to be run under the sanitizers. libevent forbids most of it.

#include <random>
#include <set>

#include "http/http_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::SendChunk;
using http_testing::Server;

class World;
World *world;  // For callbacks without an argument of ours.

class World {
 public:
  explicit World(unsigned seed) : random_(seed) { world = this; }
  ~World() {
    server_.reset();
    while (!unanswered_.empty()) Answer(*unanswered_.begin());
    for (evhttp_request *req : answered_) evhttp_request_free(req);
    clients_.clear();
  }

  void Step() {
    if (!server_) Start();
    if (clients_.size() < 8 && OneIn(4))
      clients_.emplace_back(new Client(&loop_, server_->port(), OneIn(4) ? 4096 : 0));
    for (size_t i = 0; i < clients_.size(); ++i) {
      if (!UseClient(clients_[i].get())) clients_.erase(clients_.begin() + static_cast<long>(i--));
    }
    event_base_loop(loop_.base(), OneIn(2) ? EVLOOP_NONBLOCK : EVLOOP_ONCE | EVLOOP_NONBLOCK);
    if (!unanswered_.empty() && OneIn(4)) Answer(*unanswered_.begin());
    if (!answered_.empty() && OneIn(6)) Free(&answered_);
    if (!unanswered_.empty() && OneIn(40)) Free(&unanswered_);
    if (OneIn(100)) FreeAConnection();
    if (OneIn(300)) FreeServer();
  }

 private:
  unsigned Below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool OneIn(unsigned n) { return Below(n) == 0; }

  // ---- The clients ----

  std::string Request() {
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    switch (Below(14)) {
      case 0:
        return PostRequest("/", "hello");
      case 1:
        return post +
               "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n";
      case 2:
        return post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n" +
               (OneIn(2) ? "hello" : "");
      case 3:
        return PostRequest("/", std::string(Below(20000), 'b'));
      case 4:
        return "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
      case 5:
        return std::string("GET / HTTP/1.0\r\n") +
               (OneIn(2) ? "Connection: keep-alive\r\n\r\n" : "\r\n");
      case 6:
        return "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n";
      case 7:
        return OneIn(2) ? "GET / HTTP/1.1\r\n\r\n" : "BREW / HTTP/1.1\r\nHost: a\r\n\r\n";
      default:
        return GetRequest("/", OneIn(20) ? "Connection: close\r\n" : "");
    }
  }

  // Returns whether the client goes on.
  bool UseClient(Client *client) {
    if (client->sent_all() && OneIn(3)) {
      std::string bytes;
      for (unsigned count = Below(OneIn(10) ? 60 : 3); count > 0; --count) bytes += Request();
      if (!bytes.empty() && OneIn(20)) bytes[Below(static_cast<unsigned>(bytes.size()))] = '\n';
      if (OneIn(3)) bytes.resize(Below(static_cast<unsigned>(bytes.size()) + 1));
      client->Send(bytes);
    }
    switch (Below(60)) {
      case 0:
        client->Shutdown();
        return true;
      case 1:
        client->Reset();
        return false;
      case 2:
        client->Pause();
        return true;
      case 3:
      case 4:
        client->Resume();
        return true;
      default:
        return !OneIn(60);
    }
  }

  // ---- The server ----

  void Start() {
    timeval tv = {0, 30000 + static_cast<int>(Below(100000))};
    server_.reset(new Server(&loop_));
    evhttp *http = server_->http();
    server_->OnAny([this](evhttp_request *req) { Handle(req); });
    if (OneIn(2)) evhttp_set_allowed_methods(http, 0x1ff);
    if (OneIn(2)) evhttp_set_timeout_tv(http, &tv);
    if (OneIn(2)) evhttp_set_header_deadline_tv(http, &tv);
    if (OneIn(4)) evhttp_set_min_body_rate(http, 1000000);
    if (OneIn(2)) evhttp_set_max_body_size(http, 5000);
    if (OneIn(3)) evhttp_set_flags(http, EVHTTP_SERVER_LINGERING_CLOSE);
    if (OneIn(3)) evhttp_set_max_connections(http, 3);
    if (OneIn(2)) evhttp_set_newreqcb(http, OnNewRequest, nullptr);
    if (OneIn(2)) evhttp_set_errorcb(http, OnErrorPage, nullptr);
    if (OneIn(2)) evhttp_set_bevcb(http, MakeBufferEvent, nullptr);
  }

  static bufferevent *MakeBufferEvent(event_base *base, void *) {
    if (world->OneIn(3)) return nullptr;
    return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
  }

  void FreeServer() {
    if (!server_) return;
    // The handler that may be running is the server's; one that runs on its end finds none here.
    old_servers_.push_back(std::move(server_));
    old_servers_.back()->Free();
  }

  static void FreeConnectionOf(evhttp_request *req) {
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    if (evcon) evhttp_connection_free(evcon);
  }

  void FreeAConnection() {
    if (!connections_.empty()) evhttp_connection_free(*connections_.begin());
  }

  void Watch(evhttp_request *req) {
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    connections_.insert(evcon);
    evhttp_connection_set_closecb(evcon, OnClose, nullptr);
  }

  // ---- Requests ----

  void Free(std::set<evhttp_request *> *requests) {
    evhttp_request *req = *requests->begin();
    requests->erase(req);
    streamed_.erase(req);
    evhttp_request_free(req);
  }

  // Replies to a request that we own.
  void Answer(evhttp_request *req) {
    unanswered_.erase(req);
    if (streamed_.erase(req))
      evhttp_send_reply_end(req);
    else if (OneIn(4))
      evhttp_send_error(req, 500, nullptr);
    else
      Reply(req, std::string(OneIn(4) ? 300000 : 10, 'x'));
    if (OneIn(2))
      evhttp_request_free(req);
    else
      answered_.insert(req);
  }

  void Keep(evhttp_request *req) {
    evhttp_request_own(req);
    unanswered_.insert(req);
    if (OneIn(2)) return;
    streamed_.insert(req);
    evhttp_send_reply_start(req, OneIn(5) ? 204 : 200, nullptr);
    SendMore(nullptr, req);
  }

  static void SendMore(evhttp_connection *, void *arg) {
    evhttp_request *req = static_cast<evhttp_request *>(arg);
    if (!world->streamed_.count(req)) return;
    if (world->OneIn(4)) {
      world->Answer(req);
      return;
    }
    const std::string bytes(world->OneIn(3) ? 0 : world->Below(50000), 'x');
    evbuffer *piece = evbuffer_new();
    evbuffer_add(piece, bytes.data(), bytes.size());
    evhttp_send_reply_chunk_with_cb(req, piece, SendMore, req);
    evbuffer_free(piece);
  }

  void RunLoop() {
    if (depth_++ < 2) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    depth_--;
  }

  void Handle(evhttp_request *req) {
    if (OneIn(3)) Watch(req);
    if (OneIn(3)) evhttp_request_set_on_complete_cb(req, OnComplete, nullptr);
    if (OneIn(10)) RunLoop();
    switch (Below(8)) {
      case 0:
      case 1:
        Keep(req);
        return;
      case 2:
        evhttp_send_reply_start(req, 200, nullptr);
        SendChunk(req, std::string(Below(50000), 'x'));
        if (OneIn(2))
          evhttp_send_error(req, 500, nullptr);
        else
          evhttp_send_reply_end(req);
        return;
      case 3:
        if (!Meddle(req, 10)) Reply(req, "x", 304);
        return;
      default:
        Reply(req, std::string(OneIn(8) ? 400000 : Below(100), 'x'));
        if (OneIn(20)) RunLoop();
        if (OneIn(40)) FreeConnectionOf(req);
    }
  }

  // One time in `n` ends the request or more. Returns whether it is not to be used any more.
  bool Meddle(evhttp_request *req, unsigned n) {
    if (!OneIn(n)) return false;
    switch (Below(6)) {
      case 0:
        FreeConnectionOf(req);
        return true;
      case 1:
        evhttp_request_free(req);
        return true;
      case 2:
        FreeServer();
        return true;
      case 3:
        evhttp_request_own(req);
        Reply(req, "x");
        evhttp_request_free(req);
        return true;
      case 4:
        evhttp_send_error(req, 403, "No");
        return true;
      default:
        Reply(req, std::string(100000, 'x'));
        return true;
    }
  }

  // ---- Callbacks ----

  static int OnNewRequest(evhttp_request *req, void *) {
    if (world->OneIn(2)) world->Watch(req);
    if (world->OneIn(2)) evhttp_request_set_header_cb(req, OnHead);
    if (world->OneIn(3)) evhttp_request_set_chunked_cb(req, OnPiece);
    if (world->OneIn(2)) evhttp_request_set_error_cb(req, OnError);
    world->Meddle(req, 30);
    return world->OneIn(50) ? -1 : 0;
  }
  static int OnHead(evhttp_request *req, void *) {
    return !world->Meddle(req, 6) && world->OneIn(30) ? -1 : 0;
  }
  static void OnPiece(evhttp_request *req, void *) { world->Meddle(req, 6); }
  static void OnError(evhttp_request_error, void *) {
    if (world->OneIn(20)) world->FreeServer();
    if (world->OneIn(20)) world->FreeAConnection();
  }
  static int OnErrorPage(evhttp_request *req, evbuffer *page, int, const char *, void *) {
    evbuffer_add(page, "custom", 6);
    if (world->OneIn(20)) FreeConnectionOf(req);
    if (world->OneIn(20)) world->FreeServer();
    return world->OneIn(10) ? -1 : 0;
  }
  static void OnComplete(evhttp_request *req, void *) {
    if (world->OneIn(30)) FreeConnectionOf(req);
    if (world->OneIn(30)) world->FreeServer();
    if (world->OneIn(30) && !evhttp_request_is_owned(req)) evhttp_request_free(req);
  }
  static void OnClose(evhttp_connection *evcon, void *) {
    world->connections_.erase(evcon);
    if (world->OneIn(60)) world->FreeServer();
    if (world->OneIn(20)) world->FreeAConnection();
    if (world->OneIn(10)) evhttp_connection_free(evcon);
  }

  std::mt19937 random_;
  Loop loop_;
  std::vector<std::unique_ptr<Server>> old_servers_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Client>> clients_;
  // Requests that we own, by whether the reply is complete; those being streamed.
  std::set<evhttp_request *> unanswered_, answered_, streamed_;
  std::set<evhttp_connection *> connections_;  // With OnClose() set.
  int depth_ = 0;
};

TEST(RandomUse, NothingBreaks) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    World here(seed);
    for (int step = 0; step < 200; ++step) here.Step();
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace

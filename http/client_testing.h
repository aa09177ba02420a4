#ifndef STRATA_HTTP_CLIENT_TESTING_H_
#define STRATA_HTTP_CLIENT_TESTING_H_

// What the tests of the HTTP client share: a server that does what a test says
// byte by byte, and requests that keep what became of them. Only public API.

#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "http/http_testing.h"

namespace client_testing {

using http_testing::BodyOf;
using http_testing::Loop;
using http_testing::OnLibevent;

inline const std::string kHi = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

// A peer of the client. Its bytes are sent as the test says; nothing is
// answered by itself.
class Peer {
 public:
  Peer(event_base *base, evutil_socket_t fd)
      : bev_(bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE)) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    bufferevent_setcb(bev_, OnRead, OnWrite, OnEvent, this);
    bufferevent_enable(bev_, EV_READ | EV_WRITE);
  }
  ~Peer() { Close(); }
  Peer(const Peer &) = delete;
  Peer &operator=(const Peer &) = delete;

  void Send(const std::string &bytes) {
    if (bev_ && !bytes.empty()) bufferevent_write(bev_, bytes.data(), bytes.size());
  }
  // Closes when all has left.
  void CloseAfter(const std::string &bytes) {
    Send(bytes);
    closing_ = true;
    if (sent_all()) Close();
  }
  void Close() {
    if (bev_) bufferevent_free(bev_);
    bev_ = nullptr;
  }
  void Reset() {
    linger hard = {1, 0};
    setsockopt(bufferevent_getfd(bev_), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    Close();
  }
  void Pause() { bufferevent_disable(bev_, EV_READ); }
  bool sent_all() const { return !bev_ || evbuffer_get_length(bufferevent_get_output(bev_)) == 0; }

  std::string in;       // What the client has sent.
  size_t answered = 0;  // Requests that RawServer has answered.
  bool ended = false;   // The client has closed.
  std::function<void(Peer *)> on_bytes;

 private:
  static void OnRead(bufferevent *bev, void *arg) {
    Peer *self = static_cast<Peer *>(arg);
    char bytes[65536];
    size_t len;
    while ((len = bufferevent_read(bev, bytes, sizeof(bytes))) > 0) self->in.append(bytes, len);
    if (self->on_bytes) self->on_bytes(self);
  }
  static void OnWrite(bufferevent *, void *arg) {
    Peer *self = static_cast<Peer *>(arg);
    if (self->closing_) self->Close();
  }
  static void OnEvent(bufferevent *, short, void *arg) {
    Peer *self = static_cast<Peer *>(arg);
    self->ended = true;
    self->Close();
  }

  bufferevent *bev_;
  bool closing_ = false;
};

// Accepts connections. Each request without a body, on whatever connection, is
// answered by the next of `replies`, if there is one.
class RawServer {
 public:
  explicit RawServer(Loop *loop, int port = 0) : loop_(loop) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener_ = evconnlistener_new_bind(loop->base(), OnAccept, this,
                                        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 64,
                                        reinterpret_cast<sockaddr *>(&address), sizeof(address));
    EXPECT_NE(listener_, nullptr);
    port_ = http_testing::Server::PortOf(evconnlistener_get_fd(listener_));
  }
  ~RawServer() { StopListening(); }
  RawServer(const RawServer &) = delete;
  RawServer &operator=(const RawServer &) = delete;

  void StopListening() {
    if (listener_) evconnlistener_free(listener_);
    listener_ = nullptr;
  }
  int port() const { return port_; }

  // Waits for the n-th connection (from 0) and until it has sent `text`.
  Peer *WaitFor(size_t n, const std::string &text) {
    EXPECT_TRUE(loop_->RunUntil([&] {
      return peers.size() > n && peers[n]->in.find(text) != std::string::npos;
    })) << peers.size()
        << " connections";
    return peers.size() > n ? peers[n].get() : nullptr;
  }

  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<std::string> replies;
  bool close_after_reply = false;

 private:
  static void OnAccept(evconnlistener *, evutil_socket_t fd, sockaddr *, int, void *arg) {
    RawServer *self = static_cast<RawServer *>(arg);
    self->peers.push_back(std::make_unique<Peer>(self->loop_->base(), fd));
    self->peers.back()->on_bytes = [self](Peer *peer) { self->Answer(peer); };
  }
  void Answer(Peer *peer) {
    size_t heads = 0;
    for (size_t at = 0; (at = peer->in.find("\r\n\r\n", at)) != std::string::npos; at += 4) heads++;
    while (peer->answered < heads && !replies.empty()) {
      std::string reply = replies.front();
      replies.erase(replies.begin());
      peer->answered++;
      if (close_after_reply) {
        peer->CloseAfter(reply);
        return;
      }
      peer->Send(reply);
    }
  }

  Loop *loop_;
  evconnlistener *listener_;
  int port_;
};

// A request and what became of it.
class Exchange {
 public:
  Exchange() : req(evhttp_request_new(OnReply, this)) {
    if (req) evhttp_request_set_error_cb(req, OnError);
  }
  Exchange(const Exchange &) = delete;
  Exchange &operator=(const Exchange &) = delete;

  Exchange &WithChunks() {
    evhttp_request_set_chunked_cb(req, OnChunk);
    return *this;
  }
  Exchange &WithHeaderCb() {
    evhttp_request_set_header_cb(req, OnHead);
    return *this;
  }
  Exchange &WithField(const char *name, const char *value) {
    EXPECT_EQ(evhttp_add_header(evhttp_request_get_output_headers(req), name, value), 0);
    return *this;
  }
  Exchange &WithBody(const std::string &bytes) {
    evbuffer_add(evhttp_request_get_output_buffer(req), bytes.data(), bytes.size());
    return *this;
  }
  int Make(evhttp_connection *con, evhttp_cmd_type type = EVHTTP_REQ_GET, const char *uri = "/") {
    return evhttp_make_request(con, req, type, uri);
  }
  std::string Field(const char *name) const {
    for (const auto &field : fields) {
      if (http_testing::Lower(field.first) == http_testing::Lower(name)) return field.second;
    }
    return "(none)";
  }

  evhttp_request *req;
  int calls = 0, errors = 0, heads = 0, chunks = 0;
  bool null = false;  // The callback got no request.
  int code = -1;
  evhttp_request_error error = EVREQ_HTTP_TIMEOUT;
  std::string reason, body, chunk_bytes;
  std::vector<std::pair<std::string, std::string>> fields;
  int head_result = 0;
  bool keep = false;  // Own the request in its callback.
  std::function<void()> on_reply, on_error, on_chunk, on_head;

 private:
  static void OnReply(evhttp_request *req, void *arg) {
    Exchange *self = static_cast<Exchange *>(arg);
    self->calls++;
    self->null = req == nullptr;
    if (req) {
      EXPECT_EQ(evhttp_request_get_connection(req), nullptr);
      self->code = evhttp_request_get_response_code(req);
      const char *reason = evhttp_request_get_response_code_line(req);
      self->reason = reason ? reason : "";
      self->body = BodyOf(req);
      for (evkeyval *f = evhttp_request_get_input_headers(req)->tqh_first; f; f = f->next.tqe_next)
        self->fields.emplace_back(f->key, f->value);
      if (self->keep) evhttp_request_own(req);
    }
    if (self->on_reply) self->on_reply();
  }
  static void OnError(enum evhttp_request_error error, void *arg) {
    Exchange *self = static_cast<Exchange *>(arg);
    EXPECT_EQ(self->calls, 0);
    self->errors++;
    self->error = error;
    if (self->on_error) self->on_error();
  }
  static void OnChunk(evhttp_request *req, void *arg) {
    Exchange *self = static_cast<Exchange *>(arg);
    self->chunks++;
    self->chunk_bytes += BodyOf(req);
    if (self->on_chunk) self->on_chunk();
  }
  static int OnHead(evhttp_request *req, void *arg) {
    Exchange *self = static_cast<Exchange *>(arg);
    self->heads++;
    self->code = evhttp_request_get_response_code(req);
    if (self->on_head) self->on_head();
    return self->head_result;
  }
};

// A client's connection to 127.0.0.1.
class Connection {
 public:
  Connection(Loop *loop, int port)
      : con_(evhttp_connection_base_new(loop->base(), nullptr, "127.0.0.1",
                                        static_cast<ev_uint16_t>(port))) {
    Watch();
  }
  explicit Connection(evhttp_connection *con) : con_(con) { Watch(); }
  ~Connection() { Free(); }
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  evhttp_connection *get() { return con_; }
  void Free() {
    if (con_) evhttp_connection_free(con_);
    con_ = nullptr;
  }
  void Forget() { con_ = nullptr; }

  int closes = 0;
  std::function<void()> on_close;

 private:
  void Watch() {
    evhttp_connection_set_closecb(
        con_,
        [](evhttp_connection *, void *arg) {
          Connection *self = static_cast<Connection *>(arg);
          self->closes++;
          if (self->on_close) self->on_close();
        },
        this);
  }
  evhttp_connection *con_;
};

class ClientTest : public testing::Test {
 protected:
  bool Run(const std::function<bool()> &done) { return loop_.RunUntil(done); }
  bool Finish(Exchange *exchange) {
    return Run([&] { return exchange->calls > 0; });
  }

  Loop loop_;
  RawServer server_{&loop_};
};

}  // namespace client_testing

#endif

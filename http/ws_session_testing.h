#ifndef STRATA_HTTP_WS_SESSION_TESTING_H_
#define STRATA_HTTP_WS_SESSION_TESTING_H_

#include <event2/buffer.h>
#include <event2/ws.h>

#include "http/ws_session.h"
#include "http/ws_testing.h"

namespace ws_testing {

// A session whose callbacks write a log.
class Session {
 public:
  Session(Loop *loop, bufferevent *bufev, strata_ws_role role = STRATA_WS_SERVER, int options = 0)
      : loop_(loop) {
    evws_ = strata_ws_new(loop->base(), role, OnMessage, this, options);
    evws_connection_set_closecb(evws_, OnClose, this);
    evws_connection_set_pongcb(evws_, OnPong, this);
    strata_ws_start(evws_, bufev, STRATA_WS_OPEN);
  }
  ~Session() {
    if (evws_) evws_connection_free(evws_);
  }

  evws_connection *get() { return evws_; }
  bool WaitClosed() {
    return loop_->RunUntil([this] { return evws_ == nullptr; });
  }
  bool WaitFor(const std::string &log) {
    return loop_->RunUntil([&] { return log_ == log; });
  }
  void Free() { evws_connection_free(evws_); }
  const std::string &log() const { return log_; }
  int num_messages() const { return num_messages_; }

  std::function<void(const std::string &)> on_message;
  std::function<void()> on_close, on_pong;

 private:
  void Add(const std::string &text) { log_ += (log_.empty() ? "" : " ") + text; }
  static void OnMessage(evws_connection *, int type, const unsigned char *data, size_t len,
                        void *arg) {
    Session *self = static_cast<Session *>(arg);
    std::string bytes(reinterpret_cast<const char *>(data), len);
    self->num_messages_++;
    if (len < 100 && self->num_messages_ < 100)
      self->Add((type == WS_TEXT_FRAME ? "text(" : "binary(") + bytes + ")");
    if (self->on_message) self->on_message(bytes);
  }
  static void OnPong(evws_connection *, const unsigned char *data, size_t len, void *arg) {
    Session *self = static_cast<Session *>(arg);
    self->Add("pong(" + std::string(reinterpret_cast<const char *>(data), len) + ")");
    if (self->on_pong) self->on_pong();
  }
  static void OnClose(evws_connection *evws, void *arg) {
    Session *self = static_cast<Session *>(arg);
    std::string reason = evws_connection_get_close_reason(evws);
    self->Add("closed(" + std::to_string(evws_connection_get_close_code(evws)) +
              (reason.empty() ? "" : " " + reason) + "; " +
              std::to_string(evws_connection_get_sent_close_code(evws)) + ")");
    self->evws_ = nullptr;
    if (self->on_close) self->on_close();
  }

  Loop *loop_;
  evws_connection *evws_;
  std::string log_;
  int num_messages_ = 0;
};

class WsSession : public testing::Test {
 protected:
  WsSession() {
    evutil_socket_t fds[2];
    MakePair(fds);
    LimitWayToPeer(fds);
    bufev_ = bufferevent_socket_new(loop_.base(), fds[0], BEV_OPT_CLOSE_ON_FREE);
    session_.reset(new Session(&loop_, bufev_));
    peer_.reset(new Peer(&loop_, fds[1]));
  }

  evws_connection *evws() { return session_->get(); }
  size_t OutputLen() { return evws_connection_get_output_length(evws()); }

  // What a peer does not take stays with the session: TCP, of which pairs are on Windows, would
  // hold megabytes.
  static void LimitWayToPeer(const evutil_socket_t fds[2]) {
    int len = 32 * 1024;
    EXPECT_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &len, sizeof(len)), 0);
    EXPECT_EQ(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &len, sizeof(len)), 0);
  }

  static timeval Milliseconds(int ms) { return timeval{0, ms * 1000}; }

  Loop loop_;
  bufferevent *bufev_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Peer> peer_;
};

}  // namespace ws_testing

#endif

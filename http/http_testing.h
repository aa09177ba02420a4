#ifndef STRATA_HTTP_HTTP_TESTING_H_
#define STRATA_HTTP_HTTP_TESTING_H_

// What the tests of the HTTP server share: a server on a port of the system's choice and raw
// clients, all in one event loop. Only public API, so that the tests also run on the installed
// libevent.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/util.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace http_testing {

// Where libevent differs on purpose; see each use.
#ifdef STRATA_ORACLE
inline bool OnLibevent() {
  return true;
}
#else
inline bool OnLibevent() {
  return false;
}
#endif

inline std::string Lower(std::string text) {
  for (char &c : text) c = static_cast<char>(tolower(static_cast<unsigned char>(c)));
  return text;
}

struct Response {
  int status = 0;
  std::string version;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  bool chunked = false;
  bool complete = false;

  const std::string *Field(const std::string &name) const {
    for (const auto &field : fields) {
      if (Lower(field.first) == Lower(name)) return &field.second;
    }
    return nullptr;
  }
  std::string Value(const std::string &name) const {
    const std::string *value = Field(name);
    return value ? *value : "(none)";
  }
};

// Reads a chunked body that begins at `at`. Returns where it ends, or npos while incomplete.
inline size_t ReadChunks(const std::string &bytes, size_t at, std::string *out_body) {
  for (;;) {
    size_t eol = bytes.find("\r\n", at);
    if (eol == std::string::npos) return eol;
    size_t len = strtoul(bytes.substr(at, eol - at).c_str(), nullptr, 16);
    if (bytes.size() < eol + 2 + len + 2) return std::string::npos;
    out_body->append(bytes, eol + 2, len);
    at = eol + 2 + len + 2;
    if (len == 0) return at;
  }
}

inline void ReadFields(const std::string &text, Response *out) {
  for (size_t at = text.find("\r\n") + 2; at < text.size();) {
    size_t next = text.find("\r\n", at), colon = text.find(": ", at);
    out->fields.emplace_back(text.substr(at, colon - at), text.substr(colon + 2, next - colon - 2));
    at = next + 2;
  }
}

// Takes one response off `bytes`. `head`: it answers HEAD. `closed`: no more bytes come.
inline bool TakeResponse(std::string *bytes, bool head, bool closed, Response *out) {
  size_t end = bytes->find("\r\n\r\n");
  if (end == std::string::npos) return false;
  Response response;
  std::string text = bytes->substr(0, end + 2);
  std::string line = text.substr(0, text.find("\r\n"));
  size_t body = end + 4, next = body;
  response.version = line.substr(0, 8);
  response.status = atoi(line.substr(9, 3).c_str());
  if (line.size() > 13) response.reason = line.substr(13);
  ReadFields(text, &response);
  for (const auto &field : response.fields) {
    if (Lower(field.first) != "transfer-encoding") continue;
    // What has been applied last says where the body ends.
    size_t comma = field.second.rfind(", ");
    size_t last = comma == std::string::npos ? 0 : comma + 2;
    response.chunked = Lower(field.second.substr(last)) == "chunked";
  }
  if (head || response.status < 200 || response.status == 204 || response.status == 304) {
    next = body;
  } else if (response.chunked) {
    next = ReadChunks(*bytes, body, &response.body);
    if (next == std::string::npos) return false;
  } else if (response.Field("Content-Length")) {
    next = body + strtoul(response.Value("Content-Length").c_str(), nullptr, 10);
    if (bytes->size() < next) return false;
    response.body = bytes->substr(body, next - body);
  } else {
    if (!closed) return false;
    next = bytes->size();
    response.body = bytes->substr(body);
  }
  response.complete = true;
  bytes->erase(0, next);
  *out = response;
  return true;
}

// An event base with a watchdog: a wait that does not end fails its test.
class Loop {
 public:
  Loop() : base_(event_base_new()) {}
  ~Loop() { event_base_free(base_); }
  Loop(const Loop &) = delete;
  Loop &operator=(const Loop &) = delete;

  event_base *base() { return base_; }

  // Runs the loop until `done`. False after a minute without that.
  bool RunUntil(const std::function<bool()> &done) {
    bool late = false;
    event *watchdog = evtimer_new(
        base_, [](evutil_socket_t, short, void *arg) { *static_cast<bool *>(arg) = true; }, &late);
    timeval limit = {60, 0};
    evtimer_add(watchdog, &limit);
    while (!done() && !late) event_base_loop(base_, EVLOOP_ONCE);
    event_free(watchdog);
    return !late;
  }

  // Lets everything happen that can happen without anything new from outside.
  void Settle() {
    for (int i = 0; i < 20; ++i) event_base_loop(base_, EVLOOP_NONBLOCK);
  }

 private:
  event_base *base_;
};

// A raw connection to 127.0.0.1.
class Client {
 public:
  Client(Loop *loop, int port, int small_buffer = 0) : loop_(loop) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    if (small_buffer) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small_buffer, sizeof(small_buffer));
      setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &small_buffer, sizeof(small_buffer));
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    evutil_make_socket_nonblocking(fd_);
    read_ = event_new(loop->base(), fd_, EV_READ | EV_PERSIST, OnRead, this);
    write_ = event_new(loop->base(), fd_, EV_WRITE | EV_PERSIST, OnWrite, this);
    event_add(read_, nullptr);
  }
  ~Client() { Close(); }
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  void Send(const std::string &bytes) {
    out_ += bytes;
    Write();
  }
  void Shutdown() { shutdown(fd_, SHUT_WR); }
  // Sends a reset instead of an orderly end.
  void Reset() {
    linger hard = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    Close();
  }
  void Close() {
    if (fd_ < 0) return;
    event_free(read_);
    event_free(write_);
    close(fd_);
    fd_ = -1;
  }
  void Pause() { event_del(read_); }
  void Resume() { event_add(read_, nullptr); }

  // Waits for the next response.
  bool Receive(Response *out, bool head = false) {
    size_t seen = std::string::npos;
    *out = Response();
    return loop_->RunUntil([&] {
      if (seen == in_.size() && !closed_) return false;
      seen = in_.size();
      return TakeResponse(&in_, head, closed_, out) || closed_;
    }) && out->complete;
  }
  Response Get(const std::string &request, bool head = false) {
    Response response;
    Send(request);
    EXPECT_TRUE(Receive(&response, head)) << request.substr(0, 200) << "\n" << in_.substr(0, 500);
    return response;
  }
  bool WaitClosed() {
    return loop_->RunUntil([&] { return closed_; });
  }

  bool closed() const { return closed_; }
  bool reset() const { return reset_; }
  const std::string &received() const { return in_; }
  size_t received_in_all() const { return received_in_all_; }
  bool sent_all() const { return out_.empty(); }
  bool send_failed() const { return send_failed_; }

 private:
  void Write() {
    while (!out_.empty()) {
      ssize_t n = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) {
        event_add(write_, nullptr);
        return;
      }
      if (n < 0) {
        send_failed_ = true;
        out_.clear();
        break;
      }
      out_.erase(0, static_cast<size_t>(n));
    }
    event_del(write_);
  }
  static void OnWrite(evutil_socket_t, short, void *arg) { static_cast<Client *>(arg)->Write(); }
  static void OnRead(evutil_socket_t, short, void *arg) {
    Client *self = static_cast<Client *>(arg);
    char bytes[65536];
    ssize_t n = recv(self->fd_, bytes, sizeof(bytes), 0);
    if (n > 0) {
      self->in_.append(bytes, static_cast<size_t>(n));
      self->received_in_all_ += static_cast<size_t>(n);
    } else if (n == 0 || errno != EAGAIN) {
      self->closed_ = true;
      self->reset_ = n < 0;
      event_del(self->read_);
    }
  }

  Loop *loop_;
  int fd_;
  event *read_;
  event *write_;
  std::string in_, out_;
  size_t received_in_all_ = 0;
  bool closed_ = false, reset_ = false, send_failed_ = false;
};

using Handler = std::function<void(evhttp_request *)>;

// A server whose callbacks are C++ functions.
class Server {
 public:
  explicit Server(Loop *loop) : http_(evhttp_new(loop->base())) {
    evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http_, "127.0.0.1", 0);
    EXPECT_NE(bound, nullptr);
    port_ = bound ? PortOf(evhttp_bound_socket_get_fd(bound)) : 0;
  }
  ~Server() { Free(); }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  static int PortOf(evutil_socket_t fd) {
    sockaddr_in address = {};
    socklen_t len = sizeof(address);
    getsockname(fd, reinterpret_cast<sockaddr *>(&address), &len);
    return ntohs(address.sin_port);
  }

  void On(const std::string &path, Handler handler) {
    handlers_[path] = std::move(handler);
    EXPECT_EQ(evhttp_set_cb(http_, path.c_str(), Call, &handlers_[path]), 0);
  }
  void OnAny(Handler handler) {
    handlers_[""] = std::move(handler);
    evhttp_set_gencb(http_, Call, &handlers_[""]);
  }
  void Free() {
    if (http_) evhttp_free(http_);
    http_ = nullptr;
  }

  evhttp *http() { return http_; }
  int port() const { return port_; }

  static void Call(evhttp_request *req, void *arg) { (*static_cast<Handler *>(arg))(req); }

 private:
  evhttp *http_;
  int port_ = 0;
  std::map<std::string, Handler> handlers_;
};

inline void Reply(evhttp_request *req, const std::string &body, int code = 200,
                  const char *reason = "OK") {
  evbuffer *buffer = evbuffer_new();
  evbuffer_add(buffer, body.data(), body.size());
  evhttp_send_reply(req, code, reason, buffer);
  EXPECT_EQ(evbuffer_get_length(buffer), 0u);
  evbuffer_free(buffer);
}

inline void SendChunk(evhttp_request *req, const std::string &bytes) {
  evbuffer *buffer = evbuffer_new();
  evbuffer_add(buffer, bytes.data(), bytes.size());
  evhttp_send_reply_chunk(req, buffer);
  evbuffer_free(buffer);
}

inline std::string BodyOf(evhttp_request *req) {
  evbuffer *buffer = evhttp_request_get_input_buffer(req);
  size_t len = evbuffer_get_length(buffer);
  std::string body(len, '\0');
  if (len) evbuffer_copyout(buffer, &body[0], len);
  return body;
}

inline std::string GetRequest(const std::string &target, const std::string &fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

inline std::string PostRequest(const std::string &target, const std::string &body) {
  return "POST " + target +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace http_testing

#endif

// Bufferevents as a program from before libevent 2.0 uses them: the one header, the base of
// event_init(), timeouts in whole seconds, and the struct's fields.
#include <event.h>
#include <gtest/gtest.h>

#include <string>

namespace {

// Both ends of a connection. The server sends back what comes.
class EventH : public ::testing::Test {
 protected:
  EventH() : base_(event_init()) {
    evutil_socket_t fds[2];
    EXPECT_EQ(0, evutil_socketpair(kFamily, SOCK_STREAM, 0, fds));
    for (evutil_socket_t fd : fds) evutil_make_socket_nonblocking(fd);
    server_ = bufferevent_new(fds[0], EchoBack, nullptr, OnEvent, this);
    client_ = bufferevent_new(fds[1], OnAnswer, OnSent, OnEvent, this);
    bufferevent_settimeout(server_, 60, 0);
    bufferevent_settimeout(client_, 60, 50);
    bufferevent_enable(server_, EV_READ);
    bufferevent_enable(client_, EV_READ);
  }
  ~EventH() override {
    CloseAndFree(server_);
    if (client_ != nullptr) CloseAndFree(client_);
    event_base_free(base_);
  }

  static void CloseAndFree(struct bufferevent *bev) {
    const evutil_socket_t fd = bufferevent_getfd(bev);
    bufferevent_free(bev);
    evutil_closesocket(fd);
  }
  static void EchoBack(struct bufferevent *bev, void *) {
    bufferevent_write_buffer(bev, EVBUFFER_INPUT(bev));
  }
  static void OnSent(struct bufferevent *, void *arg) { static_cast<EventH *>(arg)->num_sent_++; }
  static void OnAnswer(struct bufferevent *bev, void *arg) {
    EventH *self = static_cast<EventH *>(arg);
    char bytes[5];
    size_t num;
    while ((num = bufferevent_read(bev, bytes, sizeof(bytes))) > 0)
      self->answer_.append(bytes, num);
    if (self->answer_.size() >= self->expected_len_) event_loopexit(nullptr);
  }
  static void OnEvent(struct bufferevent *bev, short what, void *arg) {
    EventH *self = static_cast<EventH *>(arg);
    EXPECT_EQ(self->server_, bev);
    self->what_ = what;
    event_loopexit(nullptr);
  }

#ifdef _WIN32
  static constexpr int kFamily = AF_INET;
#else
  static constexpr int kFamily = AF_UNIX;
#endif
  struct event_base *base_;
  struct bufferevent *server_, *client_;
  std::string answer_;
  size_t expected_len_ = 0;
  int num_sent_ = 0;
  short what_ = 0;
};

TEST_F(EventH, EchoesOverBufferevents) {
  std::string question = "question";
  expected_len_ = question.size();
  EXPECT_EQ(0, bufferevent_write(client_, &question[0], question.size()));
  EXPECT_EQ(question.size(), EVBUFFER_LENGTH(EVBUFFER_OUTPUT(client_)));
  event_dispatch();
  EXPECT_EQ(question, answer_);
  EXPECT_EQ(1, num_sent_);
  EXPECT_EQ(0u, EVBUFFER_LENGTH(EVBUFFER_OUTPUT(client_)));
  EXPECT_EQ(0, what_);
}

TEST_F(EventH, HearsOfTheEnd) {
  CloseAndFree(client_);
  client_ = nullptr;
  event_dispatch();
  EXPECT_EQ(EVBUFFER_READ | EVBUFFER_EOF, what_);
}

TEST_F(EventH, TimeoutsAreSecondsAndZeroIsNone) {
  EXPECT_EQ(60, server_->timeout_read.tv_sec);
  EXPECT_FALSE(evutil_timerisset(&server_->timeout_write));
  EXPECT_EQ(60, client_->timeout_read.tv_sec);
  EXPECT_EQ(50, client_->timeout_write.tv_sec);
  bufferevent_settimeout(server_, 0, 1);
  EXPECT_FALSE(evutil_timerisset(&server_->timeout_read));
  EXPECT_EQ(1, server_->timeout_write.tv_sec);
}

TEST_F(EventH, ReadTimeoutEndsReading) {
  bufferevent_settimeout(server_, 1, 0);
  event_dispatch();
  EXPECT_EQ(EVBUFFER_READ | EVBUFFER_TIMEOUT, what_);
  EXPECT_FALSE(bufferevent_get_enabled(server_) & EV_READ);
}

}  // namespace

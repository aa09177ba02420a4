// chat as those who talk there see it, by strata's own WebSocket client.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/ws.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "samples/server_process.h"

namespace {

using samples::Connection;
using samples::Fetch;
using samples::Process;
using samples::Response;
using samples::Server;

std::string Program() {
  return samples::ProgramPath("CHAT", "samples/chat/chat");
}

// ---- Members ----

class Loop {
 public:
  Loop() : base_(event_base_new()) {}
  ~Loop() { event_base_free(base_); }
  event_base *base() { return base_; }
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

 private:
  event_base *base_;
};

class Member {
 public:
  Member(Loop *loop, int port, const std::string &name = "", const std::string &origin = "")
      : loop_(loop) {
    bufferevent *bufev = bufferevent_socket_new(loop->base(), -1, BEV_OPT_CLOSE_ON_FREE);
    std::string host = "127.0.0.1:" + std::to_string(port);
    evws_ = evws_client_new(bufev, host.c_str(), "/chat", OnMessage, this, 0);
    evws_client_set_opencb(evws_, OnOpen, this);
    evws_connection_set_closecb(evws_, OnClose, this);
    if (!origin.empty()) evws_client_add_header(evws_, "Origin", origin.c_str());
    evws_client_start(evws_);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bufferevent_socket_connect(bufev, reinterpret_cast<sockaddr *>(&address), sizeof(address));
    EXPECT_TRUE(loop->RunUntil([this] { return open_ || closed(); }));
    if (!name.empty()) {
      Join(name);
      EXPECT_TRUE(WaitFor("{\"type\":\"welcome\",\"name\":\"" + name + "\"}"));
    }
  }
  ~Member() {
    if (evws_) evws_connection_free(evws_);
  }
  Member(const Member &) = delete;
  Member &operator=(const Member &) = delete;

  void Send(const std::string &json) {
    if (evws_) evws_send_text(evws_, json.c_str());
  }
  void Join(const std::string &name) { Send("{\"type\":\"join\",\"name\":\"" + name + "\"}"); }
  void Say(const std::string &text) { Send("{\"type\":\"say\",\"text\":\"" + text + "\"}"); }
  void Leave() { evws_close(evws_, WS_CR_NORMAL); }
  void Pause() { evws_connection_pause_reading(evws_); }

  // Waits for a message that begins so.
  bool WaitFor(const std::string &prefix) {
    return loop_->RunUntil([&] { return Has(prefix) || closed(); }) && Has(prefix);
  }
  bool WaitClosed() {
    return loop_->RunUntil([this] { return closed(); });
  }
  bool Has(const std::string &prefix) const {
    for (const std::string &message : messages_)
      if (message.compare(0, prefix.size(), prefix) == 0) return true;
    return false;
  }
  size_t Count(const std::string &prefix) const {
    size_t count = 0;
    for (const std::string &message : messages_)
      count += message.compare(0, prefix.size(), prefix) == 0;
    return count;
  }
  bool closed() const { return evws_ == nullptr; }
  int code() const { return code_; }
  int status() const { return status_; }
  const std::string &reason() const { return reason_; }

 private:
  static void OnOpen(evws_connection *, void *arg) { static_cast<Member *>(arg)->open_ = true; }
  static void OnMessage(evws_connection *, int, const unsigned char *data, size_t len, void *arg) {
    static_cast<Member *>(arg)->messages_.emplace_back(reinterpret_cast<const char *>(data), len);
  }
  static void OnClose(evws_connection *evws, void *arg) {
    Member *self = static_cast<Member *>(arg);
    self->evws_ = nullptr;
    self->code_ = evws_connection_get_close_code(evws);
    self->reason_ = evws_connection_get_close_reason(evws);
    self->status_ = evws_client_get_response_code(evws);
  }

  Loop *loop_;
  evws_connection *evws_;
  std::vector<std::string> messages_;
  std::string reason_;
  bool open_ = false;
  int code_ = 0, status_ = 0;
};

std::string Said(const std::string &name, const std::string &text) {
  return "{\"type\":\"said\",\"name\":\"" + name + "\",\"text\":\"" + text + "\",\"time\":";
}

class ChatTest : public testing::Test {
 protected:
  ChatTest() : server_({Program()}) {}
  Loop loop_;
  Server server_;
};

// ---- The page ----

TEST_F(ChatTest, ThePage) {
  Response page = Fetch(server_.port(), "GET", "/");
  EXPECT_EQ(200, page.status);
  EXPECT_EQ("text/html; charset=utf-8", page.Header("content-type"));
  EXPECT_NE(std::string::npos, page.Header("content-security-policy").find("default-src 'none'"));
  EXPECT_NE(std::string::npos, page.body.find("<title>strata chat</title>"));
  EXPECT_NE(std::string::npos, page.body.find("</html>"));
  EXPECT_EQ(200, Fetch(server_.port(), "GET", "/index.html?x").status);
  EXPECT_EQ(404, Fetch(server_.port(), "GET", "/nothing").status);
  EXPECT_EQ(405, Fetch(server_.port(), "POST", "/").status);
  EXPECT_EQ(426, Fetch(server_.port(), "GET", "/chat").status);
}

TEST(Chat, CommandLine) {
  Process help({Program(), "--help"});
  EXPECT_EQ(0, help.Wait());
  EXPECT_EQ(0u, help.ReadOutput().find("usage: chat"));
  for (const char *bad : {"--port=x", "--port=65536", "--nonsense", "word"}) {
    Process process({Program(), bad});
    EXPECT_EQ(2, process.Wait()) << bad;
    EXPECT_NE(std::string::npos, process.ReadErrors().find("chat --help"));
  }
}

// ---- Talking ----

TEST_F(ChatTest, TwoMembersTalk) {
  Member ada(&loop_, server_.port(), "Ada");
  Member grace(&loop_, server_.port(), "Grace");
  EXPECT_TRUE(ada.WaitFor("{\"type\":\"joined\",\"name\":\"Grace\",\"count\":2}"));
  ada.Say("Hello");
  EXPECT_TRUE(grace.WaitFor(Said("Ada", "Hello")));
  EXPECT_TRUE(ada.WaitFor(Said("Ada", "Hello")));
  grace.Say("h\\u00e4? \\ud83d\\ude00 <b>\\\"&\\\\");
  EXPECT_TRUE(ada.WaitFor(Said("Grace",
                               "h\xc3\xa4? \xf0\x9f\x98\x80 \\u003cb\\u003e\\u0022\\u0026"
                               "\\u005c")));
  grace.Leave();
  EXPECT_TRUE(grace.WaitClosed());
  EXPECT_EQ(WS_CR_NORMAL, grace.code());
  EXPECT_TRUE(ada.WaitFor("{\"type\":\"left\",\"name\":\"Grace\",\"count\":1}"));
}

TEST_F(ChatTest, WhoVanishesHasLeft) {
  Member ada(&loop_, server_.port(), "Ada");
  { Member grace(&loop_, server_.port(), "Grace"); }
  EXPECT_TRUE(ada.WaitFor("{\"type\":\"left\",\"name\":\"Grace\",\"count\":1}"));
}

TEST_F(ChatTest, Names) {
  Member ada(&loop_, server_.port(), "Ada");
  Member other(&loop_, server_.port());
  other.Join("Ada");
  EXPECT_TRUE(other.WaitFor("{\"type\":\"trouble\",\"text\":\"Somebody else"));
  other.Join("  ");
  EXPECT_TRUE(other.WaitFor("{\"type\":\"trouble\",\"text\":\"Please choose"));
  other.Join(std::string(33, 'x'));
  EXPECT_TRUE(other.WaitFor("{\"type\":\"trouble\",\"text\":\"That was too long"));
  other.Say("not a member yet");
  other.Join(std::string(32, 'x'));
  EXPECT_TRUE(other.WaitFor("{\"type\":\"welcome\""));
  EXPECT_FALSE(ada.Has("{\"type\":\"said\""));
}

TEST_F(ChatTest, WhatIsNoMessage) {
  Member ada(&loop_, server_.port(), "Ada");
  const std::string kBad[] = {"",
                              "x",
                              "{",
                              "{}x",
                              "[]",
                              "{\"type\"}",
                              "{\"type\":}",
                              "{\"type\":\"say\",}",
                              "{\"type\":\"say\",\"text\":\"a",
                              "{\"text\":\"\\x\"}",
                              "{\"text\":\"\\u12\"}",
                              "{\"text\":\"\\ud800\"}",
                              "{\"text\":\"\\ud800\\u0041\"}",
                              "{\"text\":\"\\u0000\"}",
                              "{\"text\":\"a\nb\"}",
                              "{\"text\":\"" + std::string(2001, 'x') + "\"}"};
  for (size_t i = 0; i < sizeof(kBad) / sizeof(kBad[0]); i++) {
    ada.Send(kBad[i]);
    EXPECT_TRUE(loop_.RunUntil([&] { return ada.Count("{\"type\":\"trouble\"") == i + 1; }))
        << kBad[i];
  }
  ada.Send("{\"type\":\"unheard of\",\"more\":[1]}");
  ada.Send(" { \"n\" : -1.5e3 , \"type\" : \"say\" , \"b\":true, \"text\" : \"fine\" } ");
  EXPECT_TRUE(ada.WaitFor(Said("Ada", "fine")));
  EXPECT_FALSE(ada.closed());
}

TEST_F(ChatTest, TooFast) {
  Member ada(&loop_, server_.port(), "Ada");
  for (int i = 0; i < 100; i++) ada.Say("again");
  EXPECT_TRUE(ada.WaitFor("{\"type\":\"trouble\",\"text\":\"Not so fast"));
}

TEST_F(ChatTest, TooLargeIsTheEnd) {
  Member ada(&loop_, server_.port(), "Ada");
  ada.Say(std::string(20000, 'x'));
  EXPECT_TRUE(ada.WaitClosed());
  EXPECT_EQ(WS_CR_DATA_TOO_BIG, ada.code());
}

TEST_F(ChatTest, HistoryForLatecomers) {
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 7; i++) {
    std::string name = "m" + std::to_string(i);
    members.emplace_back(new Member(&loop_, server_.port(), name));
    for (int j = 0; j < 10; j++) members[i]->Say(std::to_string(j));
    EXPECT_TRUE(members[i]->WaitFor(Said(name, "9")));
  }
  Member late(&loop_, server_.port(), "late");
  EXPECT_TRUE(late.WaitFor("{\"type\":\"joined\",\"name\":\"late\",\"count\":8}"));
  EXPECT_EQ(50u, late.Count("{\"type\":\"said\""));
  EXPECT_FALSE(late.Has(Said("m1", "9")));
  EXPECT_TRUE(late.Has(Said("m2", "0")));
  EXPECT_TRUE(late.Has(Said("m6", "9")));
}

// A browser that shows a page of another site does not get in.
TEST_F(ChatTest, PagesOfOtherSites) {
  std::string here = "http://127.0.0.1:" + std::to_string(server_.port());
  Member of_ours(&loop_, server_.port(), "ours", here);
  for (const char *origin : {"http://elsewhere", "null", "http://127.0.0.1"}) {
    Member other(&loop_, server_.port(), "", origin);
    EXPECT_TRUE(other.closed());
    EXPECT_EQ(403, other.status());
  }
}

// One who does not listen is dropped; the others go on.
TEST_F(ChatTest, ASlowMember) {
  Member slow(&loop_, server_.port(), "slow");
  slow.Pause();
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 20; i++)
    members.emplace_back(new Member(&loop_, server_.port(), "m" + std::to_string(i)));
  const std::string kText(1900, 'x');
  struct Clock {
    std::vector<std::unique_ptr<Member>> *members;
    const std::string *text;
  } clock = {&members, &kText};
  event *timer = event_new(
      loop_.base(), -1, EV_PERSIST,
      [](evutil_socket_t, short, void *arg) {
        for (auto &member : *static_cast<Clock *>(arg)->members)
          member->Say(*static_cast<Clock *>(arg)->text);
      },
      &clock);
  timeval tv = {0, 100000};
  event_add(timer, &tv);
  EXPECT_TRUE(members[0]->WaitFor("{\"type\":\"left\",\"name\":\"slow\""));
  event_free(timer);
  EXPECT_FALSE(members[0]->closed());
}

TEST_F(ChatTest, TheServerSaysGoodBye) {
  Member ada(&loop_, server_.port(), "Ada");
  Member grace(&loop_, server_.port(), "Grace");
  server_.Signal(SIGTERM);
  EXPECT_TRUE(ada.WaitClosed());
  EXPECT_TRUE(grace.WaitClosed());
  EXPECT_EQ(WS_CR_GOING_AWAY, ada.code());
  EXPECT_EQ("the server stops", ada.reason());
  EXPECT_EQ(0, server_.Wait());
  EXPECT_EQ("", server_.ReadErrors());
}

}  // namespace

// The kinds of cases that the Autobahn test suite has, each with what a server that echoes messages
// is to send back. Each runs with its bytes sent at once, cut in two, and one by one.

#include <event2/ws.h>

#include "http/ws_session.h"
#include "http/ws_testing.h"

namespace {

using namespace ws_testing;  // NOLINT: all of it is frames.

struct Case {
  std::string name;
  std::string bytes;     // What the client sends; kBye follows where `ends` is false.
  std::string expected;  // What it gets, without the close frame for kBye.
  bool ends = false;     // The server closes of itself.
};

std::string Repeat(const std::string &text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

FrameOptions Unmasked() {
  FrameOptions options;
  options.masked = false;
  return options;
}

FrameOptions Length(int len) {
  FrameOptions options;
  options.length_len = len;
  return options;
}

std::string Head(std::initializer_list<int> bytes) {
  std::string text;
  for (int byte : bytes) text += static_cast<char>(byte);
  return text;
}

void AddFraming(std::vector<Case> *cases) {
  for (size_t len : {0, 1, 99, 125, 126, 127, 128, 65535, 65536, 70000}) {
    std::string number = std::to_string(len), payload(len, '*');
    std::string in_brackets = len > 100 ? "[" + number + "]" : "(" + payload + ")";
    cases->push_back({"text of " + number, Text(payload), "text" + in_brackets});
    cases->push_back({"binary of " + number, Binary(payload), "binary" + in_brackets});
  }
  cases->push_back({"length of 3 in 16 bits", Frame(0x81, "abc", Length(2)), "close(1002)", true});
  cases->push_back({"length of 3 in 64 bits", Frame(0x82, "abc", Length(8)), "close(1002)", true});
  cases->push_back({"length of 126 in 64 bits", Frame(0x82, std::string(126, 'x'), Length(8)),
                    "close(1002)", true});
  cases->push_back(
      {"length of 64 bits", Head({0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0}), "close(1002)", true});
  cases->push_back({"text not masked", Frame(0x81, "a", Unmasked()), "close(1002)", true});
  cases->push_back({"ping not masked", Frame(0x89, "a", Unmasked()), "close(1002)", true});
  cases->push_back({"close not masked", Frame(0x88, "", Unmasked()), "close(1002)", true});
  cases->push_back({"two messages", Text("one") + Text("two"), "text(one) text(two)"});
  FrameOptions zeros;
  zeros.mask = std::string(4, '\0');
  cases->push_back({"mask of zeros", Frame(0x81, "abc", zeros), "text(abc)"});
}

void AddPings(std::vector<Case> *cases) {
  cases->push_back({"empty ping", Ping(""), "pong()"});
  cases->push_back({"ping", Ping("Hello"), "pong(Hello)"});
  cases->push_back({"ping of bytes", Ping(std::string("\x00\xff\xfe", 3)),
                    std::string("pong(\x00\xff\xfe)", 9)});
  cases->push_back({"ping of 125", Ping(std::string(125, 'x')), "pong[125]"});
  cases->push_back({"ping of 126", Ping(std::string(126, 'x')), "close(1002)", true});
  cases->push_back({"ping of 65536", Ping(std::string(65536, 'x')), "close(1002)", true});
  cases->push_back({"pong nobody asked for", Pong(""), ""});
  cases->push_back({"pong with payload", Pong("x") + Ping("y"), "pong(y)"});
  cases->push_back({"pong of 126", Pong(std::string(126, 'x')), "close(1002)", true});
  cases->push_back({"ten pings", Repeat(Ping("p"), 10), Repeat("pong(p) ", 9) + "pong(p)"});
}

void AddReserved(std::vector<Case> *cases) {
  for (int bits = 1; bits < 8; ++bits) {
    std::string number = std::to_string(bits);
    for (int opcode : {kText, kBinary, kPing, kClose})
      cases->push_back({"reserved bits " + number + " of opcode " + std::to_string(opcode),
                        Text("first") + Frame(kFin | bits << 4 | opcode, "x"),
                        "text(first) close(1002)", true});
  }
  cases->push_back({"reserved bit of a continuation",
                    Frame(kText, "a") + Frame(kFin | 0x40 | kContinuation, "b"), "close(1002)",
                    true});
  for (int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    for (const char *payload : {"", "payload"})
      cases->push_back({"opcode " + std::to_string(opcode) + " " + payload,
                        Text("first") + Frame(kFin | opcode, payload) + Ping("late"),
                        "text(first) close(1002)", true});
  }
}

void AddFragments(std::vector<Case> *cases) {
  std::string a = Frame(kText, "fragment1 "), b = Frame(kFin | kContinuation, "fragment2");
  std::string both = "text(fragment1 fragment2)";
  cases->push_back({"fragmented ping", Frame(kPing, "a") + b, "close(1002)", true});
  cases->push_back({"fragmented pong", Frame(kPong, "a") + b, "close(1002)", true});
  cases->push_back({"fragmented close", Frame(kClose, "") + b, "close(1002)", true});
  cases->push_back({"two fragments", a + b, both});
  cases->push_back({"ping between", a + Ping("p") + b, "pong(p) " + both});
  cases->push_back({"pong between", a + Pong("p") + b, both});
  cases->push_back(
      {"ten pings between", a + Repeat(Ping("p"), 10) + b, Repeat("pong(p) ", 10) + both});
  cases->push_back({"continuation of nothing", b, "close(1002)", true});
  cases->push_back(
      {"unfinished continuation of nothing", Frame(kContinuation, "x") + b, "close(1002)", true});
  cases->push_back({"continuation after a message", Text("a") + b, "text(a) close(1002)", true});
  cases->push_back({"text in text", a + Text("x"), "close(1002)", true});
  cases->push_back({"binary in text", a + Binary("x"), "close(1002)", true});
  cases->push_back({"text fragment in text", a + Frame(kText, "x"), "close(1002)", true});
  cases->push_back({"empty fragments",
                    Frame(kBinary, "") + Frame(kContinuation, "") + Frame(kFin | kContinuation, ""),
                    "binary()"});
  cases->push_back(
      {"empty fragments about one",
       Frame(kText, "") + Frame(kContinuation, "middle") + Frame(kFin | kContinuation, ""),
       "text(middle)"});
  cases->push_back(
      {"a message after a fragmented one", a + b + Text("next"), both + " text(next)"});
  cases->push_back({"a hundred fragments",
                    Frame(kBinary, "x") + Repeat(Frame(kContinuation, "x"), 98) +
                        Frame(kFin | kContinuation, "x"),
                    "binary(" + std::string(100, 'x') + ")"});
  cases->push_back({"close between", a + Close(1000), "close(1000)", true});
}

void AddText(std::vector<Case> *cases) {
  const std::string kValid[] = {
      "",
      "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!",
      "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
      "\xf0\x90\x80\x80",
      "\xf4\x8f\xbf\xbf",
      "\xed\x9f\xbf\xee\x80\x80",
      "\xef\xbf\xbe\xef\xbf\xbf",
      "\xef\xbf\xbd",
      std::string("a\0b", 3),
  };
  const std::string kInvalid[] = {
      "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
      "edited",
      "\xf4\x90\x80\x80",
      "\x80",
      "\xbf",
      "\xc0\xaf",
      "\xe0\x80\xaf",
      "\xf0\x80\x80\xaf",
      "\xf8\x80\x80\x80\xaf",
      "\xfe",
      "\xff",
      "\xfe\xfe\xff\xff",
      "\xed\xad\xbf",
      "\xed\xb0\x80",
      "\xc3",
      "\xe2\x82",
      "\xf0\x9f\x98",
      "\xe2\x28\xa1",
  };
  int i = 0;
  for (const std::string &text : kValid) {
    std::string number = std::to_string(i++);
    cases->push_back({"valid text " + number, Text(text), "text(" + text + ")"});
    // A frame for each byte.
    std::string frames = Frame(kText, "");
    for (char byte : text) frames += Frame(kContinuation, std::string(1, byte));
    cases->push_back({"valid text in bytes " + number, frames + Frame(kFin | kContinuation, ""),
                      "text(" + text + ")"});
  }
  for (const std::string &text : kInvalid) {
    std::string number = std::to_string(i++);
    cases->push_back({"invalid text " + number, Text(text), "close(1007)", true});
    cases->push_back({"invalid text in the middle " + number,
                      Frame(kText, "begin " + text) + Frame(kFin | kContinuation, " end"),
                      "close(1007)", true});
    cases->push_back({"the same as binary " + number, Binary(text), "binary(" + text + ")"});
  }
  // Without waiting for the rest of a message, nor of its frame.
  cases->push_back({"fails early", Frame(kText, "abc\xf4\x90"), "close(1007)", true});
  cases->push_back({"fails early in a frame",
                    Frame(kFin | kText, "abc\xff" + std::string(1000, 'x')).substr(0, 12),
                    "close(1007)", true});
  cases->push_back(
      {"character cut by a ping",
       Frame(kText, "\xf0\x9f") + Ping("\xff") + Frame(kFin | kContinuation, "\x98\x80"),
       "pong(\xff) text(\xf0\x9f\x98\x80)"});
}

void AddCloses(std::vector<Case> *cases) {
  cases->push_back({"close", Close(1000), "close(1000)", true});
  cases->push_back({"close after text", Text("a") + Close(1000), "text(a) close(1000)", true});
  cases->push_back({"close twice", Close(1000) + Close(1000), "close(1000)", true});
  cases->push_back({"ping after close", Close(1000) + Ping("p"), "close(1000)", true});
  cases->push_back({"text after close", Close(1000) + Text("t"), "close(1000)", true});
  cases->push_back({"nonsense after close", Close(1000) + "\xff\xff\xff", "close(1000)", true});
  cases->push_back({"fragments after close",
                    Frame(kText, "a") + Close(1000) + Frame(kFin | kContinuation, "b"),
                    "close(1000)", true});
  cases->push_back({"close without code", Frame(kFin | kClose, ""), "close()", true});
  cases->push_back({"close of one byte", Frame(kFin | kClose, "x"), "close(1002)", true});
  cases->push_back({"close with reason", Close(1000, "bye"), "close(1000)", true});
  cases->push_back(
      {"close with long reason", Close(1000, std::string(123, '*')), "close(1000)", true});
  cases->push_back({"close of 126", Close(1000, std::string(124, '*')), "close(1002)", true});
  cases->push_back(
      {"close with bad reason", Close(1000, "\xce\xba\xed\xa0\x80"), "close(1007)", true});
  cases->push_back({"close with cut reason", Close(1000, "\xe2\x82"), "close(1007)", true});
  for (int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000,
                   3999, 4000, 4999})
    cases->push_back(
        {"code " + std::to_string(code), Close(code), "close(" + std::to_string(code) + ")", true});
  for (int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535})
    cases->push_back({"code " + std::to_string(code), Close(code), "close(1002)", true});
}

void AddLimits(std::vector<Case> *cases) {
  std::string k(100 * 1000, 'x');  // The tests' limit.
  cases->push_back({"as long as allowed", Binary(k), "binary[100000]"});
  cases->push_back({"too long", Binary(k + "x"), "close(1009)", true});
  cases->push_back({"too long says the head", Frame(kFin | kBinary, k + "x").substr(0, 14),
                    "close(1009)", true});
  cases->push_back({"longest there is",
                    Head({0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4}),
                    "close(1009)", true});
  cases->push_back({"fragments as long as allowed",
                    Frame(kBinary, k.substr(1)) + Frame(kFin | kContinuation, "x"),
                    "binary[100000]"});
  cases->push_back({"fragments too long", Frame(kBinary, k) + Frame(kFin | kContinuation, "x"),
                    "close(1009)", true});
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  AddFraming(&cases);
  AddPings(&cases);
  AddReserved(&cases);
  AddFragments(&cases);
  AddText(&cases);
  AddCloses(&cases);
  AddLimits(&cases);
  return cases;
}

const char kBye[] = "bye";

void Echo(evws_connection *evws, int type, const unsigned char *data, size_t len, void *) {
  EXPECT_EQ(data[len], '\0');
  EXPECT_EQ(evws_send_message(evws, type, data, len), 0);
}

void CountClose(evws_connection *, void *arg) {
  ++*static_cast<int *>(arg);
}

// `cut`: how many bytes are sent first; SIZE_MAX: each by itself.
void RunCase(Loop *loop, const Case &test, size_t cut) {
  evutil_socket_t fds[2];
  MakePair(fds);
  int num_closes = 0;
  evws_connection *evws = strata_ws_new(loop->base(), STRATA_WS_SERVER, Echo, nullptr, 0);
  evws_connection_set_closecb(evws, CountClose, &num_closes);
  evws_connection_set_max_message_size(evws, 100 * 1000);
  strata_ws_start(evws, bufferevent_socket_new(loop->base(), fds[0], BEV_OPT_CLOSE_ON_FREE),
                  STRATA_WS_OPEN);
  Peer peer(loop, fds[1]);
  std::string bytes = test.bytes, expected = test.expected;
  if (!test.ends) {
    bytes += Close(1000, kBye);
    expected += expected.empty() ? "close(1000)" : " close(1000)";
  }
  if (cut == SIZE_MAX) {
    for (char byte : bytes) {
      peer.Send(std::string(1, byte));
      event_base_loop(loop->base(), EVLOOP_NONBLOCK);
    }
  } else {
    peer.Send(bytes.substr(0, cut));
    loop->Settle();
    peer.Send(bytes.substr(std::min(cut, bytes.size())));
  }
  EXPECT_TRUE(peer.WaitClosed());
  EXPECT_EQ(peer.Log(), expected + " end");
  for (const Received &frame : peer.frames()) EXPECT_FALSE(frame.masked);
  EXPECT_EQ(num_closes, 0);  // It waits for the peer's end.
  peer.Hangup();
  EXPECT_TRUE(loop->RunUntil([&] { return num_closes == 1; }));
}

// The cases share a loop: io_uring's rings are given back later than the kernel's limits like when
// hundreds are made in a row.
class Rfc6455 : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() { loop_ = new Loop; }
  static void TearDownTestSuite() {
    delete loop_;
    loop_ = nullptr;
  }

  static Loop *loop_;
};

Loop *Rfc6455::loop_;

TEST_P(Rfc6455, Echo) {
  const Case &test = GetParam();
  SCOPED_TRACE(test.name);
  RunCase(loop_, test, test.bytes.size());
  RunCase(loop_, test, test.bytes.size() / 2);
  RunCase(loop_, test, 1);
  if (test.bytes.size() < 2000) RunCase(loop_, test, SIZE_MAX);
}

INSTANTIATE_TEST_SUITE_P(Cases, Rfc6455, testing::ValuesIn(AllCases()),
                         [](const testing::TestParamInfo<Case> &info) {
                           std::string name = std::to_string(info.index) + "_";
                           for (char c : info.param.name)
                             name += isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

}  // namespace

#include "http/ws_handshake.h"

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http/headers.h"
#include "util/queue.h"

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

class FieldList {
 public:
  explicit FieldList(const Fields &fields) {
    EV_TAILQ_INIT(&list_);
    for (const auto &field : fields)
      strata_http_headers_add(&list_, field.first.data(), field.first.size(), field.second.data(),
                              field.second.size());
  }
  ~FieldList() { evhttp_clear_headers(&list_); }
  evkeyvalq *get() { return &list_; }

 private:
  evkeyvalq list_;
};

const char kKey[] = "dGhlIHNhbXBsZSBub25jZQ==";
const char kAnswer[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

TEST(WsHandshake, TheAnswerOfTheRfc) {
  char accept[STRATA_WS_ACCEPT_LEN + 1];
  strata_ws_accept(kKey, accept);
  EXPECT_STREQ(accept, kAnswer);
}

TEST(WsHandshake, Keys) {
  std::string last;
  for (int i = 0; i < 10; ++i) {
    char key[STRATA_WS_KEY_LEN + 1];
    strata_ws_make_key(key);
    EXPECT_TRUE(strata_ws_is_key(key)) << key;
    EXPECT_NE(last, key);
    last = key;
  }
  for (const char *key :
       {"", "==", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZQA=", "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25j*Q==", "dGhlIHNhbXBsZSBub25jZ===", " dGhlIHNhbXBsZSBub25jZQ=="})
    EXPECT_FALSE(strata_ws_is_key(key)) << key;
}

// ---- Requests ----

Fields Request() {
  return {{"Host", "a"},
          {"Upgrade", "websocket"},
          {"Connection", "Upgrade"},
          {"Sec-WebSocket-Key", kKey},
          {"Sec-WebSocket-Version", "13"}};
}

Fields With(Fields fields, const std::string &name, const std::string &value) {
  for (auto &field : fields)
    if (field.first == name) field.second = value;
  return fields;
}
Fields Without(const Fields &fields, const std::string &name) {
  Fields rest;
  for (const auto &field : fields)
    if (field.first != name) rest.push_back(field);
  return rest;
}
Fields Plus(Fields fields, const std::string &name, const std::string &value) {
  fields.emplace_back(name, value);
  return fields;
}

strata_ws_request_kind Check(const Fields &fields, evhttp_cmd_type type = EVHTTP_REQ_GET,
                             int minor = 1) {
  FieldList list(fields);
  evhttp_request req = {};
  req.input_headers = list.get();
  req.type = type;
  req.major = 1;
  req.minor = static_cast<char>(minor);
  const char *key;
  strata_ws_request_kind kind = strata_ws_request_check(&req, &key);
  if (kind == STRATA_WS_REQUEST_OK) {
    EXPECT_STREQ(key, kKey);
  }
  return kind;
}

TEST(WsHandshake, RequestsAgreedTo) {
  const Fields kCases[] = {
      Request(),
      With(Request(), "Upgrade", "WebSocket"),
      With(Request(), "Upgrade", "h2c, websocket"),
      With(Request(), "Connection", "keep-alive, Upgrade"),
      With(Request(), "Connection", "UPGRADE"),
      Plus(With(Request(), "Connection", "keep-alive"), "connection", "upgrade"),
      Plus(Request(), "Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
      Plus(Request(), "Origin", "http://elsewhere"),
  };
  for (const Fields &fields : kCases) EXPECT_EQ(Check(fields), STRATA_WS_REQUEST_OK);
}

TEST(WsHandshake, RequestsRefused) {
  EXPECT_EQ(Check(Request(), EVHTTP_REQ_POST), STRATA_WS_REQUEST_BAD);
  EXPECT_EQ(Check(Request(), EVHTTP_REQ_HEAD), STRATA_WS_REQUEST_BAD);
  EXPECT_EQ(Check(Request(), EVHTTP_REQ_GET, 0), STRATA_WS_REQUEST_BAD);
  const Fields kBad[] = {
      Without(Request(), "Connection"),
      With(Request(), "Connection", "keep-alive"),
      With(Request(), "Connection", "Upgrades"),
      Without(Request(), "Host"),
      Plus(Request(), "Host", "b"),
      Without(Request(), "Sec-WebSocket-Key"),
      With(Request(), "Sec-WebSocket-Key", "short"),
      With(Request(), "Sec-WebSocket-Key", ""),
      Plus(Request(), "Sec-WebSocket-Key", kKey),
      Plus(Request(), "Sec-WebSocket-Version", "13"),
  };
  for (const Fields &fields : kBad) EXPECT_EQ(Check(fields), STRATA_WS_REQUEST_BAD);
  const Fields kNoUpgrade[] = {
      Without(Request(), "Upgrade"),
      With(Request(), "Upgrade", "h2c"),
      With(Request(), "Upgrade", "websockets"),
      With(Request(), "Upgrade", ""),
  };
  for (const Fields &fields : kNoUpgrade) EXPECT_EQ(Check(fields), STRATA_WS_REQUEST_NO_UPGRADE);
  for (const char *version : {"12", "8", "14", "013", "13, 8", ""})
    EXPECT_EQ(Check(With(Request(), "Sec-WebSocket-Version", version)),
              STRATA_WS_REQUEST_OTHER_VERSION);
  EXPECT_EQ(Check(Without(Request(), "Sec-WebSocket-Version")), STRATA_WS_REQUEST_OTHER_VERSION);
}

// ---- Answers ----

Fields Answer() {
  return {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", kAnswer}};
}

bool Agrees(const Fields &fields, const char *offered = nullptr,
            const std::string &expected_protocol = "") {
  FieldList list(fields);
  const char *protocol = nullptr;
  if (!strata_ws_response_check(list.get(), kKey, offered, &protocol)) return false;
  EXPECT_EQ(protocol ? protocol : "", expected_protocol);
  return true;
}

TEST(WsHandshake, Answers) {
  EXPECT_TRUE(Agrees(Answer()));
  EXPECT_TRUE(Agrees(With(Answer(), "Upgrade", "WEBSOCKET")));
  EXPECT_TRUE(Agrees(With(Answer(), "Connection", "x, upgrade")));
  EXPECT_TRUE(Agrees(Answer(), "chat, superchat"));
  EXPECT_TRUE(Agrees(Plus(Answer(), "Sec-WebSocket-Protocol", "chat"), "super, chat", "chat"));
  const Fields kBad[] = {
      Without(Answer(), "Upgrade"),
      With(Answer(), "Upgrade", "websocket, h2c"),
      Without(Answer(), "Connection"),
      With(Answer(), "Connection", "close"),
      Without(Answer(), "Sec-WebSocket-Accept"),
      With(Answer(), "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO="),
      With(Answer(), "Sec-WebSocket-Accept", "S3PPLMBITXAQ9KYGZZHZRBK+XOO="),
      Plus(Answer(), "Sec-WebSocket-Accept", kAnswer),
      Plus(Answer(), "Sec-WebSocket-Extensions", "permessage-deflate"),
      Plus(Answer(), "Sec-WebSocket-Protocol", "nobody asked"),
  };
  for (const Fields &fields : kBad) EXPECT_FALSE(Agrees(fields));
  Fields chosen = Plus(Answer(), "Sec-WebSocket-Protocol", "chat");
  EXPECT_FALSE(Agrees(chosen, "superchat"));
  EXPECT_FALSE(Agrees(chosen, "Chat"));
  EXPECT_FALSE(Agrees(Plus(chosen, "Sec-WebSocket-Protocol", "chat"), "chat"));
}

}  // namespace

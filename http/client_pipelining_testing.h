#ifndef STRATA_HTTP_CLIENT_PIPELINING_TESTING_H_
#define STRATA_HTTP_CLIENT_PIPELINING_TESTING_H_

// What the tests of several requests over one client connection share.

#include <memory>
#include <string>
#include <vector>

#include "http/client_testing.h"

namespace client_testing {

inline std::string ReplyOf(const std::string &body, const std::string &fields = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class PipeliningTest : public ClientTest {
 protected:
  // A connection over which one reply has come, and the server's end of it. Replies are sent by
  // hand from then on.
  Peer *Warm(int max_in_flight) {
    con_ = std::make_unique<Connection>(&loop_, server_.port());
    evhttp_connection_set_pipelining(con_->get(), max_in_flight);
    Exchange first;
    server_.replies = {kHi};
    first.Make(con_->get(), EVHTTP_REQ_GET, "/first");
    EXPECT_TRUE(Finish(&first));
    return server_.peers.back().get();
  }
  // Makes requests for /0, /1 and so on.
  void MakeMany(int num, evhttp_cmd_type type = EVHTTP_REQ_GET) {
    for (int i = 0; i < num; ++i) {
      many_.push_back(std::make_unique<Exchange>());
      Make(many_.back().get(), type);
    }
  }
  void Make(Exchange *exchange, evhttp_cmd_type type) {
    const std::string path = "/" + std::to_string(num_made_++);
    ASSERT_EQ(exchange->Make(con_->get(), type, path.c_str()), 0);
  }
  Exchange *Add() {
    many_.push_back(std::make_unique<Exchange>());
    return many_.back().get();
  }
  Exchange &At(size_t i) { return *many_[i]; }
  bool FinishAll() {
    return Run([&] {
      for (auto &exchange : many_) {
        if (!exchange->calls) return false;
      }
      return true;
    });
  }
  // How often the server has got a request for `path`.
  int Sent(const std::string &path) {
    int count = 0;
    for (auto &peer : server_.peers) count += Sent(path, *peer);
    return count;
  }
  static int Sent(const std::string &path, const Peer &peer) {
    int count = 0;
    const std::string text = " " + path + " HTTP/";
    for (size_t at = 0; (at = peer.in.find(text, at)) != std::string::npos; ++at) count++;
    return count;
  }
  bool Sees(Peer *peer, const std::string &path) {
    return Run([&] { return Sent(path, *peer) > 0; });
  }

  std::unique_ptr<Connection> con_;
  std::vector<std::unique_ptr<Exchange>> many_;
  int num_made_ = 0;
};

}  // namespace client_testing

#endif

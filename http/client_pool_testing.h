#ifndef STRATA_HTTP_CLIENT_POOL_TESTING_H_
#define STRATA_HTTP_CLIENT_POOL_TESTING_H_

// What the tests of pools of client connections share.

#include "http/client_testing.h"

namespace client_testing {

class PoolTest : public ClientTest {
 protected:
  PoolTest() : pool_(evhttp_connection_pool_new(loop_.base(), nullptr)) {}
  ~PoolTest() override { Free(); }

  void Free() {
    if (pool_) evhttp_connection_pool_free(pool_);
    pool_ = nullptr;
    loop_.Settle();
  }
  static std::string UriOf(const RawServer &server, const std::string &target = "/",
                           const std::string &scheme = "http") {
    return scheme + "://127.0.0.1:" + std::to_string(server.port()) + target;
  }
  int Make(Exchange *exchange, const std::string &uri, evhttp_cmd_type type = EVHTTP_REQ_GET) {
    return evhttp_connection_pool_make_request(pool_, exchange->req, type, uri.c_str());
  }
  // Makes requests for /0, /1 and so on.
  void MakeMany(int num) {
    for (int i = 0; i < num; ++i) {
      many_.push_back(std::make_unique<Exchange>());
      const std::string target = "/" + std::to_string(many_.size() - 1);
      ASSERT_EQ(Make(many_.back().get(), UriOf(server_, target)), 0);
    }
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
  evhttp_connection_pool_stats Stats() {
    evhttp_connection_pool_stats stats;
    evhttp_connection_pool_get_stats(pool_, &stats);
    return stats;
  }
  bool BecomesEmpty() {
    return Run([&] {
      const evhttp_connection_pool_stats stats = Stats();
      return stats.num_hosts + stats.num_connections + stats.num_idle + stats.num_waiting == 0;
    });
  }

  evhttp_connection_pool *pool_;
  std::vector<std::unique_ptr<Exchange>> many_;
};

}  // namespace client_testing

#endif

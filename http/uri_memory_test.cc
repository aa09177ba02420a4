#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <gtest/gtest.h>

#include <string>

#include "http/uri.h"
#include "util/memory.h"
#include "util/testing/counting_memory.h"

namespace {

// Runs `scenario` with the n-th allocation failing, for every n until none fails any more. It
// returns whether it succeeded, and must do so exactly when no allocation failed.
template <typename Scenario>
void FailEachAllocation(Scenario scenario) {
  CountingMemory::Install(strata_set_mem_functions);
  int n = 0;
  bool failed = true;
  for (; failed && n < 1000; ++n) {
    CountingMemory::Begin(n + 1);
    bool succeeded = scenario();
    failed = CountingMemory::has_failed();
    CountingMemory::StopFailing();
    EXPECT_EQ(succeeded, !failed) << "allocation " << n;
  }
  EXPECT_GT(n, 1);
  EXPECT_LT(n, 1000);
  strata_set_mem_functions(nullptr, nullptr, nullptr);
}

bool Exists(evhttp_uri *uri) {
  bool exists = uri != nullptr;
  evhttp_uri_free(uri);
  return exists;
}

bool Exists(char *text) {
  bool exists = text != nullptr;
  strata_free(text);
  return exists;
}

TEST(UriMemory, Parse) {
  FailEachAllocation([] { return Exists(evhttp_uri_parse("http://u@h:1/p?q#f")); });
  FailEachAllocation([] {
    return Exists(evhttp_uri_parse_with_flags("http://u@unix:/s:/p", EVHTTP_URI_UNIX_SOCKET));
  });
  FailEachAllocation(
      [] { return Exists(strata_http_uri_parse_target("h:1", EVHTTP_TARGET_AUTHORITY)); });
}

TEST(UriMemory, AFailedSetterChangesNothing) {
  evhttp_uri *uri = evhttp_uri_parse("http://h/p");
  ASSERT_NE(uri, nullptr);
  FailEachAllocation([&] {
    bool set = evhttp_uri_set_host(uri, "longer") == 0;
    if (!set) {
      EXPECT_STREQ(evhttp_uri_get_host(uri), "h");
    }
    return set;
  });
  evhttp_uri_free(uri);
}

TEST(UriMemory, Escapes) {
  FailEachAllocation([] { return Exists(evhttp_encode_uri("a b")); });
  FailEachAllocation([] { return Exists(evhttp_uridecode("a%20b", 0, nullptr)); });
  FailEachAllocation([] { return Exists(evhttp_decode_uri("a%20b")); });
  FailEachAllocation([] { return Exists(evhttp_htmlescape("<")); });
}

TEST(UriMemory, AFailedQueryLeavesAnEmptyList) {
  FailEachAllocation([] {
    evkeyvalq headers;
    bool parsed = evhttp_parse_query("/?a=b&c=d", &headers) == 0;
    if (!parsed) {
      EXPECT_EQ(headers.tqh_first, nullptr);
    }
    evhttp_clear_headers(&headers);
    return parsed;
  });
}

}  // namespace

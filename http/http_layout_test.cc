// The layout of the public structs is libevent 2.1.12's (LP64 Linux).

#include "http/http_testing.h"

#include <event2/http_compat.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include <cstddef>

namespace {

#if defined(__LP64__)
#define EXPECT_OFFSET(field, offset) EXPECT_EQ(offsetof(evhttp_request, field), offset##u)

TEST(Layout, Request) {
  EXPECT_EQ(sizeof(evhttp_request), 216u);
  EXPECT_OFFSET(evcon, 16);
  EXPECT_OFFSET(flags, 24);
  EXPECT_OFFSET(input_headers, 32);
  EXPECT_OFFSET(output_headers, 40);
  EXPECT_OFFSET(remote_host, 48);
  EXPECT_OFFSET(remote_port, 56);
  EXPECT_OFFSET(host_cache, 64);
  EXPECT_OFFSET(kind, 72);
  EXPECT_OFFSET(type, 76);
  EXPECT_OFFSET(headers_size, 80);
  EXPECT_OFFSET(body_size, 88);
  EXPECT_OFFSET(uri, 96);
  EXPECT_OFFSET(uri_elems, 104);
  EXPECT_OFFSET(major, 112);
  EXPECT_OFFSET(minor, 113);
  EXPECT_OFFSET(response_code, 116);
  EXPECT_OFFSET(response_code_line, 120);
  EXPECT_OFFSET(input_buffer, 128);
  EXPECT_OFFSET(ntoread, 136);
  EXPECT_OFFSET(output_buffer, 152);
  EXPECT_OFFSET(cb, 160);
  EXPECT_OFFSET(cb_arg, 168);
  EXPECT_OFFSET(chunk_cb, 176);
  EXPECT_OFFSET(header_cb, 184);
  EXPECT_OFFSET(error_cb, 192);
  EXPECT_OFFSET(on_complete_cb, 200);
  EXPECT_OFFSET(on_complete_cb_arg, 208);
}

TEST(Layout, Headers) {
  EXPECT_EQ(sizeof(evkeyval), 32u);
  EXPECT_EQ(offsetof(evkeyval, key), 16u);
  EXPECT_EQ(offsetof(evkeyval, value), 24u);
  EXPECT_EQ(sizeof(evkeyvalq), 16u);
}
#endif

TEST(Layout, Values) {
  EXPECT_EQ(EVHTTP_REQ_GET | EVHTTP_REQ_POST << 1 | EVHTTP_REQ_PATCH, 1 | 2 << 1 | 256);
  EXPECT_EQ(EVREQ_HTTP_DATA_TOO_LONG, 5);
  EXPECT_EQ(EVHTTP_REQ_TRACE, 64);
  EXPECT_EQ(EVHTTP_REQUEST, 0);
  EXPECT_EQ(EVHTTP_RESPONSE, 1);
  EXPECT_EQ(EVHTTP_SERVER_LINGERING_CLOSE, 1);
  EXPECT_EQ(EVHTTP_CON_LINGERING_CLOSE, 0x20);
  EXPECT_EQ(EVHTTP_CON_PUBLIC_FLAGS_END, 0x100000);
  EXPECT_EQ(EVHTTP_REQ_OWN_CONNECTION, 1);
  EXPECT_EQ(EVHTTP_PROXY_REQUEST, 2);
  EXPECT_EQ(EVHTTP_USER_OWNED, 4);
  EXPECT_EQ(EVHTTP_REQ_DEFER_FREE, 8);
  EXPECT_EQ(EVHTTP_REQ_NEEDS_FREE, 16);
  EXPECT_EQ(&evhttp_request_uri, &evhttp_request_get_uri);
}

#if !defined(STRATA_ORACLE)
// libevent 2.2's.
TEST(Layout, StatusCodes) {
  const int codes[] = {HTTP_CONTINUE,
                       HTTP_SWITCH_PROTOCOLS,
                       HTTP_PROCESSING,
                       HTTP_EARLYHINTS,
                       HTTP_OK,
                       HTTP_CREATED,
                       HTTP_ACCEPTED,
                       HTTP_NONAUTHORITATIVE,
                       HTTP_NOCONTENT,
                       HTTP_RESETCONTENT,
                       HTTP_PARTIALCONTENT,
                       HTTP_MULTISTATUS,
                       HTTP_ALREADYREPORTED,
                       HTTP_IMUSED,
                       HTTP_AMBIGUOUS,
                       HTTP_MOVEPERM,
                       HTTP_MOVETEMP,
                       HTTP_SEEOTHER,
                       HTTP_NOTMODIFIED,
                       HTTP_USEPROXY,
                       HTTP_SWITCHPROXY,
                       HTTP_TEMPREDIRECT,
                       HTTP_PERMREDIRECT,
                       HTTP_BADREQUEST,
                       HTTP_UNAUTHORIZED,
                       HTTP_PAYMENTREQUIRED,
                       HTTP_FORBIDDEN,
                       HTTP_NOTFOUND,
                       HTTP_BADMETHOD,
                       HTTP_NOTACCEPTABLE,
                       HTTP_PROXYAUTHREQUIRED,
                       HTTP_REQUESTTIMEOUT,
                       HTTP_CONFLICT,
                       HTTP_GONE,
                       HTTP_LENGTHREQUIRED,
                       HTTP_PRECONDITIONFAILED,
                       HTTP_ENTITYTOOLARGE,
                       HTTP_URITOOLONG,
                       HTTP_UNSUPPORTEDMEDIATYPE,
                       HTTP_RANGENOTSATISFIABLE,
                       HTTP_EXPECTATIONFAILED,
                       HTTP_IMATEAPOT,
                       HTTP_MISDIRECTEDREQUEST,
                       HTTP_UPGRADEREQUIRED,
                       HTTP_PRECONDITIONREQUIRED,
                       HTTP_TOOMANYREQUESTS,
                       HTTP_REQUESTHEADERFIELDSTOOLARGE,
                       HTTP_INTERNAL,
                       HTTP_NOTIMPLEMENTED,
                       HTTP_SERVUNAVAIL};
  const std::vector<int> expected = {
      100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302,
      303, 304, 305, 306, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410,
      411, 412, 413, 414, 415, 416, 417, 418, 421, 426, 428, 429, 431, 500, 501, 503};
  EXPECT_EQ(std::vector<int>(std::begin(codes), std::end(codes)), expected);
}
#endif

}  // namespace

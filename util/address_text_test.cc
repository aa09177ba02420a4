#include <gtest/gtest.h>

#include <string>

#include "util/address.h"

class AddressTextTest : public testing::Test {
 protected:
  struct sockaddr *Parse(const char *text) {
    int len = sizeof(storage_);
    EXPECT_EQ(0, evutil_parse_sockaddr_port(text, addr_, &len));
    return addr_;
  }
  std::string Format(const char *text) {
    char out[STRATA_ADDRESS_TEXT_LEN];
    return strata_address_format(Parse(text), out, sizeof(out));
  }
  struct sockaddr_storage storage_ = {};
  struct sockaddr *addr_ = (struct sockaddr *)&storage_;
};

TEST_F(AddressTextTest, Format) {
  EXPECT_EQ("1.2.3.4:80", Format("1.2.3.4:80"));
  EXPECT_EQ("1.2.3.4:0", Format("1.2.3.4"));
  EXPECT_EQ("[::1]:443", Format("[::1]:443"));
}

TEST_F(AddressTextTest, FormatTruncates) {
  char out[5];
  EXPECT_STREQ("1.2.", strata_address_format(Parse("1.2.3.4:80"), out, sizeof(out)));
}

TEST_F(AddressTextTest, Host) {
  char host[STRATA_ADDRESS_TEXT_LEN];
  ev_uint16_t port = 0;
  EXPECT_EQ(0, strata_address_host(Parse("[2001:db8::1]:8080"), host, sizeof(host), &port));
  EXPECT_STREQ("2001:db8::1", host);
  EXPECT_EQ(8080, port);
  EXPECT_EQ(0, strata_address_host(Parse("1.2.3.4:1"), host, sizeof(host), nullptr));
  EXPECT_STREQ("1.2.3.4", host);
  EXPECT_EQ(-1, strata_address_host(addr_, host, 3, nullptr));
}

TEST_F(AddressTextTest, OtherFamilies) {
  char out[STRATA_ADDRESS_TEXT_LEN];
  addr_->sa_family = AF_UNIX;
  EXPECT_STREQ("<address of family 1>", strata_address_format(addr_, out, sizeof(out)));
  EXPECT_EQ(-1, strata_address_host(addr_, out, sizeof(out), nullptr));
  EXPECT_EQ(0, strata_address_port(addr_));
  strata_address_set_port(addr_, 80);
}

TEST_F(AddressTextTest, SetPort) {
  for (const char *text : {"1.2.3.4:80", "[::1]:80"}) {
    strata_address_set_port(Parse(text), 8080);
    EXPECT_EQ(8080, strata_address_port(addr_));
  }
}

#include <event2/http.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

namespace {

struct UriFree {
  void operator()(evhttp_uri *uri) const { evhttp_uri_free(uri); }
};
using Uri = std::unique_ptr<evhttp_uri, UriFree>;

Uri Parse(const std::string &text, unsigned flags = 0) {
  return Uri(evhttp_uri_parse_with_flags(text.c_str(), flags));
}

std::string OrNull(const char *text) {
  return text ? text : "(null)";
}

// All parts in one line: scheme|userinfo|host|port|path|query|fragment.
std::string Parts(const Uri &uri) {
  if (!uri) return "(malformed)";
  return OrNull(evhttp_uri_get_scheme(uri.get())) + "|" +
         OrNull(evhttp_uri_get_userinfo(uri.get())) + "|" + OrNull(evhttp_uri_get_host(uri.get())) +
         "|" + std::to_string(evhttp_uri_get_port(uri.get())) + "|" +
         OrNull(evhttp_uri_get_path(uri.get())) + "|" + OrNull(evhttp_uri_get_query(uri.get())) +
         "|" + OrNull(evhttp_uri_get_fragment(uri.get()));
}

std::string Join(const Uri &uri) {
  char buf[300];
  return OrNull(evhttp_uri_join(uri.get(), buf, sizeof(buf)));
}

struct Case {
  std::string text, parts;
};

// RFC 3986 3 and 1.1.2.
TEST(Uri, TakenApartAndPutTogether) {
  const Case cases[] = {
      {"http://www.ietf.org/rfc/rfc2396.txt",
       "http|(null)|www.ietf.org|-1|/rfc/rfc2396.txt|(null)|"
       "(null)"},
      {"http://u:p@h:8080/a/b?c=d&e#f", "http|u:p|h|8080|/a/b|c=d&e|f"},
      {"ftp://ftp.is.co.za/rfc/rfc1808.txt",
       "ftp|(null)|ftp.is.co.za|-1|/rfc/rfc1808.txt|(null)|(null)"},
      {"ldap://[2001:db8::7]/c=GB?objectClass?one",
       "ldap|(null)|[2001:db8::7]|-1|/c=GB|objectClass?one|(null)"},
      {"mailto:John.Doe@example.com", "mailto|(null)|(null)|-1|John.Doe@example.com|(null)|(null)"},
      {"tel:+1-816-555-1212", "tel|(null)|(null)|-1|+1-816-555-1212|(null)|(null)"},
      {"telnet://192.0.2.16:80/", "telnet|(null)|192.0.2.16|80|/|(null)|(null)"},
      {"urn:oasis:names:docbook", "urn|(null)|(null)|-1|oasis:names:docbook|(null)|(null)"},
      {"file:///etc/motd", "file|(null)||-1|/etc/motd|(null)|(null)"},
      {"", "(null)|(null)|(null)|-1||(null)|(null)"},
      {"/", "(null)|(null)|(null)|-1|/|(null)|(null)"},
      {"a", "(null)|(null)|(null)|-1|a|(null)|(null)"},
      {"a/b:c", "(null)|(null)|(null)|-1|a/b:c|(null)|(null)"},
      {"./a:b", "(null)|(null)|(null)|-1|./a:b|(null)|(null)"},
      {"//h", "(null)|(null)|h|-1||(null)|(null)"},
      {"//h?q", "(null)|(null)|h|-1||q|(null)"},
      {"//h#f", "(null)|(null)|h|-1||(null)|f"},
      {"//@h", "(null)||h|-1||(null)|(null)"},
      {"?", "(null)|(null)|(null)|-1|||(null)"},
      {"#", "(null)|(null)|(null)|-1||(null)|"},
      {"?a?b/c#d?e/f", "(null)|(null)|(null)|-1||a?b/c|d?e/f"},
      {"/a//b", "(null)|(null)|(null)|-1|/a//b|(null)|(null)"},
      {"a+-.9:b", "a+-.9|(null)|(null)|-1|b|(null)|(null)"},
      {"http:a", "http|(null)|(null)|-1|a|(null)|(null)"},
      {"http:", "http|(null)|(null)|-1||(null)|(null)"},
      {"http://h:0/", "http|(null)|h|0|/|(null)|(null)"},
      {"http://h:65535/", "http|(null)|h|65535|/|(null)|(null)"},
      {"http://%41%2f/%2F%00", "http|(null)|%41%2f|-1|/%2F%00|(null)|(null)"},
      {"http://a!$&'()*+,;=b/", "http|(null)|a!$&'()*+,;=b|-1|/|(null)|(null)"},
      {"http://[::1]:80/", "http|(null)|[::1]|80|/|(null)|(null)"},
      {"http://[::ffff:1.2.3.4]/", "http|(null)|[::ffff:1.2.3.4]|-1|/|(null)|(null)"},
      {"http://[v1.a:b]/", "http|(null)|[v1.a:b]|-1|/|(null)|(null)"},
      {"http://u@[::1]", "http|u|[::1]|-1||(null)|(null)"},
  };
  for (const Case &c : cases) {
    Uri uri = Parse(c.text);
    EXPECT_EQ(Parts(uri), c.parts) << c.text;
    if (!uri) continue;
    EXPECT_EQ(Join(uri), c.text);
  }
}

TEST(Uri, AnEmptyPortIsNone) {
  EXPECT_EQ(Parts(Parse("http://h:/")), "http|(null)|h|-1|/|(null)|(null)");
}

TEST(Uri, Malformed) {
  for (const char *text : {"a b",
                           "/a b",
                           "/a\x01",
                           "/\xc3\xa9",
                           "/a<",
                           "/a\"",
                           "/a\\",
                           "/a^",
                           "/a`",
                           "/a{",
                           "/a|",
                           "/a[",
                           "/%",
                           "/%4",
                           "/%4g",
                           "/?a b",
                           "/?%",
                           "/#a b",
                           "/#a#b",
                           ":",
                           ":a",
                           "1a:b",
                           "a_b:c",
                           "-a:b",
                           "http://h:x/",
                           "http://h:65536/",
                           "http://h:-1/",
                           "http://h:1:2/",
                           "http://a b/",
                           "http://[::1",
                           "http://[::1/",
                           "http://[::1]a/",
                           "http://[::1::2]/",
                           "http://[]/",
                           "http://[g]/",
                           "http://[v.a]/",
                           "http://[vx.a]/",
                           "http://u<@h/",
                           "http://u@v@h/",
                           "http://%/",
                           "http://h\\/"}) {
    EXPECT_EQ(Parts(Parse(text)), "(malformed)") << text;
  }
}

TEST(Uri, NonconformantTakesAnyBytesBehindTheAuthority) {
  const Case cases[] = {
      {"/a b?c d#e f", "(null)|(null)|(null)|-1|/a b|c d|e f"},
      {"http://h/%?\xff#<#>", "http|(null)|h|-1|/%|\xff|<#>"},
      {"/a|b[]{}?\"", "(null)|(null)|(null)|-1|/a|b[]{}|\"|(null)"},
  };
  for (const Case &c : cases) {
    Uri uri = Parse(c.text, EVHTTP_URI_NONCONFORMANT);
    EXPECT_EQ(Parts(uri), c.parts) << c.text;
    EXPECT_EQ(Parts(Parse(c.text)), "(malformed)");
    if (!uri) continue;
    EXPECT_EQ(Join(uri), c.text);
  }
  EXPECT_EQ(Parts(Parse("http://a b/", EVHTTP_URI_NONCONFORMANT)), "(malformed)");
  EXPECT_EQ(Parts(Parse("http://h:x/", EVHTTP_URI_NONCONFORMANT)), "(malformed)");
}

TEST(Uri, NewHasNoParts) {
  Uri uri(evhttp_uri_new());
  EXPECT_EQ(Parts(uri), "(null)|(null)|(null)|-1|(null)|(null)|(null)");
  EXPECT_EQ(Join(uri), "");
}

TEST(Uri, Setters) {
  Uri uri(evhttp_uri_new());
  EXPECT_EQ(0, evhttp_uri_set_scheme(uri.get(), "http"));
  EXPECT_EQ(0, evhttp_uri_set_userinfo(uri.get(), "u:p:%40"));
  EXPECT_EQ(0, evhttp_uri_set_host(uri.get(), "[::1]"));
  EXPECT_EQ(0, evhttp_uri_set_port(uri.get(), 81));
  EXPECT_EQ(0, evhttp_uri_set_path(uri.get(), "/a"));
  EXPECT_EQ(0, evhttp_uri_set_query(uri.get(), "b?/"));
  EXPECT_EQ(0, evhttp_uri_set_fragment(uri.get(), "c?/"));
  EXPECT_EQ(Join(uri), "http://u:p:%40@[::1]:81/a?b?/#c?/");
  EXPECT_EQ(0, evhttp_uri_set_host(uri.get(), "h"));
  EXPECT_EQ(0, evhttp_uri_set_userinfo(uri.get(), nullptr));
  EXPECT_EQ(0, evhttp_uri_set_port(uri.get(), -1));
  EXPECT_EQ(0, evhttp_uri_set_query(uri.get(), nullptr));
  EXPECT_EQ(0, evhttp_uri_set_fragment(uri.get(), nullptr));
  EXPECT_EQ(Join(uri), "http://h/a");
  EXPECT_EQ(0, evhttp_uri_set_scheme(uri.get(), nullptr));
  EXPECT_EQ(0, evhttp_uri_set_host(uri.get(), nullptr));
  EXPECT_EQ(0, evhttp_uri_set_path(uri.get(), nullptr));
  EXPECT_EQ(Join(uri), "");
}

TEST(Uri, SettersRefuseWhatDoesNotBelong) {
  Uri uri = Parse("http://u@h:1/p?q#f");
  for (const char *scheme : {"", "1", "a:", "a/", "a b"}) {
    EXPECT_EQ(-1, evhttp_uri_set_scheme(uri.get(), scheme)) << scheme;
  }
  for (const char *userinfo : {"a@", "a/", "%4", "a b"}) {
    EXPECT_EQ(-1, evhttp_uri_set_userinfo(uri.get(), userinfo)) << userinfo;
  }
  for (const char *host : {"a:", "a/", "[::1", "::1", "[x]", "a b", "%zz"}) {
    EXPECT_EQ(-1, evhttp_uri_set_host(uri.get(), host)) << host;
  }
  for (const char *path : {"a?", "a#", "a b", "%"}) {
    EXPECT_EQ(-1, evhttp_uri_set_path(uri.get(), path)) << path;
  }
  for (const char *query : {"a#", "a b", "%4"}) {
    EXPECT_EQ(-1, evhttp_uri_set_query(uri.get(), query)) << query;
  }
  for (const char *fragment : {"a#", "a b", "%4"}) {
    EXPECT_EQ(-1, evhttp_uri_set_fragment(uri.get(), fragment)) << fragment;
  }
  EXPECT_EQ(-1, evhttp_uri_set_port(uri.get(), -2));
  EXPECT_EQ(Join(uri), "http://u@h:1/p?q#f");
}

TEST(Uri, FlagsChangeWhatSettersTake) {
  Uri uri(evhttp_uri_new());
  EXPECT_EQ(-1, evhttp_uri_set_path(uri.get(), "a b"));
  evhttp_uri_set_flags(uri.get(), EVHTTP_URI_NONCONFORMANT);
  EXPECT_EQ(0, evhttp_uri_set_path(uri.get(), "a b"));
  EXPECT_EQ(0, evhttp_uri_set_query(uri.get(), "a b"));
  EXPECT_EQ(0, evhttp_uri_set_fragment(uri.get(), "a b#"));
  EXPECT_EQ(-1, evhttp_uri_set_path(uri.get(), "a?b"));
  EXPECT_EQ(-1, evhttp_uri_set_host(uri.get(), "a b"));
}

// RFC 3986 3.3: a path behind an authority starts with a slash.
TEST(Uri, JoinRefusesARelativePathBehindAHost) {
  Uri uri(evhttp_uri_new());
  evhttp_uri_set_host(uri.get(), "h");
  evhttp_uri_set_path(uri.get(), "a");
  EXPECT_EQ(Join(uri), "(null)");
}

TEST(Uri, JoinLeavesOutUserinfoAndPortWithoutAHost) {
  Uri uri = Parse("http://u@h:1/p");
  EXPECT_EQ(0, evhttp_uri_set_host(uri.get(), nullptr));
  EXPECT_EQ(Join(uri), "http:/p");
}

TEST(Uri, JoinNeedsRoomForTheNul) {
  Uri uri = Parse("http://h:80/p?q#f");
  char buf[18];
  EXPECT_EQ(evhttp_uri_join(uri.get(), buf, 17), nullptr);
  EXPECT_EQ(evhttp_uri_join(uri.get(), buf, 1), nullptr);
  ASSERT_EQ(evhttp_uri_join(uri.get(), buf, 18), buf);
  EXPECT_STREQ(buf, "http://h:80/p?q#f");
}

TEST(Uri, AddressesAndPortsAreChecked) {
  for (const char *host :
       {"[1:2:3:4:5:6:7::8]", "h:99999999999", "h:4294967376", "[1::2:3:4:5:6:7:8]", "[::1.2.3]",
        "[::1.2.3.256]", "[12345::]", "[:1]", "[1:]", "[:::]", "[::1%25lo]", "[v1./]", "[v1.a/b]",
        "[v1.%41]", "h:+1", "h: 1"}) {
    EXPECT_EQ(Parts(Parse(std::string("http://") + host + "/")), "(malformed)") << host;
  }
}

#if !STRATA_ORACLE
// RFC 3986 3.2.2: a dec-octet has no leading zero, an IPvFuture is not empty. libevent 2.1.12 takes
// both.
TEST(Uri, AddressesAreCheckedMoreStrictly) {
  EXPECT_FALSE(Parse("http://[::1.2.3.04]/"));
  EXPECT_FALSE(Parse("http://[v1.]/"));
}

// The parts of a URI that was put together and taken apart again.
std::string Rejoined(const Uri &uri, unsigned flags = 0) {
  return Parts(Parse(Join(uri), flags));
}

// RFC 3986 3.3 and 4.2: libevent 2.1.12 puts such a path first as it is, where it names a host or a
// scheme.
TEST(UriJoin, APathThatNothingPrecedesStaysAPath) {
  const struct {
    const char *scheme, *path, *joined;
  } cases[] = {
      {nullptr, "//evil/x", "/.//evil/x"},
      {nullptr, "//", "/.//"},
      {nullptr, "///a", "/.///a"},
      {nullptr, "//a:b", "/.//a:b"},
      {"http", "//h/x", "http:/.//h/x"},
      {nullptr, "a:b", "./a:b"},
      {nullptr, "javascript:alert(1)", "./javascript:alert(1)"},
      {nullptr, ":", "./:"},
      {nullptr, "1:/b", "./1:/b"},
      {"http", "a:b", "http:a:b"},
      {nullptr, "a/b:c", "a/b:c"},
      {nullptr, "/a:b", "/a:b"},
      {nullptr, "/a//b", "/a//b"},
      {nullptr, "a//b", "a//b"},
      {nullptr, "/.//a", "/.//a"},
      {nullptr, "./a:b", "./a:b"},
  };
  for (const auto &c : cases) {
    Uri uri(evhttp_uri_new());
    EXPECT_EQ(0, evhttp_uri_set_scheme(uri.get(), c.scheme));
    EXPECT_EQ(0, evhttp_uri_set_path(uri.get(), c.path)) << c.path;
    EXPECT_EQ(0, evhttp_uri_set_query(uri.get(), "a:b//c"));
    const std::string joined = std::string(c.joined) + "?a:b//c";
    EXPECT_EQ(Join(uri), joined);
    Uri again = Parse(joined);
    ASSERT_TRUE(again) << joined;
    EXPECT_EQ(evhttp_uri_get_host(again.get()), nullptr) << joined;
    EXPECT_EQ(OrNull(evhttp_uri_get_scheme(again.get())), OrNull(c.scheme)) << joined;
    EXPECT_EQ(Join(again), joined);
  }
}

TEST(UriJoin, ADotSegmentNeedsRoom) {
  Uri uri(evhttp_uri_new());
  evhttp_uri_set_path(uri.get(), "//a");
  char buf[6];
  EXPECT_EQ(evhttp_uri_join(uri.get(), buf, 5), nullptr);
  ASSERT_EQ(evhttp_uri_join(uri.get(), buf, 6), buf);
  EXPECT_STREQ(buf, "/.//a");
}

TEST(UriJoin, BehindAHostTwoSlashesStartAPath) {
  EXPECT_EQ(Join(Parse("http://h//a")), "http://h//a");
  EXPECT_EQ(Join(Parse("file:////a")), "file:////a");
}

// WHATWG URL 4.4: what browsers make of a backslash.
TEST(UriJoin, ABackslashIsNoSecondSlash) {
  const std::string cases[][2] = {
      {"/\\evil/x", "/./\\evil/x"}, {"\\/evil", "./\\/evil"}, {"\\\\evil", "./\\\\evil"},
      {"/a\\\\b", "/a\\\\b"},       {"\\evil", "\\evil"},
  };
  for (const auto &c : cases) {
    Uri uri(evhttp_uri_new());
    evhttp_uri_set_flags(uri.get(), EVHTTP_URI_NONCONFORMANT);
    EXPECT_EQ(0, evhttp_uri_set_path(uri.get(), c[0].c_str())) << c[0];
    EXPECT_EQ(Join(uri), c[1]);
  }
}

// RFC 3986 3.2.3 sets no limit, but no text with such a port is taken apart.
TEST(Uri, APortHasSixteenBits) {
  Uri uri = Parse("http://h:1/");
  for (int port : {65536, 99999, 2147483647}) {
    EXPECT_EQ(-1, evhttp_uri_set_port(uri.get(), port)) << port;
  }
  EXPECT_EQ(Join(uri), "http://h:1/");
  EXPECT_EQ(0, evhttp_uri_set_port(uri.get(), 65535));
  EXPECT_EQ(Rejoined(uri), "http|(null)|h|65535|/|(null)|(null)");
}

// Added by libevent 2.2.
TEST(UriUnixSocket, TakenApartAndPutTogether) {
  Uri uri = Parse("http://unix:/run/a.sock:/p?q", EVHTTP_URI_UNIX_SOCKET);
  ASSERT_TRUE(uri);
  EXPECT_STREQ(evhttp_uri_get_unixsocket(uri.get()), "/run/a.sock");
  EXPECT_EQ(Parts(uri), "http|(null)||-1|/p|q|(null)");
  EXPECT_EQ(Join(uri), "http://unix:/run/a.sock:/p?q");
  Uri with_user = Parse("http://u:p@unix:/a:", EVHTTP_URI_UNIX_SOCKET);
  ASSERT_TRUE(with_user);
  EXPECT_EQ(Join(with_user), "http://u:p@unix:/a:");
}

TEST(UriUnixSocket, OnlyWithTheFlag) {
  EXPECT_EQ(Parts(Parse("http://unix:/a:/p")), "http|(null)|unix|-1|/a:/p|(null)|(null)");
  EXPECT_EQ(Parts(Parse("http://u@h/p", EVHTTP_URI_UNIX_SOCKET)), "http|u|h|-1|/p|(null)|(null)");
  EXPECT_EQ(evhttp_uri_get_unixsocket(Parse("http://h/").get()), nullptr);
}

TEST(UriUnixSocket, Malformed) {
  for (const char *text :
       {"http://unix:", "http://unix:/a", "http://unix::/a", "http://unix:/a:b"}) {
    EXPECT_FALSE(Parse(text, EVHTTP_URI_UNIX_SOCKET)) << text;
  }
}

TEST(UriUnixSocket, Setter) {
  Uri uri(evhttp_uri_new());
  EXPECT_EQ(0, evhttp_uri_set_scheme(uri.get(), "http"));
  EXPECT_EQ(0, evhttp_uri_set_unixsocket(uri.get(), "/a"));
  EXPECT_EQ(0, evhttp_uri_set_path(uri.get(), "/p"));
  EXPECT_EQ(Join(uri), "http://unix:/a:/p");
  EXPECT_EQ(0, evhttp_uri_set_unixsocket(uri.get(), nullptr));
  EXPECT_EQ(Join(uri), "http:/p");
}

TEST(UriUnixSocket, SetterRefusesWhatHasNoText) {
  Uri uri(evhttp_uri_new());
  EXPECT_EQ(-1, evhttp_uri_set_unixsocket(uri.get(), ""));
  EXPECT_EQ(-1, evhttp_uri_set_unixsocket(uri.get(), "/a:/b"));
  EXPECT_EQ(evhttp_uri_get_unixsocket(uri.get()), nullptr);
}

TEST(UriUnixSocket, AnAtSignDoesNotEndAUserinfo) {
  for (const char *path : {"@name", "a@b/c", "/a@b"}) {
    Uri uri(evhttp_uri_new());
    EXPECT_EQ(0, evhttp_uri_set_unixsocket(uri.get(), path));
    Uri again = Parse(Join(uri), EVHTTP_URI_UNIX_SOCKET);
    ASSERT_TRUE(again) << path;
    EXPECT_STREQ(evhttp_uri_get_unixsocket(again.get()), path);
  }
}

// With the flag "//unix:1/a:b" names the socket "1/a".
TEST(UriUnixSocket, JoinRefusesAHostThatWouldBeASocket) {
  Uri uri = Parse("//unix:1/a:b");
  EXPECT_EQ(Join(uri), "//unix:1/a:b");
  evhttp_uri_set_flags(uri.get(), EVHTTP_URI_UNIX_SOCKET);
  EXPECT_EQ(Join(uri), "(null)");
  EXPECT_EQ(0, evhttp_uri_set_port(uri.get(), -1));
  EXPECT_EQ(Rejoined(uri, EVHTTP_URI_UNIX_SOCKET), "(null)|(null)|unix|-1|/a:b|(null)|(null)");
}

TEST(UriStripBrackets, HostWithoutThem) {
  Uri uri = Parse("http://[::1]:80/", EVHTTP_URI_HOST_STRIP_BRACKETS);
  ASSERT_TRUE(uri);
  EXPECT_STREQ(evhttp_uri_get_host(uri.get()), "::1");
  EXPECT_EQ(Join(uri), "http://[::1]:80/");
  EXPECT_EQ(0, evhttp_uri_set_host(uri.get(), "h"));
  EXPECT_EQ(Join(uri), "http://h:80/");
  EXPECT_EQ(0, evhttp_uri_set_host(uri.get(), "[::2]"));
  EXPECT_STREQ(evhttp_uri_get_host(uri.get()), "::2");
  EXPECT_EQ(Join(uri), "http://[::2]:80/");
}
#endif

}  // namespace

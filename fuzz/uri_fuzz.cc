// URIs: as text from a stranger, and put together from parts. What is taken apart is what the
// expression of RFC 3986 appendix B finds, what is put together means the same parts when it is
// taken apart again, and a setter takes what a parser finds in that place.

#include <event2/http.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

const unsigned kAllFlags =
    EVHTTP_URI_NONCONFORMANT | EVHTTP_URI_HOST_STRIP_BRACKETS | EVHTTP_URI_UNIX_SOCKET;

void Check(bool holds, const char *what, const std::string &text) {
  if (holds) return;
  fprintf(stderr, "broken: %s: \"%s\"\n", what, text.c_str());
  abort();
}

struct UriFree {
  void operator()(evhttp_uri *uri) const { evhttp_uri_free(uri); }
};
using Uri = std::unique_ptr<evhttp_uri, UriFree>;
using Text = std::optional<std::string>;

struct Parts {
  Text scheme, userinfo, host, socket, path, query, fragment;
  int port = -1;
  bool operator==(const Parts &other) const {
    return scheme == other.scheme && userinfo == other.userinfo && host == other.host &&
           socket == other.socket && path == other.path && query == other.query &&
           fragment == other.fragment && port == other.port;
  }
};

Text OrNone(const char *text) {
  return text ? Text(text) : Text();
}

std::string Describe(const Parts &parts) {
  std::string out;
  for (const Text &text : {parts.scheme, parts.userinfo, parts.host, parts.socket, parts.path,
                           parts.query, parts.fragment}) {
    out += text ? "[" + *text + "]" : "-";
  }
  return out + std::to_string(parts.port);
}

Parts PartsOf(const Uri &uri) {
  Parts parts;
  parts.scheme = OrNone(evhttp_uri_get_scheme(uri.get()));
  parts.userinfo = OrNone(evhttp_uri_get_userinfo(uri.get()));
  parts.host = OrNone(evhttp_uri_get_host(uri.get()));
  parts.socket = OrNone(evhttp_uri_get_unixsocket(uri.get()));
  parts.path = OrNone(evhttp_uri_get_path(uri.get()));
  parts.query = OrNone(evhttp_uri_get_query(uri.get()));
  parts.fragment = OrNone(evhttp_uri_get_fragment(uri.get()));
  parts.port = evhttp_uri_get_port(uri.get());
  return parts;
}

// From a heap block of that length, so that ASan sees a read behind it.
Uri Parse(const std::string &text, unsigned flags) {
  std::vector<char> block(text.c_str(), text.c_str() + text.size() + 1);
  return Uri(evhttp_uri_parse_with_flags(block.data(), flags));
}

// Into blocks of about the length that is needed, too. None when the parts have no text.
Text Join(const Uri &uri) {
  std::vector<char> large(1000, '#');
  const char *joined = evhttp_uri_join(uri.get(), large.data(), large.size());
  if (!joined) return Text();
  std::string text = joined;
  for (size_t limit : {size_t{0}, size_t{1}, text.size() / 2, text.size(), text.size() + 1}) {
    std::vector<char> block(limit + 1, '#');
    bool fits = limit > text.size();
    Check((evhttp_uri_join(uri.get(), block.data(), limit) != nullptr) == fits, "limit", text);
    Check(block[limit] == '#', "join wrote too far", text);
    if (fits) Check(text == block.data(), "joined twice", text);
  }
  return text;
}

// Takes what stands before the first of `ends` off the front; none when there is no such end.
Text TakeUntil(std::string *rest, const char *ends) {
  size_t end = rest->find_first_of(ends);
  if (end == std::string::npos) return Text();
  std::string taken = rest->substr(0, end);
  rest->erase(0, end);
  return taken;
}

// RFC 3986 appendix B and 3.2, for text that is a URI and names no socket.
Parts Split(std::string rest) {
  Parts parts;
  size_t colon = rest.find_first_of(":/?#");
  if (colon != std::string::npos && rest[colon] == ':') {
    parts.scheme = rest.substr(0, colon);
    rest.erase(0, colon + 1);
  }
  if (rest.compare(0, 2, "//") == 0) {
    rest.erase(0, 2);
    std::string authority = TakeUntil(&rest, "/?#").value_or(rest);
    if (rest == authority) rest.clear();
    parts.userinfo = TakeUntil(&authority, "@");
    if (parts.userinfo) authority.erase(0, 1);
    size_t end = authority.find(':', authority[0] == '[' ? authority.find(']') : 0);
    parts.host = authority.substr(0, end);
    if (end != std::string::npos && end + 1 < authority.size()) {
      parts.port = std::stoi(authority.substr(end + 1));
    }
  }
  if (size_t hash = rest.find('#'); hash != std::string::npos) {
    parts.fragment = rest.substr(hash + 1);
    rest.erase(hash);
  }
  if (size_t mark = rest.find('?'); mark != std::string::npos) {
    parts.query = rest.substr(mark + 1);
    rest.erase(mark);
  }
  parts.path = rest;
  return parts;
}

Text WithoutBrackets(const Text &host) {
  if (!host || host->empty() || (*host)[0] != '[') return host;
  return host->substr(1, host->size() - 2);
}

bool IsSlash(const std::string &text, size_t i) {
  return i < text.size() && (text[i] == '/' || text[i] == '\\');
}

// A path that join protects although RFC 3986 does not ask for it.
bool HasBackslash(const Parts &parts) {
  if (parts.host || parts.socket || !parts.path) return false;
  const std::string &path = *parts.path;
  return IsSlash(path, 0) && IsSlash(path, 1) && path.compare(0, 2, "//") != 0;
}

void FuzzParse(const std::string &text, unsigned flags) {
  Uri uri = Parse(text, flags);
  if (!uri) return;
  Parts parts = PartsOf(uri);
  if (!parts.socket) {
    Parts split = Split(text);
    if (flags & EVHTTP_URI_HOST_STRIP_BRACKETS) split.host = WithoutBrackets(split.host);
    Check(parts == split, "parts", text + "\n" + Describe(parts) + "\n" + Describe(split));
  }
  if (!(flags & EVHTTP_URI_NONCONFORMANT)) {
    Uri lenient = Parse(text, flags | EVHTTP_URI_NONCONFORMANT);
    Check(lenient && PartsOf(lenient) == parts, "conformant and not accepted", text);
  }
  Text joined = Join(uri);
  Check(joined.has_value(), "what was parsed has no text", text);
  Uri again = Parse(*joined, flags);
  Check(again != nullptr, "joined text", text + "\n" + *joined);
  if (!HasBackslash(parts)) Check(PartsOf(again) == parts, "parts of the joined text", *joined);
  Check(Join(again) == joined, "joined text of the joined text", *joined);
}

// What the setters were given, and the flags of that time.
class Model {
 public:
  Model() : uri_(evhttp_uri_new()) { Check(uri_ != nullptr, "no memory", ""); }
  void Apply(char which, const std::string &value, bool remove);
  void CheckJoined() const;

 private:
  void Set(const char *name, int (*setter)(evhttp_uri *, const char *), Text *slot,
           const Text &value, bool accepted);
  void SetPort(int port);
  void SetFlags(unsigned flags);
  void CheckParts() const;
  Parts Expected() const;

  Uri uri_;
  Parts parts_;  // The host with its brackets.
  unsigned flags_ = 0;
  unsigned used_flags_ = 0;  // All that were ever set.
  bool host_stripped_ = false;
};

void Model::Set(const char *name, int (*setter)(evhttp_uri *, const char *), Text *slot,
                const Text &value, bool accepted) {
  int result = setter(uri_.get(), value ? value->c_str() : nullptr);
  Check((result == 0) == (accepted || !value), name, value.value_or("-"));
  if (result == 0) *slot = value;
  if (slot == &parts_.host && result == 0) {
    host_stripped_ = (flags_ & EVHTTP_URI_HOST_STRIP_BRACKETS) != 0;
  }
}

void Model::SetPort(int port) {
  int result = evhttp_uri_set_port(uri_.get(), port);
  Check((result == 0) == (port >= -1 && port <= 65535), "port", std::to_string(port));
  if (result == 0) parts_.port = port;
}

void Model::SetFlags(unsigned flags) {
  evhttp_uri_set_flags(uri_.get(), flags);
  flags_ = flags;
  used_flags_ |= flags;
}

// The part of a text that a parser with these flags finds.
Text Found(const std::string &text, unsigned flags, Text Parts::*part) {
  Uri uri = Parse(text, flags & EVHTTP_URI_NONCONFORMANT);
  return uri ? PartsOf(uri).*part : Text();
}

void Model::Apply(char which, const std::string &value, bool remove) {
  Text text = remove ? Text() : Text(value);
  switch (which) {
    case 's':
      return Set("scheme", evhttp_uri_set_scheme, &parts_.scheme, text,
                 Found(value + ":", flags_, &Parts::scheme) == value);
    case 'u':
      return Set("userinfo", evhttp_uri_set_userinfo, &parts_.userinfo, text,
                 Found("//" + value + "@h", flags_, &Parts::userinfo) == value);
    case 'h':
      // A port that follows tells an empty one from none.
      return Set("host", evhttp_uri_set_host, &parts_.host, text,
                 Found("//" + value + ":1", flags_, &Parts::host) == value);
    case 'n':
      return Set("socket", evhttp_uri_set_unixsocket, &parts_.socket, text,
                 !value.empty() && value.find(':') == std::string::npos);
    case 'p':
      return Set("path", evhttp_uri_set_path, &parts_.path, text,
                 Found("//h/" + value, flags_, &Parts::path) == "/" + value);
    case 'q':
      return Set("query", evhttp_uri_set_query, &parts_.query, text,
                 Found("?" + value, flags_, &Parts::query) == value);
    case 'f':
      return Set("fragment", evhttp_uri_set_fragment, &parts_.fragment, text,
                 Found("#" + value, flags_, &Parts::fragment) == value);
    case 'o':
      return SetPort(remove ? -1 : atoi(value.c_str()));
    case 'l':
      return SetFlags(static_cast<unsigned>(atoi(value.c_str())) & kAllFlags);
  }
}

void Model::CheckParts() const {
  Parts expected = parts_;
  if (host_stripped_) expected.host = WithoutBrackets(expected.host);
  Parts parts = PartsOf(uri_);
  Check(parts == expected, "parts that were set", Describe(parts) + "\n" + Describe(expected));
}

// What a reader of the joined text must find, but for a dot segment before the path.
Parts Model::Expected() const {
  Parts expected = parts_;
  if (!expected.path) expected.path = "";
  if (expected.socket) {
    expected.host = "";
    expected.port = -1;
    size_t stop = expected.socket->find_first_of("@/?#");
    bool has_early_at = stop != std::string::npos && (*expected.socket)[stop] == '@';
    if (has_early_at && !expected.userinfo) expected.userinfo = "";
  } else if (!expected.host) {
    expected.userinfo.reset();
    expected.port = -1;
  }
  return expected;
}

// As RFC 3986 5.3 does it, without a look at what it comes to.
std::string Recompose(const Parts &parts) {
  std::string text;
  if (parts.scheme) text += *parts.scheme + ":";
  if (parts.host) text += "//";
  if (parts.userinfo) text += *parts.userinfo + "@";
  text += parts.socket ? "unix:" + *parts.socket + ":" : parts.host.value_or("");
  if (parts.port >= 0) text += ":" + std::to_string(parts.port);
  text += *parts.path;
  if (parts.query) text += "?" + *parts.query;
  if (parts.fragment) text += "#" + *parts.fragment;
  return text;
}

void Model::CheckJoined() const {
  CheckParts();
  Parts expected = Expected();
  unsigned flags = (flags_ | (used_flags_ & EVHTTP_URI_NONCONFORMANT)) &
                   ~static_cast<unsigned>(EVHTTP_URI_HOST_STRIP_BRACKETS);
  if (expected.socket) flags |= EVHTTP_URI_UNIX_SOCKET;
  std::string plain = Recompose(expected);
  Uri reread = Parse(plain, flags);
  bool plain_will_do = reread && PartsOf(reread) == expected && !HasBackslash(expected);
  Text joined = Join(uri_);
  if (plain_will_do) {
    Check(joined == plain, "joined", joined.value_or("-") + "\n" + plain);
    return;
  }
  if (expected.host) {
    Check(!joined, "joined what means something else", joined.value_or("-"));
    return;
  }
  Check(joined.has_value(), "not joined", plain);
  expected.path = ((*expected.path)[0] == '/' ? "/." : "./") + *expected.path;
  reread = Parse(*joined, flags);
  Check(reread && PartsOf(reread) == expected, "meaning", *joined + "\n" + plain);
}

// Pieces that end in NUL: the setter's letter, a capital one to remove the part, and a value.
void FuzzSetters(const std::string &bytes) {
  Model model;
  int num_pieces = 0;
  for (size_t start = 0; start < bytes.size() && num_pieces < 20; ++num_pieces) {
    std::string piece = bytes.c_str() + start;
    start += piece.size() + 1;
    if (piece.empty()) continue;
    bool remove = piece[0] >= 'A' && piece[0] <= 'Z';
    model.Apply(remove ? static_cast<char>(piece[0] - 'A' + 'a') : piece[0], piece.substr(1),
                remove);
    model.CheckJoined();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 400) return 0;
  std::string bytes(reinterpret_cast<const char *>(data), size);
  for (unsigned flags = 0; flags <= kAllFlags; ++flags) {
    if ((flags & ~kAllFlags) == 0) FuzzParse(bytes.c_str(), flags);
  }
  FuzzSetters(bytes);
  return 0;
}

// Queries and escaping, each held against a plain model of what event2/http_uri.h says, and what
// was encoded is what it was when it is decoded.

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using Arguments = std::vector<std::pair<std::string, std::string>>;

void Check(bool holds, const char *what, const std::string &text) {
  if (holds) return;
  fprintf(stderr, "broken: %s: \"%s\"\n", what, text.c_str());
  abort();
}

// A heap block of exactly that length, so that ASan sees a read behind it.
std::vector<char> Block(const std::string &text) {
  return std::vector<char>(text.c_str(), text.c_str() + text.size() + 1);
}

// Takes a string that the library made.
std::string Take(char *text) {
  Check(text != nullptr, "no memory", "");
  std::string copy = text;
  free(text);
  return copy;
}

bool IsHex(char c) {
  return c != '\0' && strchr("0123456789abcdefABCDEF", c);
}

std::string NaiveDecode(const std::string &text, bool decode_plus) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && IsHex(text[i + 1]) && IsHex(text[i + 2])) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' && decode_plus ? ' ' : text[i];
    }
  }
  return out;
}

std::string NaiveEncode(const std::string &bytes, bool space_to_plus) {
  const std::string unreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (char c : bytes) {
    char escape[4];
    snprintf(escape, sizeof(escape), "%%%02X", static_cast<unsigned char>(c));
    if (unreserved.find(c) != std::string::npos) {
      out += c;
    } else {
      out += c == ' ' && space_to_plus ? "+" : escape;
    }
  }
  return out;
}

std::string NaiveHtml(const std::string &text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#039;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Decode(const std::string &text, bool decode_plus) {
  size_t len = 0;
  std::vector<char> block = Block(text);
  char *decoded = evhttp_uridecode(block.data(), decode_plus, &len);
  Check(decoded && decoded[len] == '\0', "decode", text);
  std::string copy(decoded, len);
  free(decoded);
  return copy;
}

void FuzzDecode(const std::string &text) {
  for (bool plus : {false, true}) {
    Check(Decode(text, plus) == NaiveDecode(text, plus), "decoded", text);
  }
  size_t mark = text.find('?');
  std::string expected = NaiveDecode(text.substr(0, mark), false);
  if (mark != std::string::npos) expected += NaiveDecode(text.substr(mark), true);
  std::vector<char> block = Block(text);
  Check(Take(evhttp_decode_uri(block.data())) == expected.c_str(), "decoded URI", text);
}

void FuzzEncode(const std::string &bytes) {
  for (bool plus : {false, true}) {
    // No NUL behind them: the size is given.
    std::vector<char> block(bytes.begin(), bytes.end());
    std::string encoded =
        Take(evhttp_uriencode(block.data(), static_cast<ev_ssize_t>(bytes.size()), plus));
    Check(encoded == NaiveEncode(bytes, plus), "encoded", encoded);
    Check(Decode(encoded, plus) == bytes, "decoded again", encoded);
    block = Block(bytes);
    Check(Take(evhttp_uriencode(block.data(), -1, plus)) == NaiveEncode(bytes.c_str(), plus),
          "encoded up to the NUL", encoded);
  }
  std::vector<char> block = Block(bytes);
  std::string encoded = Take(evhttp_encode_uri(block.data()));
  Check(encoded == NaiveEncode(bytes.c_str(), false), "encoded URI", encoded);
  Check(Take(evhttp_decode_uri(encoded.c_str())) == bytes.c_str(), "decoded URI again", encoded);
}

void FuzzHtml(const std::string &text) {
  std::vector<char> block = Block(text);
  Check(Take(evhttp_htmlescape(block.data())) == NaiveHtml(text), "HTML", text);
}

bool SameNoCase(const std::string &a, const std::string &b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (tolower(static_cast<unsigned char>(a[i])) != tolower(static_cast<unsigned char>(b[i]))) {
      return false;
    }
  }
  return true;
}

void RemoveSame(Arguments *arguments, const std::string &name) {
  Arguments kept;
  for (const auto &argument : *arguments) {
    if (!SameNoCase(argument.first, name)) kept.push_back(argument);
  }
  *arguments = kept;
}

// None when malformed.
std::optional<Arguments> NaiveQuery(const std::string &query, unsigned flags) {
  Arguments arguments;
  for (size_t start = 0; start < query.size();) {
    size_t end = std::min(query.find('&', start), query.size());
    std::string argument = query.substr(start, end - start);
    start = end + 1;
    size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals), value;
    bool is_well_formed = !name.empty() && equals != std::string::npos;
    if (!is_well_formed && !(flags & EVHTTP_URI_QUERY_NONCONFORMANT)) return std::nullopt;
    if (name.empty()) continue;
    if (equals != std::string::npos) value = NaiveDecode(argument.substr(equals + 1), true);
    if (flags & EVHTTP_URI_QUERY_LAST) RemoveSame(&arguments, name);
    arguments.emplace_back(name, value.c_str());
  }
  return arguments;
}

// What `parse` makes of it; none when it refuses, which must leave an empty list.
template <typename Parse>
std::optional<Arguments> Read(const std::string &text, Parse parse) {
  std::vector<char> block = Block(text);
  evkeyvalq headers;
  Arguments arguments;
  int outcome = parse(block.data(), &headers);
  for (evkeyval *pair = headers.tqh_first; pair; pair = pair->next.tqe_next) {
    arguments.emplace_back(pair->key, pair->value);
    const char *found = evhttp_find_header(&headers, pair->key);
    Check(found != nullptr, "argument is not found by its name", text);
  }
  Check(outcome == 0 || arguments.empty(), "refused with arguments", text);
  evhttp_clear_headers(&headers);
  Check(headers.tqh_first == nullptr, "cleared", text);
  return outcome == 0 ? std::optional<Arguments>(arguments) : std::nullopt;
}

void FuzzQuery(const std::string &text) {
  for (unsigned flags = 0; flags < 4; ++flags) {
    auto arguments = Read(text, [&](const char *query, evkeyvalq *headers) {
      return evhttp_parse_query_str_flags(query, headers, flags);
    });
    Check(arguments == NaiveQuery(text, flags), "arguments", text);
  }
  Check(Read(text, evhttp_parse_query_str) == NaiveQuery(text, 0), "without flags", text);
}

void FuzzQueryOfUri(const std::string &text) {
  std::optional<Arguments> expected;
  evhttp_uri *uri = evhttp_uri_parse(text.c_str());
  if (uri) {
    const char *query = evhttp_uri_get_query(uri);
    expected = NaiveQuery(query ? query : "", 0);
    evhttp_uri_free(uri);
  }
  Check(Read(text, evhttp_parse_query) == expected, "query of a URI", text);
}

// A pair that is encoded on its way comes back: a value with NUL up to that.
void FuzzPair(const std::string &bytes) {
  std::string name = "k" + NaiveEncode(bytes.substr(0, bytes.size() / 2), true);
  std::string value = bytes.substr(bytes.size() / 2);
  std::string query =
      name + "=" + Take(evhttp_uriencode(value.data(), static_cast<ev_ssize_t>(value.size()), 1));
  const Arguments expected = {std::make_pair(name, std::string(value.c_str()))};
  Check(Read(query, evhttp_parse_query_str) == expected, "pair", query);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1000) return 0;
  std::string bytes(reinterpret_cast<const char *>(data), size);
  std::string text = bytes.c_str();
  FuzzDecode(text);
  FuzzEncode(bytes);
  FuzzHtml(text);
  FuzzQuery(text);
  FuzzQueryOfUri(text);
  FuzzPair(bytes);
  return 0;
}

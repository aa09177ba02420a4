// Socket addresses: text from a stranger, and addresses as bytes. What is read as an address is
// the same after it was written and read again, text agrees with the C library's, and no length
// given is exceeded.

#include <arpa/inet.h>
#include <event2/util.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

void Check(bool holds, const char *what, const std::string &text) {
  if (holds) return;
  fprintf(stderr, "broken: %s: \"%s\"\n", what, text.c_str());
  abort();
}

std::string Write(const struct sockaddr_storage &addr, bool has_port) {
  char host[128];
  if (addr.ss_family == AF_INET) {
    auto &in = reinterpret_cast<const struct sockaddr_in &>(addr);
    Check(evutil_inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host)), "ntop", "");
    return has_port ? std::string(host) + ":" + std::to_string(ntohs(in.sin_port)) : host;
  }
  auto &in6 = reinterpret_cast<const struct sockaddr_in6 &>(addr);
  Check(evutil_inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host)), "ntop", "");
  std::string text = host;
  if (in6.sin6_scope_id) text += "%" + std::to_string(in6.sin6_scope_id);
  return has_port ? "[" + text + "]:" + std::to_string(ntohs(in6.sin6_port)) : text;
}

unsigned Port(const struct sockaddr_storage &addr) {
  return ntohs(addr.ss_family == AF_INET
                   ? reinterpret_cast<const struct sockaddr_in &>(addr).sin_port
                   : reinterpret_cast<const struct sockaddr_in6 &>(addr).sin6_port);
}

unsigned Scope(const struct sockaddr_storage &addr) {
  if (addr.ss_family != AF_INET6) return 0;
  return reinterpret_cast<const struct sockaddr_in6 &>(addr).sin6_scope_id;
}

// The whole of a heap block of that length, so that ASan sees a write behind it.
int Parse(const std::string &text, struct sockaddr_storage *out_addr, int *out_len) {
  std::vector<char> block(static_cast<size_t>(*out_len));
  int result = evutil_parse_sockaddr_port(
      text.c_str(), reinterpret_cast<struct sockaddr *>(block.data()), out_len);
  memset(out_addr, 0, sizeof(*out_addr));
  if (result == 0) memcpy(out_addr, block.data(), static_cast<size_t>(*out_len));
  return result;
}

void CheckSame(const struct sockaddr_storage &a, const struct sockaddr_storage &b,
               const std::string &text) {
  auto *sa = reinterpret_cast<const struct sockaddr *>(&a);
  auto *sb = reinterpret_cast<const struct sockaddr *>(&b);
  Check(evutil_sockaddr_cmp(sa, sb, 1) == 0 && evutil_sockaddr_cmp(sb, sa, 1) == 0, "cmp", text);
  Check(Scope(a) == Scope(b), "zone", text);
}

void CheckLengths(const std::string &text, int needed_len) {
  for (int len : {0, 1, needed_len - 1, needed_len}) {
    struct sockaddr_storage addr;
    int used_len = len;
    Check((Parse(text, &addr, &used_len) == 0) == (len >= needed_len), "short buffer", text);
  }
}

void FuzzParse(const std::string &text) {
  struct sockaddr_storage addr, again;
  int len = sizeof(addr), again_len = sizeof(again);
  if (Parse(text, &addr, &len) < 0) return;
  Check(addr.ss_family == AF_INET || addr.ss_family == AF_INET6, "family", text);
  size_t family_len =
      addr.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  Check(static_cast<size_t>(len) == family_len, "length", text);
  CheckLengths(text, len);
  std::string written = Write(addr, Port(addr) != 0);
  Check(Parse(written, &again, &again_len) == 0 && again_len == len, "written text", written);
  CheckSame(addr, again, text + " " + written);
  Check(Write(again, Port(again) != 0) == written, "written twice", written);
}

void FuzzText(const std::string &text) {
  for (int af : {AF_INET, AF_INET6}) {
    struct in6_addr mine = {}, theirs = {}, scoped = {};
    unsigned zone = 0;
    int result = evutil_inet_pton(af, text.c_str(), &mine);
    Check(result == inet_pton(af, text.c_str(), &theirs), "pton and the C library", text);
    if (result == 1) Check(memcmp(&mine, &theirs, sizeof(mine)) == 0, "pton's address", text);
    int with_zone = evutil_inet_pton_scope(af, text.c_str(), &scoped, &zone);
    if (result == 1) {
      Check(with_zone == 1 && zone == 0 && memcmp(&mine, &scoped, sizeof(mine)) == 0, "pton_scope",
            text);
    } else if (with_zone == 1) {
      size_t percent = text.find('%');
      Check(af == AF_INET6 && percent != std::string::npos, "a zone without %", text);
      Check(inet_pton(af, text.substr(0, percent).c_str(), &theirs) == 1 &&
                memcmp(&scoped, &theirs, sizeof(scoped)) == 0,
            "address before a zone", text);
    }
  }
  struct in6_addr unused;
  Check(evutil_inet_pton(AF_UNIX, text.c_str(), &unused) == -1, "family", text);
}

void FuzzBytes(int af, const void *bytes, size_t bytes_len) {
  char text[64], theirs[64];
  struct in6_addr again;
  Check(evutil_inet_ntop(af, bytes, text, sizeof(text)) == text, "ntop", "");
  Check(inet_ntop(af, bytes, theirs, sizeof(theirs)) && strcmp(text, theirs) == 0,
        "ntop and the C library", text);
  Check(evutil_inet_pton(af, text, &again) == 1 && memcmp(&again, bytes, bytes_len) == 0,
        "pton of ntop", text);
  for (size_t len = 0; len <= strlen(text) + 1; len++) {
    std::vector<char> block(len + 1, '#');
    bool fits = len > strlen(text);
    Check((evutil_inet_ntop(af, bytes, block.data(), len) != nullptr) == fits, "ntop's length",
          text);
    Check(block[len] == '#', "ntop wrote too far", text);
  }
}

// The order of two addresses does not depend on which comes first.
void FuzzOrder(const uint8_t *data) {
  struct sockaddr_storage a = {}, b = {};
  a.ss_family = b.ss_family = data[0] & 1 ? AF_INET : AF_INET6;
  if (data[0] & 2) b.ss_family = AF_INET;
  memcpy(reinterpret_cast<char *>(&a) + 2, data + 1, 26);
  memcpy(reinterpret_cast<char *>(&b) + 2, data + 27, 26);
  auto *sa = reinterpret_cast<struct sockaddr *>(&a), *sb = reinterpret_cast<struct sockaddr *>(&b);
  for (int include_port : {0, 1}) {
    int order = evutil_sockaddr_cmp(sa, sb, include_port);
    int opposite = evutil_sockaddr_cmp(sb, sa, include_port);
    Check((order < 0) == (opposite > 0) && (order == 0) == (opposite == 0), "order", "");
    Check(evutil_sockaddr_cmp(sa, sa, include_port) == 0, "equal to itself", "");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 400) return 0;
  // As a C string.
  std::string text(reinterpret_cast<const char *>(data), size);
  text = text.c_str();
  FuzzParse(text);
  FuzzText(text);
  if (size >= 4) FuzzBytes(AF_INET, data, 4);
  if (size >= 16) FuzzBytes(AF_INET6, data, 16);
  if (size >= 53) FuzzOrder(data);
  return 0;
}

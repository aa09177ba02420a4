#include "samples/server_process.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace samples {
namespace {

std::vector<std::string> WithPortZero(std::vector<std::string> command) {
  command.push_back("--port");
  command.push_back("0");
  return command;
}

}  // namespace

Server::Server(const std::vector<std::string> &command, Settings settings)
    : Process(WithPortZero(command), settings) {
  std::string line = ReadLine();
  sscanf(line.c_str(), "listening on http://127.0.0.1:%d/", &port_);
}

std::string Response::Header(const std::string &lower_case_name) const {
  auto found = headers.find(lower_case_name);
  return found == headers.end() ? "" : found->second;
}

Connection::Connection(int port, int receive_buffer_len) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  fd_ = NewSocket();
  timeval patience = {60, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (receive_buffer_len > 0)
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_len, sizeof(receive_buffer_len));
  if (connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) Close();
}

Connection::~Connection() {
  Close();
}

void Connection::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

bool Connection::Send(const std::string &bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    ssize_t now = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += static_cast<size_t>(now);
  }
  return true;
}

std::string Connection::ReadSome() {
  std::string bytes;
  bytes.swap(buffered_);
  if (!bytes.empty()) return bytes;
  bytes.resize(256 * 1024);
  ssize_t got = recv(fd_, &bytes[0], bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

Response Connection::ReceiveHead() {
  Response response;
  std::string head;
  size_t end;
  while ((end = head.find("\r\n\r\n")) == std::string::npos) {
    std::string more = ReadSome();
    if (more.empty()) return response;
    head += more;
  }
  buffered_ = head.substr(end + 4);
  std::istringstream lines(head.substr(0, end + 2));
  std::string line;
  std::getline(lines, line);
  sscanf(line.c_str(), "HTTP/%*d.%*d %d", &response.status);
  while (std::getline(lines, line)) {
    size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    for (char &c : name) c = static_cast<char>(tolower(static_cast<unsigned char>(c)));
    size_t start = line.find_first_not_of(' ', colon + 1);
    size_t stop = line.find_last_not_of("\r ");
    response.headers[name] = start > stop ? "" : line.substr(start, stop - start + 1);
  }
  return response;
}

Response Connection::Receive(bool to_head) {
  Response response = ReceiveHead();
  if (to_head || response.status == 304) return response;
  size_t body_len = strtoull(response.Header("content-length").c_str(), nullptr, 10);
  while (response.body.size() < body_len) {
    std::string more = ReadSome();
    if (more.empty()) {
      response.status = 0;
      break;
    }
    response.body += more;
  }
  if (response.body.size() > body_len) {
    buffered_ = response.body.substr(body_len);
    response.body.resize(body_len);
  }
  return response;
}

Response Fetch(int port, const std::string &method, const std::string &target,
               const std::string &lines, const std::string &body) {
  Connection connection(port);
  std::string request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + lines;
  if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  if (!connection.connected() || !connection.Send(request + "\r\n" + body)) return Response();
  return connection.Receive(method == "HEAD");
}

TemporaryDirectory::TemporaryDirectory() {
  const char *parent = getenv("TEST_TMPDIR");
  std::filesystem::path path =
      parent == nullptr ? std::filesystem::temp_directory_path() : std::filesystem::path(parent);
  std::random_device number;
  do {
    path_ = (path / ("samples" + std::to_string(number()))).string();
  } while (!std::filesystem::create_directory(path_));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::Write(const std::string &name, const std::string &contents) const {
  std::filesystem::path path = std::filesystem::path(path_) / std::filesystem::u8path(name);
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << contents;
  return path.string();
}

std::string TemporaryDirectory::WriteHoles(const std::string &name, int64_t file_len) const {
  const std::string path = Write(name, "");
  std::filesystem::resize_file(path, static_cast<uintmax_t>(file_len));
  return path;
}

std::string ReadFile(const std::string &path) {
  std::ostringstream contents;
  contents << std::ifstream(path, std::ios::binary).rdbuf();
  return contents.str();
}

std::string ProgramPath(const char *variable, const std::string &runfile) {
  const char *value = getenv(variable);
  if (value != nullptr) return value;
  return std::filesystem::exists(runfile + ".exe") ? runfile + ".exe" : runfile;
}

}  // namespace samples

#include <unistd.h>

#include <algorithm>

#include "samples/process.h"

namespace samples {
namespace {

bool IsCarriageReturn(char c) {
#ifdef _WIN32
  return c == '\r';
#else
  (void)c;
  return false;
#endif
}

std::string ReadToEnd(int fd) {
  std::string text;
  char chunk[4096];
  ssize_t len;
  while ((len = read(fd, chunk, sizeof(chunk))) > 0) text.append(chunk, static_cast<size_t>(len));
  return text;
}

std::string ReadLineOf(int fd) {
  std::string line;
  char c;
  while (read(fd, &c, 1) == 1 && c != '\n')
    if (!IsCarriageReturn(c)) line.push_back(c);
  return line;
}

}  // namespace

std::string WithoutCarriageReturns(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), IsCarriageReturn), text.end());
  return text;
}

std::string Process::ReadLine() {
  return ReadLineOf(output_);
}

std::string Process::ReadErrorLine() {
  return ReadLineOf(errors_);
}

std::string Process::ReadOutput() {
  return WithoutCarriageReturns(ReadToEnd(output_));
}

std::string Process::ReadErrors() {
  return WithoutCarriageReturns(ReadToEnd(errors_));
}

std::string Process::ReadBytes() {
  return ReadToEnd(output_);
}

}  // namespace samples

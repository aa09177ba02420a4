// What httpd does not serve on Windows: names that mean something else than a file there.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "samples/server_process.h"

namespace {

class RefusalWindowsTest : public testing::Test {
 protected:
  RefusalWindowsTest() {
    root_.Write("outside.txt", "outside");
    root_.Write("root/file.txt", "inside");
    root_.Write("root/sub/deep.txt", "deep");
    server_ = std::make_unique<samples::Server>(
        std::vector<std::string>{samples::ProgramPath("HTTPD", "samples/httpd/httpd"), "--quiet",
                                 "--root", root_.path() + "/root"});
  }
  int Status(const std::string &target) {
    return samples::Fetch(server_->port(), "GET", target).status;
  }

  samples::TemporaryDirectory root_;
  std::unique_ptr<samples::Server> server_;
};

TEST_F(RefusalWindowsTest, FilesAreServedWhateverTheCase) {
  EXPECT_EQ("inside", samples::Fetch(server_->port(), "GET", "/file.txt").body);
  EXPECT_EQ("deep", samples::Fetch(server_->port(), "GET", "/sub/deep.txt").body);
  EXPECT_EQ("deep", samples::Fetch(server_->port(), "GET", "/SUB/Deep.TXT").body);
}

TEST_F(RefusalWindowsTest, NoWayOut) {
  for (const char *target :
       {"/..%5coutside.txt", "/sub%5cdeep.txt", "/sub\\deep.txt", "/%2e%2e/outside.txt",
        "/../outside.txt", "/sub/..%2f..%2foutside.txt"})
    EXPECT_EQ(400, Status(target)) << target;
  for (const char *target : {"/C:/windows/win.ini", "/C:", "/C:file.txt", "//C:/windows/win.ini",
                             "/%3f%3f/C:/windows/win.ini", "/.../outside.txt"})
    EXPECT_EQ(404, Status(target)) << target;
}

TEST_F(RefusalWindowsTest, NoDevices) {
  for (const char *target : {"/CON", "/nul", "/NUL.txt", "/aux", "/com1", "/COM1.log", "/lpt9",
                             "/sub/prn", "/conin$", "/nul/file.txt", "/com%C2%B9"})
    EXPECT_EQ(404, Status(target)) << target;
}

TEST_F(RefusalWindowsTest, NoStreamsAndNoOtherSpellings) {
  for (const char *target :
       {"/file.txt:stream", "/file.txt::$DATA", "/file.txt.", "/file.txt%20", "/file.txt...",
        "/sub%20/deep.txt", "/sub./deep.txt", "/file%2a", "/file.tx%3f", "/file%3ctxt", "/%ff%fe"})
    EXPECT_EQ(404, Status(target)) << target;
}

}  // namespace

#include "samples/httpd/windows_name.h"

#include <gtest/gtest.h>

namespace {

TEST(WindowsNameTest, MostNamesArePlain) {
  for (const char *name :
       {"a", "index.html", ".hidden", "a b", "CONSOLE", "com", "COM", "com10", "LPTX", "nul_",
        "n.ul", "a.con", "aux-1", "\xc3\xa4.txt", "PROGRA~1", "$x", "COM\xc2\xb5"})
    EXPECT_TRUE(windows_name_is_plain(name)) << name;
}

TEST(WindowsNameTest, StepsAndNothingAreNot) {
  for (const char *name : {"", ".", "..", "..."}) EXPECT_FALSE(windows_name_is_plain(name)) << name;
}

TEST(WindowsNameTest, DrivesStreamsSeparatorsAndWildcardsAreNot) {
  for (const char *name : {"C:", "C:a", "a:b", "a::$DATA", "a\\b", "..\\a", "a/b", "*", "?", "<",
                           ">", "a|b", "\"", "a\x01", "a\n"})
    EXPECT_FALSE(windows_name_is_plain(name)) << name;
}

TEST(WindowsNameTest, WhatWin32DropsIsNot) {
  for (const char *name : {"a.", "a ", "a. ", " ", "index.html.", "index.html "})
    EXPECT_FALSE(windows_name_is_plain(name)) << name;
}

TEST(WindowsNameTest, DevicesAreNot) {
  for (const char *name :
       {"CON", "con", "Prn", "AUX", "nul", "NUL.txt", "nul.tar.gz", "nul .txt", "COM1", "com9.log",
        "LPT1", "lpt9", "COM0", "CONIN$", "conout$", "COM\xc2\xb9", "LPT\xc2\xb3.x"})
    EXPECT_FALSE(windows_name_is_plain(name)) << name;
}

}  // namespace

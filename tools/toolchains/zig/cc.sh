#!/bin/sh
# zig as the one driver that Bazel knows: `zig c++` compiles C++, `zig cc` everything else and links.
# A program in C++ asks for -lc++: otherwise zig would build that library for those in C as well.
. "${0%/*}/zig.sh"
driver=cc
for argument in "$@"; do
  case $argument in
    *.cc) driver=c++ ;;
  esac
done
exec "$zig" "$driver" "$@"

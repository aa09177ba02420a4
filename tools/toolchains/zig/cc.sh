#!/bin/sh
# zig as the one driver that Bazel knows: `zig cc` for C, `zig c++` for C++ and for links.
driver=c++
for argument in "$@"; do
  case $argument in
    *.c | *.s | *.S) driver=cc ;;
  esac
done
# An action has no HOME; /tmp is what its sandbox may write to.
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-/tmp/strata-zig-$(id -u)}"
export ZIG_LOCAL_CACHE_DIR="$ZIG_GLOBAL_CACHE_DIR"
exec zig "$driver" "$@"

#!/bin/sh
# Runs every benchmark of a program for a moment. usage: smoke.sh PROGRAM
set -eu
output=$("$1" --benchmark_min_time=0.001 --benchmark_format=csv 2>"${TEST_TMPDIR:-/tmp}/stderr") || {
  cat "${TEST_TMPDIR:-/tmp}/stderr" >&2
  exit 1
}
echo "$output"
# A benchmark that failed names its error in the last two columns.
if echo "$output" | grep -q ',true,'; then
  echo "a benchmark reported an error" >&2
  exit 1
fi
test "$(echo "$output" | wc -l)" -gt 1 || {
  echo "$1 has no benchmark" >&2
  exit 1
}

#!/bin/sh
# Passes when a program fails and says why. usage: expect_failure.sh TEXT PROGRAM [ARGUMENT...]
set -u
text=$1
shift
# The program must not write this test's own report.
if output=$(env -u XML_OUTPUT_FILE "$@" 2>&1); then
  echo "$1 was expected to fail, and passed:" >&2
  echo "$output" >&2
  exit 1
fi
echo "$output"
echo "$output" | grep -qF "$text"

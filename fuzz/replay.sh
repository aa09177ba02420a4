#!/bin/sh
# Runs a fuzz target once over each seed. usage: replay.sh PROGRAM SEED...
set -eu
program=$1
shift
if [ $# -eq 0 ]; then
  echo "no corpus: $program was given no input to replay" >&2
  exit 1
fi
# A program for Windows.
if [ "$(head -c 2 "$program")" = MZ ]; then exec tools/wine/run.sh "$program" "$@"; fi
exec "$program" "$@"

#!/bin/sh
# Runs a fuzz target once over each seed. usage: replay.sh PROGRAM SEED...
set -eu
program=$1
shift
if [ $# -eq 0 ]; then
  echo "no corpus: $program was given no input to replay" >&2
  exit 1
fi
# What a program for another system or CPU needs comes with the test.
for emulator in tools/wine/run.sh tools/qemu/run.sh; do
  if [ -x $emulator ]; then exec $emulator "$program" "$@"; fi
done
exec "$program" "$@"

#!/bin/sh
echo "$0: zig has no such tool" >&2
exit 1

#!/bin/bash
# Runs a test of a sample in Chromium with the machine's Python.
#
# usage: browser_test.sh SAMPLE/browser_test.py PROGRAM [SCREENSHOT_DIRECTORY]
set -euo pipefail
# Chromium wants a home that it may write to.
export HOME=${TEST_TMPDIR:-$(mktemp -d)}
export PYTHONPATH=$(dirname "$1")/../testing PYTHONDONTWRITEBYTECODE=1
exec python3 "$@"

#!/bin/bash
# Runs browser_test.py with the machine's Python; see there.
set -euo pipefail
# Chromium wants a home that it may write to.
export HOME=${TEST_TMPDIR:-$(mktemp -d)}
exec python3 "$(dirname "$0")/browser_test.py" "$@"

#!/bin/sh
# Fails when a program would load the installed libevent. usage: no_system_libevent.sh PROGRAM...
set -eu
internal='evutil_secure_rng_global_setup_locks_|event_changelist_init_|evmap_io_clear_'
if [ $# -eq 0 ]; then
  echo "usage: $0 PROGRAM..." >&2
  exit 2
fi
for program in "$@"; do
  needed=$(readelf --dynamic --wide "$program")
  if echo "$needed" | grep -E '\(NEEDED\).*libevent'; then
    echo "$program is linked with the installed libevent" >&2
    exit 1
  fi
  # A static copy of it brings its version's internal names; strata has none of these.
  if nm "$program" 2>/dev/null | grep -wE "$internal"; then
    echo "$program contains libevent" >&2
    exit 1
  fi
done

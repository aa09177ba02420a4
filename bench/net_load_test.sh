#!/bin/bash
# Runs each kind of net_load's clients for a moment, with net_load as the server: that they get
# answers. It measures nothing. usage: net_load_test.sh NET_LOAD
set -eu
load=$(realpath "$1")

serve() { # ADDRESS
  exec 3< <(exec "$load" serve-echo "$1")
  server=$!
  read -r line <&3
  port=${line##*:}
}

answered() { # CLIENTS
  local amount=0
  # On a busy machine the server may not get its turn in such a moment: Bazel limits the time.
  while [ "$amount" -eq 0 ]; do
    read -r amount _ < <("$load" "$1" "$port" 8 0.2)
  done
  echo "$1: $amount"
}

if [ "${2:-}" = in-namespace ]; then
  serve 0.0.0.0
  trap 'kill $server' EXIT
  answered tap-echo
  answered tap-churn
  exit
fi

serve 127.0.0.1
trap 'kill $server' EXIT
answered echo
answered churn
for unshare in "unshare --net" "unshare --net --map-root-user"; do
  if $unshare test -w /dev/net/tun 2>/dev/null; then
    $unshare bash "$0" "$load" in-namespace
    exit
  fi
done
echo "no network namespace or no tap device"

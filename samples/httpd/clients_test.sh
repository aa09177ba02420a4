#!/bin/bash
# Other people's clients against httpd: curl, wrk, h2load, and nginx as a reverse proxy in front. None
# may have anything to complain about. Bodies that httpd has no use for pass nginx as well, between a
# client and a server on strata. What is not installed is skipped, and that is said; tools/setup --all
# installs it.
#
# usage: clients_test.sh HTTPD BODY_SERVER BODY_CLIENT    the latter are bench/http_soak_*

set -euo pipefail

# Another CPU's program is run by what STRATA_RUNNER names (tools/qemu/run.sh).
httpd=(${STRATA_RUNNER:-} "$1")
body_server=(${STRATA_RUNNER:-} "$2")
body_client=(${STRATA_RUNNER:-} "$3")
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/clients_test.XXXXXX")
servers=()

finish() {
  local pid
  for pid in "${servers[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT

fail() {
  echo "clients_test: $*" >&2
  exit 1
}

has() {
  command -v "$1" >/dev/null && return 0
  echo "SKIPPED: $1 is not installed"
  return 1
}

mkdir "$work/root"
head -c 8388608 /dev/urandom >"$work/root/big.bin"
echo hello >"$work/root/small.txt"
seq 1 50000 >"$work/root/numbers.txt"

"${httpd[@]}" --root "$work/root" --port 0 --quiet --threads 2 --status /status >"$work/httpd.out" \
  2>"$work/httpd.err" &
server=$!
servers+=("$server")
for _ in $(seq 500); do
  grep -q listening "$work/httpd.out" && break
  sleep 0.02
done
port=$(sed -n 's|^listening on http://127.0.0.1:\([0-9]*\)/$|\1|p' "$work/httpd.out")
[[ -n $port ]] || fail "httpd did not start: $(cat "$work/httpd.err")"

# expect_file NAME URL [OPTION...]: curl gets that file.
expect_file() {
  local name=$1 url=$2
  shift 2
  curl -sS --fail --max-time 60 -o "$work/got" "$@" "$url" || fail "curl $* $url"
  cmp -s "$work/got" "$work/root/$name" || fail "curl $* $url: another file than $name"
}

# expect_status STATUS URL [OPTION...]
expect_status() {
  local wanted=$1 url=$2 status
  shift 2
  status=$(curl -sS --max-time 60 -o /dev/null -w '%{http_code}' "$@" "$url") ||
    fail "curl $* $url"
  [[ $status == "$wanted" ]] || fail "curl $* $url: status $status, not $wanted"
}

# What curl can ask for below a URL.
try_curl() {
  local base=$1 name
  for name in small.txt numbers.txt big.bin; do
    expect_file "$name" "$base/$name"
    expect_file "$name" "$base/$name" --compressed
    expect_file "$name" "$base/$name" --http1.0
    expect_status 200 "$base/$name" --head
    expect_status 200 "$base/$name" --head --compressed
  done
  [[ $(curl -sS --max-time 60 -r 2-3 "$base/small.txt") == ll ]] || fail "curl -r 2-3"
  expect_status 304 "$base/small.txt" -z "$(date -u -d '+1 hour' '+%a, %d %b %Y %H:%M:%S GMT')"
  expect_status 404 "$base/nothing"
  expect_status 405 "$base/small.txt" --data x
  expect_status 405 "$base/small.txt" --upload-file - -H 'Expect:' </dev/null
  # One connection for all of it: what follows a reply is the next reply.
  local report
  report=$(curl -sSv --fail --max-time 60 --compressed -o /dev/null "$base/numbers.txt" \
    -o /dev/null "$base/small.txt" -o /dev/null "$base/big.bin" 2>&1) || fail "curl, three files"
  [[ $(grep -c '^< HTTP/1.1 200' <<<"$report") == 3 ]] || fail "three files: $report"
  [[ $(grep -ci '^\* Re-using existing connection' <<<"$report") == 2 ]] ||
    fail "the connection was not used again: $report"
}

# try_h2load URL: a bounded number of requests, all answered well.
try_h2load() {
  local report
  report=$(h2load --h1 -n 2000 -c 8 -t 1 "$1" 2>&1) || fail "h2load: $report"
  grep -q '2000 succeeded, 0 failed, 0 errored, 0 timeout' <<<"$report" || fail "h2load: $report"
  grep -q '2000 2xx, 0 3xx, 0 4xx, 0 5xx' <<<"$report" || fail "h2load: $report"
}

try_wrk() {
  local report
  report=$(wrk -t1 -c8 -d1s "$1" 2>&1) || fail "wrk: $report"
  grep -qE '[1-9][0-9]* requests in' <<<"$report" || fail "wrk: $report"
  ! grep -E 'Socket errors|Non-2xx' <<<"$report" || fail "wrk: $report"
}

start_body_server() {
  "${body_server[@]}" >"$work/body_server.out" &
  servers+=("$!")
  for _ in $(seq 500); do
    [[ -s $work/body_server.out ]] && break
    sleep 0.02
  done
  body_port=$(<"$work/body_server.out")
  [[ -n $body_port ]] || fail "the server of bodies did not start"
}

# Large bodies through the proxy: each byte is checked where it arrives.
try_bodies() {
  local what how report length=33554432
  for what in upload download; do
    for how in counted chunked; do
      report=$("${body_client[@]}" "$1" "$what" "$how" $length </dev/null) || fail "$what, $how"
      [[ $(tail -n 1 <<<"$report") == "right $length" ]] || fail "$what, $how: $report"
    done
  done
}

# Keep-alive to the server below /, HTTP/1.0 below /old/; on the second port the server of bodies, which
# gets them as they come.
start_nginx() {
  read -r proxy_port body_proxy_port < <(python3 -c 'import socket
probes = [socket.socket(), socket.socket()]
for probe in probes: probe.bind(("127.0.0.1", 0))
print(*(probe.getsockname()[1] for probe in probes))')
  mkdir "$work/nginx"
  # Started by root, it gives its directories to this user: one that a sandbox may not know.
  local user=
  [[ $EUID -ne 0 ]] || user='user root;'
  cat >"$work/nginx/nginx.conf" <<CONFIGURATION
$user
daemon off;
master_process off;
pid $work/nginx/pid;
error_log $work/nginx/errors warn;
events { worker_connections 1000; }
http {
  access_log off;
  client_body_temp_path $work/nginx/body;
  proxy_temp_path $work/nginx/proxy;
  fastcgi_temp_path $work/nginx/fastcgi;
  uwsgi_temp_path $work/nginx/uwsgi;
  scgi_temp_path $work/nginx/scgi;
  proxy_max_temp_file_size 0;
  keepalive_requests 100000;
  upstream httpd {
    server 127.0.0.1:$port;
    keepalive 8;
  }
  server {
    listen 127.0.0.1:$proxy_port;
    location / {
      proxy_pass http://httpd;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location /old/ { proxy_pass http://httpd/; }
  }
  server {
    listen 127.0.0.1:$body_proxy_port;
    client_max_body_size 0;
    location / {
      proxy_pass http://127.0.0.1:$body_port;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
    }
  }
}
CONFIGURATION
  "$nginx" -p "$work/nginx" -e "$work/nginx/errors" -c "$work/nginx/nginx.conf" &
  servers+=("$!")
  for _ in $(seq 500); do
    curl -s -o /dev/null "http://127.0.0.1:$proxy_port/small.txt" && return
    sleep 0.02
  done
  fail "nginx did not start: $(cat "$work/nginx/errors")"
}

url=http://127.0.0.1:$port
if has curl; then
  try_curl "$url"
fi
if has h2load; then
  try_h2load "$url/small.txt"
  try_h2load "$url/status?json"
fi
if has wrk; then
  try_wrk "$url/small.txt"
fi

nginx=$(PATH=$PATH:/usr/sbin command -v nginx || echo nginx)
if has "$nginx" && has curl; then
  start_body_server
  start_nginx
  try_bodies "$body_proxy_port"
  try_curl "http://127.0.0.1:$proxy_port"
  for name in small.txt numbers.txt big.bin; do
    expect_file "$name" "http://127.0.0.1:$proxy_port/old/$name"
  done
  if has h2load >/dev/null; then
    try_h2load "http://127.0.0.1:$proxy_port/small.txt"
  fi
  [[ ! -s $work/nginx/errors ]] || fail "nginx complains: $(cat "$work/nginx/errors")"
fi

kill -TERM "$server"
wait "$server" || fail "httpd ended with $?: $(cat "$work/httpd.err")"
[[ ! -s $work/httpd.err ]] || fail "httpd says: $(cat "$work/httpd.err")"
echo "PASSED"

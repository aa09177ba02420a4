#!/bin/bash
# nginx as the origin behind strata's HTTP client: fetch gets from it, and sends to it, what a server
# can do to a client. Where nginx is not installed that is said, and nothing tested; tools/setup --all
# installs it.
#
# usage: origin_test.sh FETCH

set -euo pipefail

# Another CPU's program is run by what STRATA_RUNNER names (tools/qemu/run.sh).
fetch=(${STRATA_RUNNER:-} "$(realpath "$1")")
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/origin_test.XXXXXX")
children=()

# Asks a child to stop, which takes its own children with it; kills it if it does not.
stop() {
  local _
  kill -TERM "$1" 2>/dev/null || return 0
  for _ in $(seq 250); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.02
  done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

finish() {
  local pid
  for pid in "${children[@]}"; do stop "$pid"; done
  rm -rf "$work"
}
trap finish EXIT

fail() {
  echo "origin_test: $*" >&2
  [[ ! -s $work/nginx/errors ]] || tail -n 20 "$work/nginx/errors" >&2
  exit 1
}

nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || {
  echo "SKIPPED: nginx is not installed"
  exit 0
}

# ---- The origin ----

root=$work/nginx/root
log=$work/nginx/log
mkdir -p "$root/uploads"
head -c 67108864 /dev/urandom >"$root/large.bin"
head -c 2097152 /dev/urandom >"$root/medium.bin"
seq 1 50000 >"$root/numbers.txt"
echo hello >"$root/small.txt"
echo '<p>The word is <!--# echo var="arg_word" -->.</p>' >"$root/page.shtml"
for n in $(seq 8); do head -c $((n * 300000)) /dev/urandom >"$root/part$n.bin"; done

write_configuration() {
  # Started by root, nginx would give its directories to a user whom a sandbox may not know. A
  # process of its own below the master: what is reloaded.
  local user=
  [[ $EUID -ne 0 ]] || user='user root;'
  cat >"$work/nginx/nginx.conf" <<CONFIGURATION
$user
daemon off;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/errors warn;
events { worker_connections 256; }
http {
  log_format connections '\$connection \$connection_requests \$request_method \$request_uri \$status';
  access_log $log connections;
  client_body_temp_path $work/nginx/body;
  proxy_temp_path $work/nginx/proxy;
  fastcgi_temp_path $work/nginx/fastcgi;
  uwsgi_temp_path $work/nginx/uwsgi;
  scgi_temp_path $work/nginx/scgi;
  client_max_body_size 100m;
  sendfile on;
  keepalive_requests 100000;
  server {
    listen 127.0.0.1:$1;
    root $root;
    location / { }
    location /ssi/ { ssi on; ssi_types *; alias $root/; }
    location /gzip/ { gzip on; gzip_types *; gzip_min_length 1; alias $root/; }
    location /few/ { keepalive_requests 3; alias $root/; }
    location /once/ { keepalive_timeout 0; alias $root/; }
    location /slow/ { limit_rate 1m; alias $root/; }
    location /slower/ { limit_rate 150k; alias $root/; }
    location /nothing { return 204; }
    location /moved { return 302 /small.txt; }
    location /silent { return 444; }
    location /uploads/ { dav_methods PUT; create_full_put_path on; }
    location /too_large/ { dav_methods PUT; client_max_body_size 1k; }
  }
}
CONFIGURATION
}

# A port that nobody has, as far as can be known before nginx binds it: if somebody was faster, nginx
# ends, and another is tried.
free_port() {
  python3 -c 'import socket
probe = socket.socket()
probe.bind(("127.0.0.1", 0))
print(probe.getsockname()[1])'
}

is_serving() {
  local _
  for _ in $(seq 500); do
    kill -0 "$server" 2>/dev/null || return 1
    if [[ -s $work/nginx/pid ]] && "${fetch[@]}" -q -o "$work/probe" "$url/small.txt" 2>/dev/null; then
      return 0
    fi
    sleep 0.02
  done
  return 1
}

start_nginx() {
  local port _
  for _ in 1 2 3; do
    port=$(free_port)
    url=http://127.0.0.1:$port
    write_configuration "$port"
    "$nginx" -p "$work/nginx" -e "$work/nginx/errors" -c "$work/nginx/nginx.conf" &
    server=$!
    children+=("$server")
    is_serving && return
    stop "$server"
  done
  fail "nginx did not start"
}

# The log has a line for a request once it is over, which is just after the client knows.
# wait_for_lines NUMBER PATTERN
wait_for_lines() {
  local _
  for _ in $(seq 500); do
    [[ $(grep -c "$2" "$log") -lt $1 ]] || return 0
    sleep 0.02
  done
  fail "not $1 requests '$2' in the log: $(tail -n 20 "$log")"
}

# num_connections PATTERN: those of the log's lines with it. nginx writes a line after the reply, so an
# earlier check's may still come.
num_connections() { grep -E "$1" "$log" | awk '{ print $1 }' | sort -u | wc -l; }

# expect_connections NUMBER REQUESTS PATTERN: so many requests came, over so many connections.
expect_connections() {
  wait_for_lines "$2" "$3"
  [[ $(num_connections "$3") == "$1" ]] || fail "$2 requests over $(num_connections "$3") connections, not $1"
}

# ---- Checks ----

# expect RESULT ARGUMENT...: runs fetch, whose output goes to $work/out and $work/err.
expect() {
  local wanted=$1 result=0
  shift
  timeout 120 "${fetch[@]}" "$@" >"$work/out" 2>"$work/err" || result=$?
  [[ $result == "$wanted" ]] ||
    fail "fetch $*: result $result, not $wanted: $(head -c 2000 "$work/err")"
}

expect_same() { cmp -s "$1" "$2" || fail "$1 is not $2"; }

expect_said() { grep -q -- "$2" "$work/$1" || fail "no '$2' in: $(head -c 2000 "$work/$1")"; }

# N times the same argument.
times() { yes "$2" | head -n "$1"; }

test_plain() {
  expect 0 -q "$url/small.txt"
  expect_same "$work/out" "$root/small.txt"
  [[ ! -s $work/err ]] || fail "quiet, but: $(cat "$work/err")"
  expect 0 -i "$url/small.txt"
  expect_said out '^HTTP/1.1 200 OK'
  expect_said out '^ETag: '
  expect_said out '^hello'
  expect_said err 'fetch: ended after'
}

test_head() {
  expect 0 -q --head "$url/large.bin" "$url/small.txt" "$url/gzip/numbers.txt"
  [[ $(grep -c '^HTTP/1.1 200 OK' "$work/out") == 3 ]] || fail "heads: $(cat "$work/out")"
  expect_said out '^Content-Length: 67108864'
  ! grep -q hello "$work/out" || fail "a body after a HEAD"
}

test_keep_alive() {
  local urls
  : >"$log"
  mapfile -t urls < <(times 500 "$url/small.txt?kept")
  expect 0 -q "${urls[@]}"
  [[ $(grep -c '^hello$' "$work/out") == 500 ]] || fail "500 answers"
  expect_connections 1 500 kept
}

# The server says "Connection: close" in the last reply that it gives over a connection; or in each.
test_limited_keep_alive() {
  local urls
  : >"$log"
  mapfile -t urls < <(times 20 "$url/few/small.txt")
  expect 0 -q "${urls[@]}"
  [[ $(grep -c '^hello$' "$work/out") == 20 ]] || fail "20 answers, three a connection"
  expect_connections 7 20 few
  : >"$log"
  expect 0 -q "$url/once/small.txt" "$url/once/numbers.txt" "$url/once/small.txt"
  expect_connections 3 3 once
}

test_chunked() {
  expect 0 -q -i "$url/ssi/page.shtml?word=seldom" "$url/small.txt"
  expect_said out '^Transfer-Encoding: chunked'
  expect_said out 'The word is seldom.'
  expect_said out '^hello'
  expect 0 -q -i -H 'Accept-Encoding: gzip' "$url/gzip/numbers.txt"
  grep -aq '^Transfer-Encoding: chunked' "$work/out" || fail "gzip: not chunked"
  expect 0 -q -H 'Accept-Encoding: gzip' "$url/gzip/numbers.txt"
  gzip -dc <"$work/out" >"$work/numbers.txt" || fail "gzip: not that"
  expect_same "$work/numbers.txt" "$root/numbers.txt"
}

test_conditions() {
  local etag
  expect 0 -q --head "$url/small.txt"
  etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' "$work/out")
  [[ -n $etag ]] || fail "no ETag"
  echo kept >"$work/kept"
  expect 3 -q -o "$work/kept" -H "If-None-Match: $etag" "$url/small.txt"
  [[ $(cat "$work/kept") == kept ]] || fail "304 has changed the file"
  expect_said err ': 304 Not Modified'
  expect 0 -q -o "$work/kept" -H 'If-None-Match: "another"' "$url/small.txt"
  expect_same "$work/kept" "$root/small.txt"
  # What follows a reply that has no body.
  expect 3 -q -H "If-None-Match: $etag" "$url/small.txt" "$url/numbers.txt"
  expect_same "$work/out" "$root/numbers.txt"
  expect 0 -q "$url/nothing" "$url/small.txt"
  expect_same "$work/out" "$root/small.txt"
}

test_range() {
  expect 0 -q -i -H 'Range: bytes=2-3' "$url/small.txt"
  expect_said out '^HTTP/1.1 206 '
  expect_said out '^Content-Range: bytes 2-3/6'
  [[ $(tail -c 2 "$work/out") == ll ]] || fail "bytes 2-3: $(cat "$work/out")"
  expect 0 -q -H 'Range: bytes=60000000-' "$url/large.bin"
  cmp -s "$work/out" <(tail -c +60000001 "$root/large.bin") || fail "bytes 60000000-"
  expect 0 -q -i -H 'Range: bytes=0-0,2-2' "$url/small.txt"
  expect_said out '^Content-Type: multipart/byteranges'
  expect 4 -q -H 'Range: bytes=100-' "$url/small.txt"
  expect_said err ': 416 '
}

test_refusals() {
  expect 4 -q -o "$work/none" "$url/absent"
  expect_said err ': 404 Not Found'
  [[ ! -e $work/none ]] || fail "404 has made a file"
  expect 3 -q "$url/moved"
  expect_said err ': 302 .*/small.txt'
  # nginx closes without a word; the second request goes over another connection.
  expect 1 -q "$url/silent" "$url/small.txt"
  expect_said err 'closed the connection'
  expect_same "$work/out" "$root/small.txt"
  expect 1 -q "http://127.0.0.1:$(free_port)/"
  expect_said err 'cannot connect'
}

test_large() {
  expect 0 -o "$work/large.bin" "$url/large.bin"
  [[ $(sha256sum <"$work/large.bin") == "$(sha256sum <"$root/large.bin")" ]] ||
    fail "64 MiB: another checksum"
  expect_said err 'fetch: ended after .*received .*67.1 MB in all'
  rm "$work/large.bin"
}

# A pipe takes less than the server sends: the reading waits for it.
test_slow_reader() {
  timeout 120 "${fetch[@]}" -q "$url/large.bin" | {
    sleep 0.5
    cmp -s - "$root/large.bin"
  } || fail "64 MiB through a pipe"
}

test_parallel() {
  local urls=() n
  for n in $(seq 8); do urls+=("$url/part$n.bin"); done
  : >"$log"
  mkdir "$work/parts"
  (cd "$work/parts" && expect 0 -O -v -k 4 "${urls[@]}")
  for n in $(seq 8); do expect_same "$work/parts/part$n.bin" "$root/part$n.bin"; done
  expect_connections 4 8 part
  expect 2 -q -k 4 "${urls[@]}"
}

test_uploads() {
  expect 0 -q -T "$root/large.bin" "$url/uploads/large.bin"
  expect_same "$root/uploads/large.bin" "$root/large.bin"
  expect 0 -i -v -H 'Expect: 100-continue' -T "$root/medium.bin" "$url/uploads/waits.bin"
  expect_same "$root/uploads/waits.bin" "$root/medium.bin"
  expect_said out '^HTTP/1.1 201 Created'
  ! grep -q '100 Continue' "$work/out" || fail "an interim reply is not the reply"
  # Of unknown length, so chunked.
  tail -c +1 "$root/medium.bin" | timeout 120 "${fetch[@]}" -q -T - "$url/uploads/pipe.bin" ||
    fail "an upload from a pipe"
  expect_same "$root/uploads/pipe.bin" "$root/medium.bin"
  # Several, over one connection.
  : >"$log"
  expect 0 -q -T "$root/numbers.txt" "$url/uploads/1" "$url/uploads/2" "$url/uploads/3"
  expect_same "$root/uploads/3" "$root/numbers.txt"
  expect_connections 1 3 "/uploads/[123] "
  # Refused before the body is read: with 100-continue it is not even sent.
  expect 4 -T "$root/medium.bin" -H 'Expect: 100-continue' "$url/too_large/file"
  expect_said err ': 413 '
  expect_said err ', sent 0 B/s (0 B in all)'
  expect 4 -q -T "$root/small.txt" "$url/small.txt"
  expect_said err ': 405 '
  expect_same "$root/uploads/large.bin" "$root/large.bin"
}

# Its workers finish what they are sending, close what is idle, and others take over: nothing fails.
test_reload() {
  local urls=() n client slow _
  for n in $(seq 4); do
    mapfile -t -O "${#urls[@]}" urls < <(times 20 "$url/small.txt")
    urls+=("$url/slower/numbers.txt")
  done
  : >"$log"
  timeout 120 "${fetch[@]}" -q "${urls[@]}" >"$work/reload.out" 2>"$work/reload.err" &
  client=$!
  timeout 120 "${fetch[@]}" -q -o "$work/slow.bin" "$url/slow/medium.bin" &
  slow=$!
  children+=("$client" "$slow")
  for n in 1 2 3; do
    wait_for_lines $((n * 15)) small.txt
    kill -HUP "$server"
  done
  wait "$client" || fail "reloads: $(head -c 2000 "$work/reload.err")"
  [[ $(grep -c '^hello$' "$work/reload.out") == 80 ]] || fail "reloads: not all answers"
  wait "$slow" || fail "a slow reply over reloads"
  expect_same "$work/slow.bin" "$root/medium.bin"
  [[ $(num_connections 'small|numbers') -ge 2 ]] ||
    fail "no reload closed a connection"
}

# Killed in the middle of a body.
test_killed() {
  local client result=0
  timeout 120 "${fetch[@]}" -q -o "$work/cut.bin" "$url/slow/large.bin" 2>"$work/err" &
  client=$!
  children+=("$client")
  for _ in $(seq 500); do
    [[ ! -s $work/cut.bin ]] || break
    sleep 0.02
  done
  [[ -s $work/cut.bin ]] || fail "nothing came of /slow/large.bin"
  kill -TERM "$server"
  wait "$server" || true
  wait "$client" || result=$?
  [[ $result == 1 ]] || fail "cut off: result $result"
  expect_said err 'closed the connection before the end\|the connection broke'
  cmp -s "$work/cut.bin" <(head -c "$(wc -c <"$work/cut.bin")" "$root/large.bin") ||
    fail "cut off: not the beginning of the file"
}

start_nginx
for name in plain head keep_alive limited_keep_alive chunked conditions range refusals large \
  slow_reader parallel uploads reload; do
  "test_$name"
  echo "passed: $name"
done
# An alert or an error of nginx is the client's doing; that a file does not exist was asked for.
! grep -vE 'No such file|client intended to send too large body|signal process' \
  "$work/nginx/errors" | grep -E '\[(error|crit|alert|emerg)\]' || fail "nginx complains"
test_killed
echo "passed: killed"
echo "PASSED"

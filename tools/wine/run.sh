#!/bin/bash
# Runs a program for Windows under Wine, and any other as it is.
#
# usage: tools/wine/run.sh PROGRAM [ARGUMENT...]
#
# A Wine prefix takes seconds and hundreds of megabytes. One is made, once; every run has its own
# registry over that one's files, so that runs do not meet.

set -euo pipefail

wine_dir=/usr/lib/wine
template=${TMPDIR:-/tmp}/strata-wine-$(id -u)

fail() {
  echo "wine/run.sh: $*" >&2
  exit 1
}

is_for_windows() { [[ $(head -c 2 "$1") == MZ ]]; }

# Wine needs the page at 0x7ffe0000. Its executable is linked at 0x7d000000, and Linux begins the heap anywhere
# in the GiB behind that (arch_randomize_brk()): once in some 8,000 starts over that page, and the process dies,
# for CreateProcess with ERROR_INTERNAL_ERROR. Containers may forbid personality(2).
as_laid_out=()
if setarch --addr-no-randomize true 2>/dev/null; then as_laid_out=(setarch --addr-no-randomize); fi

# Names of files are UTF-8 here, whatever the caller's locale.
in_prefix() {
  LC_ALL=C.UTF-8 WINEPREFIX=$1 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml=' \
    "${as_laid_out[@]}" "${@:2}"
}

make_template() {
  local new=$template.new
  rm -rf "$new"
  mkdir -p "$new"
  in_prefix "$new" "$wine_dir/wine64" wineboot --init >"$template.log" 2>&1 ||
    fail "no Wine prefix: see $template.log"
  in_prefix "$new" "$wine_dir/wineserver" -k || true
  in_prefix "$new" "$wine_dir/wineserver" -w
  mv "$new" "$template"
}

if ! is_for_windows "$1"; then exec "$@"; fi
[[ -x $wine_dir/wine64 ]] || fail "there is no Wine: tools/setup --all"

if [[ ! -d $template ]]; then
  exec 9>"$template.lock"
  flock 9
  [[ -d $template ]] || make_template
  exec 9>&-
fi

# To a program for Windows, a path with a root and no drive is a relative one.
if [[ -n ${XML_OUTPUT_FILE:-} ]]; then export XML_OUTPUT_FILE=Z:$XML_OUTPUT_FILE; fi

prefix=$(mktemp -d "${TEST_TMPDIR:-${TMPDIR:-/tmp}}/wine.XXXXXX")
end() {
  in_prefix "$prefix" "$wine_dir/wineserver" -k || true
  rm -rf "$prefix"
}
trap end EXIT
cp "$template"/*.reg "$template/.update-timestamp" "$prefix"
cp -R "$template/dosdevices" "$prefix"
ln -s "$template/drive_c" "$prefix/drive_c"
in_prefix "$prefix" "$wine_dir/wine64" "$@"

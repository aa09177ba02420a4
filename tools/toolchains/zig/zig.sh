# Sourced: finds zig, and sets where it keeps what it has compiled of its libraries.

# The program itself: npm's command starts it from a script, which takes longer than it does.
zig=$(command -v zig) || {
  echo "there is no zig: tools/setup --cross" >&2
  exit 1
}
zig=$(readlink -f "$zig")
for native in "${zig%/bin/zig}"/node_modules/@zigc/linux-*/bin/zig; do
  if [ -x "$native" ]; then zig=$native; fi
done

# An action has no HOME; /tmp is what its sandbox may write to.
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-/tmp/strata-zig-$(id -u)}"
export ZIG_LOCAL_CACHE_DIR="$ZIG_GLOBAL_CACHE_DIR"

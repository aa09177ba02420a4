#!/bin/sh
. "${0%/*}/zig.sh"
exec "$zig" ar "$@"

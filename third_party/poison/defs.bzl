"""What strata's own targets find in place of an installed libevent."""

# Every header of libevent 2.1 and 2.2: its own names, which a machine may have in /usr/include.
HEADERS = [
    "evdns.h",
    "event.h",
    "evhttp.h",
    "evrpc.h",
    "evutil.h",
] + ["event2/%s.h" % noun for noun in [
    "buffer",
    "buffer_compat",
    "bufferevent",
    "bufferevent_compat",
    "bufferevent_ssl",
    "bufferevent_struct",
    "dns",
    "dns_compat",
    "dns_struct",
    "event",
    "event-config",
    "event_compat",
    "event_struct",
    "http",
    "http_compat",
    "http_struct",
    "keyvalq_struct",
    "listener",
    "rpc",
    "rpc_compat",
    "rpc_struct",
    "tag",
    "tag_compat",
    "thread",
    "util",
    "visibility",
    "watch",
    "ws",
]]

LIBRARIES = [
    "event",
    "event_core",
    "event_extra",
    "event_mbedtls",
    "event_openssl",
    "event_pthreads",
]

_ERROR = "#error \"missing dependency: <%s> would come from the system, not from strata\"\n"

# A linker script that asks for a file which does not exist: the linker names it.
_SCRIPT = "INPUT(missing-dependency--l%s-would-link-the-installed-libevent-instead-of-strata)\n"

def _write(ctx, path, content):
    file = ctx.actions.declare_file(path)
    ctx.actions.write(file, content)
    return file

def _poison_headers_impl(ctx):
    files = [_write(ctx, "include/" + header, _ERROR % header) for header in HEADERS]
    return [DefaultInfo(files = depset(files), runfiles = ctx.runfiles(files = files))]

# Headers that are an #error.
poison_headers = rule(implementation = _poison_headers_impl)

def _poison_libraries_impl(ctx):
    files = [_write(ctx, "lib/lib%s.so" % name, _SCRIPT % name) for name in LIBRARIES]
    return [DefaultInfo(files = depset(files), runfiles = ctx.runfiles(files = files))]

# Libraries that do not link.
poison_libraries = rule(implementation = _poison_libraries_impl)

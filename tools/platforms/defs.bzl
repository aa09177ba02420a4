"""What targets say of the platforms that they are for."""

# target_compatible_with: fork, AF_UNIX, poll and the like, which Windows does not have.
POSIX_ONLY = select({
    "//tools/platforms:windows": ["//tools/platforms:incompatible"],
    "//conditions:default": [],
})

# target_compatible_with: what the Linux kernel alone has.
LINUX_ONLY = select({
    "@platforms//os:linux": [],
    "//conditions:default": ["//tools/platforms:incompatible"],
})

# target_compatible_with: zig's Linux is that of musl, and its linker knows no --wrap.
GNU_LINUX_ONLY = select({
    "//tools/platforms:linux": [],
    "//tools/platforms:zig_on_linux": ["//tools/platforms:incompatible"],
    "//conditions:default": ["//tools/platforms:incompatible"],
})

# target_compatible_with: the same for Windows.
MINGW_ONLY = select({
    "//tools/platforms:windows": [],
    "//tools/platforms:zig_on_windows": ["//tools/platforms:incompatible"],
    "//conditions:default": ["//tools/platforms:incompatible"],
})

# target_compatible_with: the same for every system.
GNU_LD_ONLY = select({
    "//tools/platforms:zig": ["//tools/platforms:incompatible"],
    "//conditions:default": [],
})

# linkopts: zig links as for C (tools/toolchains/zig/cc.sh).
CXX_LINKOPTS = select({
    "//tools/platforms:zig": ["-lc++"],
    "//conditions:default": [],
})

def with_kqueue(values):
    """`values` where event_base_new() takes kqueue(2), or --config=kqueue emulates it; [] elsewhere."""
    return select({
        "//tools/platforms:kqueue_emulation": values,
        "//tools/platforms:netbsd_os": values,
        "@platforms//os:freebsd": values,
        "@platforms//os:openbsd": values,
        "@platforms//os:osx": values,
        "//conditions:default": [],
    })

# copts: --config=kqueue.
KQUEUE_EMULATION_COPTS = select({
    "//tools/platforms:kqueue_emulation": ["-DSTRATA_KQUEUE_EMULATION=1"],
    "//conditions:default": [],
})

# target_compatible_with: io_uring or IOCP.
HAS_COMPLETION_PORT = select({
    "//tools/platforms:windows": [],
    "@platforms//os:linux": [],
    "//conditions:default": ["//tools/platforms:incompatible"],
})

# target_compatible_with: AFD, IOCP.
WINDOWS_ONLY = select({
    "//tools/platforms:windows": [],
    "//conditions:default": ["//tools/platforms:incompatible"],
})

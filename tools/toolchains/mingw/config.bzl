"""A toolchain of the distribution's mingw-w64: builds for Windows on Linux."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load(
    "@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl",
    "artifact_name_pattern",
    "feature",
    "flag_group",
    "flag_set",
    "tool_path",
)

_COMPILE = [
    ACTION_NAMES.c_compile,
    ACTION_NAMES.cpp_compile,
    ACTION_NAMES.assemble,
    ACTION_NAMES.preprocess_assemble,
]

_LINK = [ACTION_NAMES.cpp_link_executable]

def _flags(name, actions, flags):
    return feature(
        name = name,
        enabled = True,
        flag_sets = [flag_set(actions = actions, flag_groups = [flag_group(flags = flags)])],
    )

def _mingw_config_impl(ctx):
    tools = {
        "ar": "ar",
        "cpp": "cpp-posix",
        "gcc": "gcc-posix",
        "gcov": "gcov-posix",
        "ld": "ld",
        "nm": "nm",
        "objcopy": "objcopy",
        "objdump": "objdump",
        "strip": "strip",
    }
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        toolchain_identifier = "mingw_x86_64",
        host_system_name = "local",
        target_system_name = "x86_64-w64-mingw32",
        target_cpu = "x64_windows",
        target_libc = "mingw",
        compiler = "mingw-gcc",
        abi_version = "local",
        abi_libc_version = "local",
        cxx_builtin_include_directories = [
            "/usr/lib/gcc/x86_64-w64-mingw32",
            "/usr/x86_64-w64-mingw32",
            "/usr/share/mingw-w64",
        ],
        tool_paths = [
            tool_path(name = name, path = ctx.attr.prefix + tool)
            for name, tool in tools.items()
        ],
        features = [
            # The interface of Windows 8; and C's printf, not that of the system's own library.
            _flags("windows_defines", _COMPILE, [
                "-D_WIN32_WINNT=0x0602",
                "-D__USE_MINGW_ANSI_STDIO=1",
            ]),
            # One file that needs none of mingw's libraries beside it.
            _flags("static_runtime", _LINK, ["-static", "-lstdc++"]),
        ],
        artifact_name_patterns = [
            artifact_name_pattern(
                category_name = "executable",
                prefix = "",
                extension = ".exe",
            ),
        ],
    )

mingw_config = rule(
    implementation = _mingw_config_impl,
    attrs = {"prefix": attr.string(mandatory = True, doc = "of the tools' absolute paths")},
    provides = [CcToolchainConfigInfo],
)

"""The rules that every package of strata uses in place of the bare cc_* rules.

They take what cc_library, cc_test and cc_binary take. In strata's own builds they also put
//third_party/poison on the search paths: a target that forgets a dependency on strata's event2
headers or libraries must not be served by the libevent that the machine happens to have. A
project that depends on strata sees nothing of that.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")
load("//tools/platforms:defs.bzl", "CXX_LINKOPTS", "GNU_LINUX_ONLY", "LINUX_ONLY", "POSIX_ONLY", "WINDOWS_ONLY")

_POISON = "$(BINDIR)/third_party/poison"

# Linux hides sendfile, accept4, eventfd and the like without the first. Files of any length, where off_t
# may have 32 bits; ev_off_t always has 64. (Not _TIME_BITS: struct timeval is the caller's as well.)
_FEATURE_COPTS = ["-D_GNU_SOURCE"] + select({
    "//tools/platforms:windows": [],
    "//conditions:default": ["-D_FILE_OFFSET_BITS=64"],
})

# strata itself is built, not a project that depends on it.
def _is_own_build():
    return native.repository_name() == "@"

# A directory given by -isystem is searched after every -I and -iquote, and after the -isystem
# of a dependency, which Bazel writes first; and before the compiler's own /usr/include.
def _poison_copts():
    return ["-isystem" + _POISON + "/include"] if _is_own_build() else []

def _poison_headers():
    return ["//third_party/poison:headers"] if _is_own_build() else []

def _poison_linkopts():
    return ["-L" + _POISON + "/lib"] if _is_own_build() else []

def _poison_libraries():
    return ["//third_party/poison:libraries"] if _is_own_build() else []

def strata_cc_library(name, srcs = [], copts = [], linkstatic = False, **kwargs):
    """cc_library. Public headers take `strip_include_prefix = "include"`."""
    cc_library(
        name = name,
        srcs = srcs + _poison_headers(),
        copts = _FEATURE_COPTS + _poison_copts() + copts,
        linkstatic = linkstatic or not srcs or _is_own_build(),
        **kwargs
    )

def _cc_executable(rule, name, srcs, copts, linkopts, additional_linker_inputs = [], **kwargs):
    rule(
        name = name,
        srcs = srcs + _poison_headers(),
        copts = _FEATURE_COPTS + _poison_copts() + copts,
        linkopts = _poison_linkopts() + linkopts,
        additional_linker_inputs = _poison_libraries() + additional_linker_inputs,
        linkstatic = True,
        **kwargs
    )

def strata_cc_binary(name, srcs = [], copts = [], linkopts = [], tags = [], **kwargs):
    """cc_binary, and the test `<name>_links_test`: the program loads no installed libevent."""
    _cc_executable(cc_binary, name, srcs, copts, linkopts, tags = tags, **kwargs)
    if _is_own_build():
        native.sh_test(
            name = name + "_links_test",
            size = "small",
            srcs = ["//tools/guards:no_system_libevent.sh"],
            args = ["$(rootpath :%s)" % name],
            data = [":" + name],
            tags = tags + ["guard"],
        )

# For what is written with POSIX's names; needs //util/testing:posix_names in its deps.
POSIX_NAMES_COPTS = select({
    "//tools/platforms:windows": [
        "-include",
        "util/testing/posix_names.h",
        "-Iutil/testing/windows_include",
    ],
    "//conditions:default": [],
})

# GoogleTest's header is half of a test to compile.
_NOT_PRECOMPILED = "//tools/platforms:nothing_precompiled"

# To a source in C the header is no use.
def _precompiled_copts(srcs):
    if not _is_own_build() or [src for src in srcs if src.endswith(".c")]:
        return []
    return select({
        _NOT_PRECOMPILED: [],
        "//conditions:default": [
            "-Winvalid-pch",
            "-include$(BINDIR)/util/testing/gtest_precompiled.h",
            "-include$(BINDIR)/util/testing/gtest_precompiled_digest.h",
        ],
    })

def _gtest_main():
    return ["//third_party:gtest_main"] + ([] if not _is_own_build() else select({
        _NOT_PRECOMPILED: [],
        "//conditions:default": ["//util/testing:gtest_precompiled_library"],
    }))

def strata_cc_test(name, srcs, deps = [], copts = [], linkopts = [], size = "small", **kwargs):
    """cc_test with GoogleTest's main, failing if the installed libevent is in the process."""
    _cc_executable(
        cc_test,
        name,
        srcs,
        _precompiled_copts(srcs) + POSIX_NAMES_COPTS + copts,
        CXX_LINKOPTS + linkopts,
        size = size,
        deps = deps + _gtest_main() + [
            "//tools/guards:no_system_libevent",
            "//util/testing:posix_names",
        ],
        **kwargs
    )

def _oracle_deps(oracle_libs):
    return ["//third_party:libevent_" + lib for lib in oracle_libs]

def strata_api_test(
        name,
        srcs,
        deps = [],
        oracle_libs = ["event_core"],
        shared_deps = [],
        copts = [],
        size = "small",
        tags = [],
        visibility = None,
        **kwargs):
    """One test of public API, run twice: `name` against strata, `name_oracle` against libevent.

    Args:
      name: the test on strata; `name_oracle` is the same source with -DSTRATA_ORACLE=1 on the
        installed libevent, tagged "oracle" (sanitizer configurations leave it out).
      srcs: the sources of both.
      deps: strata's layers, for `name` alone.
      oracle_libs: of "event_core", "event_extra", "event_pthreads", "event".
      shared_deps: libraries of helpers that know neither side; for both.
      copts: for both.
      size: for both.
      tags: for both.
      visibility: for both.
      **kwargs: whatever else cc_test takes (data, args, timeout, ...), for both.
    """
    strata_cc_test(
        name = name,
        size = size,
        srcs = srcs,
        copts = copts,
        tags = tags,
        visibility = visibility,
        deps = deps + shared_deps,
        **kwargs
    )
    cc_test(
        name = name + "_oracle",
        size = size,
        srcs = srcs,
        copts = _FEATURE_COPTS + _precompiled_copts(srcs) + copts,
        linkstatic = True,
        local_defines = ["STRATA_ORACLE=1"],
        tags = tags + ["oracle"],
        visibility = visibility,
        deps = shared_deps + _oracle_deps(oracle_libs) + _gtest_main(),
        **kwargs
    )

# Runs another test's program.
_RUNNERS = {
    "//tools/platforms:windows": "//tools/wine:run.sh",
    "//tools/platforms:zig_on_linux": "//tools/qemu:run.sh",
    "//conditions:default": "//tools/bazel:run_test.sh",
}
_RUN_TEST = select({platform: [runner] for platform, runner in _RUNNERS.items()})

_WINDOWS = "//tools/platforms:windows"
_HAS_IO_URING = "//util/testing:has_io_uring"

# Where the kernel has io_uring, which Windows never needs: attributes of sh_test that run `program`.
def _run_with_io_uring(program):
    return {
        "srcs": select({
            _WINDOWS: [_RUNNERS[_WINDOWS]],
            "//conditions:default": ["//tools/bazel:run_where.sh"],
        }),
        "args": select({
            platform: [] if platform == _WINDOWS else [
                "$(rootpath %s)" % _HAS_IO_URING,
                "$(rootpath %s)" % runner,
            ]
            for platform, runner in _RUNNERS.items()
        }) + ["$(rootpath %s)" % program],
        "data": [program] + select({
            platform: [] if platform == _WINDOWS else [
                _HAS_IO_URING,
                runner,
            ]
            for platform, runner in _RUNNERS.items()
        }),
    }

def _run(program):
    return {
        "srcs": _RUN_TEST,
        "args": ["$(rootpath %s)" % program],
        "data": [program],
    }

# Readiness backends in the order of backends/registry.c. A test runs by itself on its platform's
# best one, and as NAME_poll and so on, where strata_backend_tests says so, on the others.
_BEST_READINESS = [
    "afd",
    "kqueue",
    "epoll",
]
_OTHER_READINESS = {
    "poll": POSIX_ONLY,
    "select": [],
    "io_uring": LINUX_ONLY,
}

# For strata_backend_tests: all of those.
OTHER_READINESS = list(_OTHER_READINESS)

# event_base_new() takes the first that is left.
def _turn_off_what_is_before(backend):
    order = _BEST_READINESS + OTHER_READINESS
    return {"EVENT_NO" + name.upper(): "1" for name in order[:order.index(backend)]}

# What makes event_base_new() take another backend than the best one, and where there is such a one.
_BACKENDS = dict({
    "changelist": struct(
        env = {"EVENT_EPOLL_USE_CHANGELIST": "1"},
        compatible_with = LINUX_ONLY,
    ),
    "completion": struct(
        env = {"EVENT_COMPLETION": "1"},
        compatible_with = [],
    ),
    "completion_pool": struct(
        env = {
            "EVENT_COMPLETION": "4",
            "STRATA_EARLY_THREADS": "1",
        },
        compatible_with = WINDOWS_ONLY,
    ),
    "linux_5_13": struct(
        env = {
            "EVENT_COMPLETION": "1",
            "STRATA_IO_URING_OF": "5.13",
        },
        compatible_with = GNU_LINUX_ONLY,
    ),
    "linux_5_19": struct(
        env = {
            "EVENT_COMPLETION": "1",
            "STRATA_IO_URING_OF": "5.19",
        },
        compatible_with = GNU_LINUX_ONLY,
    ),
    "win32": struct(
        env = _turn_off_what_is_before("select"),
        compatible_with = WINDOWS_ONLY,
    ),
}, **{
    backend: struct(
        env = _turn_off_what_is_before(backend),
        compatible_with = platforms,
    )
    for backend, platforms in _OTHER_READINESS.items()
})

# The tag by which .ci/run chooses.
def _kind(backend):
    if backend in _OTHER_READINESS or backend == "win32":
        return "other_readiness"
    return backend if backend == "changelist" else "completion"

def _env(backend):
    return _BACKENDS[backend].env if backend else {}

def strata_backend_tests(name, backends, size = "small", tags = [], **kwargs):
    """The test `name` of this package again, on other backends: `name_poll`, `name_select`, ...

    Args:
      name: the test, made by strata_cc_test or strata_api_test. Nothing is compiled anew.
      backends: of OTHER_READINESS ("select" is "win32" on Windows), "win32" (the same, there alone),
        "changelist" (with changes collected), "completion" (bufferevents over the platform's port,
        where it has one), "completion_pool" (a port with threads of its own; the test's deps need
        //util/testing:early_threads), "linux_5_13" and "linux_5_19" (completions with what io_uring
        knew there: neither blocks shared with the kernel nor receives that repeat; not the latter. The
        test's deps need //backends:older_io_uring).
      size: for all.
      tags: for all.
      **kwargs: whatever else sh_test takes (timeout, ...), but for args, data and srcs, for all.
    """
    for backend in backends:
        needs_io_uring = backend in ["io_uring", "completion", "linux_5_13", "linux_5_19"]
        attributes = (_run_with_io_uring if needs_io_uring else _run)(":" + name)
        native.sh_test(
            name = name + "_" + backend,
            size = size,
            env = _env(backend),
            tags = tags + ["other_backend", _kind(backend)] +
                   # In a sandbox root has no CAP_IPC_LOCK. The memory of a ring counts then against
                   # RLIMIT_MEMLOCK, and is given back some time after the ring is closed: too late
                   # for hundreds of bases in a row (io_uring_setup(2)).
                   (["no-sandbox"] if needs_io_uring else []),
            target_compatible_with = _BACKENDS[backend].compatible_with,
            **dict(attributes, **kwargs)
        )

def strata_faulted_test(name, deps = [], copts = [], **kwargs):
    """strata_cc_test of strata with //util/testing:faults, which the test's own calls pass by."""
    strata_cc_test(
        name = name,
        copts = [
            "-include",
            "util/testing/unfaulted.h",
        ] + copts,
        target_compatible_with = GNU_LINUX_ONLY,
        deps = deps + ["//util/testing:faults"],
        **kwargs
    )

# All but "errors" are what a program does not notice, be it as often as this.
_FAULT_PLANS = {
    "eagain": "eagain:rate=30",
    "eintr": "eintr:rate=30",
    "errors": "reset,enobufs,emfile,aborted:on=read,write,accept:rate=5",
    "short": "short:rate=50",
}

def strata_fault_tests(
        name,
        srcs,
        deps = [],
        faults = ["eagain", "eintr", "short"],
        backends = [],
        skipped = {},
        size = "medium",
        tags = [],
        **kwargs):
    """The sources of a test again, under faults of system calls: `name_eintr`, `name_short`, ...

    Args:
      name: of the test that is given here once more. `name_faulted` is its program under faults.
      srcs: of that test.
      deps: of that test.
      faults: of "eagain", "eintr", "short" (one byte where more was possible), and "errors" for a
        test that takes whatever happens.
      backends: as for strata_backend_tests: `name_eintr_poll`, ..., besides the best one.
      skipped: for a fault, the patterns of tests that speak of what it changes.
      size: for all.
      tags: for all.
      **kwargs: whatever else sh_test takes, for all.
    """
    strata_faulted_test(
        name = name + "_faulted",
        size = size,
        srcs = srcs,
        tags = tags + ["manual"],
        deps = deps + ["//util/testing:faults_happened"],
    )
    for fault in faults:
        filter = ["--gtest_filter=-" + ":".join(skipped[fault])] if fault in skipped else []
        for backend in [None] + backends:
            native.sh_test(
                name = "_".join([name, fault] + ([backend] if backend else [])),
                size = size,
                srcs = _RUN_TEST,
                args = ["$(rootpath :%s_faulted)" % name] + filter,
                data = [":%s_faulted" % name],
                env = dict(_env(backend), STRATA_FAULTS = _FAULT_PLANS[fault]),
                tags = tags + ["faults"],
                target_compatible_with = GNU_LINUX_ONLY,
                **kwargs
            )

def strata_api_binary(
        name,
        srcs,
        deps = [],
        oracle_libs = ["event"],
        shared_deps = [],
        copts = [],
        tags = [],
        **kwargs):
    """One program of public API, built twice: `name` on strata, `name_oracle` on libevent."""
    strata_cc_binary(
        name = name,
        srcs = srcs,
        copts = copts,
        tags = tags,
        deps = deps + shared_deps,
        **kwargs
    )
    cc_binary(
        name = name + "_oracle",
        srcs = srcs,
        copts = _FEATURE_COPTS + copts,
        local_defines = ["STRATA_ORACLE=1"],
        tags = tags + ["oracle"],
        deps = shared_deps + _oracle_deps(oracle_libs),
        **kwargs
    )

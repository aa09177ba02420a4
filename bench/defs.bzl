"""Benchmarks of public API: one source, built against strata and against the installed libevent."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("//tools/bazel:defs.bzl", "strata_cc_binary")

def _smoke_test(name, tags):
    native.sh_test(
        name = name + "_smoke_test",
        size = "medium",
        srcs = ["//bench:smoke.sh"],
        args = ["$(rootpath :%s)" % name],
        data = [":" + name],
        tags = tags,
    )

def strata_benchmark(name, srcs, deps = [], oracle_libs = ["event_core"], tags = [], **kwargs):
    """Declares `name` and `name_oracle`, with Google Benchmark's main, and a smoke test of each.

    Build them with --config=opt and run them in turn on an idle machine:
        bazel build --config=opt //bench:<name> //bench:<name>_oracle
        bazel-bin/bench/<name>; bazel-bin/bench/<name>_oracle
    The smoke tests (tag "bench") run every benchmark for a moment: they find what is broken, and
    measure nothing.

    Args:
      name: the benchmark on strata.
      srcs: the sources of both; STRATA_ORACLE is 1 in `name_oracle`.
      deps: strata's layers.
      oracle_libs: libevent's libraries, as in strata_api_test; empty: there is no oracle (a
        benchmark of internals, or of a peer given in deps).
      tags: for all.
      **kwargs: what cc_binary takes, for both.
    """
    tags = tags + ["bench"]
    strata_cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        tags = tags,
        deps = deps + ["//third_party:benchmark_main"],
        **kwargs
    )
    _smoke_test(name, tags)
    if oracle_libs:
        cc_binary(
            name = name + "_oracle",
            testonly = True,
            srcs = srcs,
            copts = ["-D_GNU_SOURCE"],
            local_defines = ["STRATA_ORACLE=1"],
            tags = tags + ["oracle"],
            deps = ["//third_party:libevent_" + lib for lib in oracle_libs] +
                   ["//third_party:benchmark_main"],
            **kwargs
        )
        _smoke_test(name + "_oracle", tags + ["oracle"])

"""Fuzz targets: libFuzzer under --config=fuzz, a replay of the corpus in every other build."""

load("//tools/bazel:defs.bzl", "POSIX_NAMES_COPTS", "strata_cc_binary", "strata_cc_library")
load("//tools/platforms:defs.bzl", "CXX_LINKOPTS")

def strata_fuzz_target(name, srcs, corpus, deps = [], dictionary = None, **kwargs):
    """Declares `name` (a program) and `name_replay_test`, which runs it once over the corpus.

    Under --config=fuzz `name` is a libFuzzer binary:
        mkdir -p /tmp/corpus
        bazel run --config=fuzz //fuzz:<name> -- /tmp/corpus $PWD/fuzz/corpus/<name>
    Without it, `name FILE|DIRECTORY...` runs each input once: the way to debug a finding.

    Args:
      name: the program.
      srcs: sources, one of which defines LLVMFuzzerTestOneInput with C linkage.
      corpus: the seeds; at least one file (labels, usually a glob).
      deps: what is fuzzed.
      dictionary: a libFuzzer dictionary, kept beside the program as data.
      **kwargs: what cc_library takes, for the library that holds the target.
    """
    strata_cc_library(
        name = name + "_target",
        testonly = True,
        srcs = srcs,
        copts = POSIX_NAMES_COPTS,
        alwayslink = True,
        deps = deps + ["//util/testing:posix_names"],
        **kwargs
    )
    strata_cc_binary(
        name = name,
        testonly = True,
        data = corpus + ([dictionary] if dictionary else []),
        linkopts = select({
            "//tools/bazel:fuzzing": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }) + CXX_LINKOPTS,
        deps = [":" + name + "_target"] + select({
            "//tools/bazel:fuzzing": [],
            "//conditions:default": ["//fuzz:replay_main"],
        }),
    )
    native.filegroup(
        name = name + "_corpus",
        testonly = True,
        srcs = corpus,
    )
    native.sh_test(
        name = name + "_replay_test",
        size = "small",
        srcs = ["//fuzz:replay.sh"],
        args = [
            "$(rootpath :%s)" % name,
            "$(rootpaths :%s_corpus)" % name,
        ],
        data = [
            ":" + name,
            ":" + name + "_corpus",
        ] + select({
            "//tools/platforms:windows": ["//tools/wine:run.sh"],
            "//tools/platforms:zig_on_linux": ["//tools/qemu:run.sh"],
            "//conditions:default": [],
        }),
        tags = ["fuzz"],
    )

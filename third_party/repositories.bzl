"""External repositories: the distribution's package where it is installed, else a download.

Every repository here has two ways to come into being. With the Debian/Ubuntu package installed
(tools/setup does that), a few symbolic links into /usr and a BUILD file from this directory:
no network. Otherwise the upstream source at a pinned git commit. The pins below are UNTRIED
(they were written where there is no network), and so carry no sha256.
"""

def _first_missing(rctx, paths):
    for path in paths:
        if not rctx.path(path).exists:
            return path
    return None

def _link_installed(rctx):
    for source, link in rctx.attr.links.items():
        rctx.symlink(source, link)
    for source, link in rctx.attr.optional_links.items():
        if rctx.path(source).exists:
            rctx.symlink(source, link)
    rctx.symlink(rctx.attr.installed_build_file, "BUILD.bazel")

def _download(rctx, missing):
    hint = "@%s: %s is missing: run tools/setup" % (rctx.name, missing)
    if not rctx.attr.archive:
        fail(hint + ".")
    result = rctx.download_and_extract(
        rctx.attr.archive,
        stripPrefix = rctx.attr.strip_prefix,
        allow_fail = True,
    )
    if not result.success:
        fail("%s, or check why %s cannot be downloaded." % (hint, rctx.attr.archive))
    for command in rctx.attr.prepare:
        done = rctx.execute(["sh", "-c", command])
        if done.return_code != 0:
            fail("@%s: `%s` failed: %s" % (rctx.name, command, done.stderr))
    if rctx.attr.source_build_file:
        rctx.delete("BUILD")
        rctx.delete("BUILD.bazel")
        rctx.symlink(rctx.attr.source_build_file, "BUILD.bazel")

def _installed_or_downloaded_impl(rctx):
    missing = _first_missing(rctx, rctx.attr.links.keys())
    if missing:
        _download(rctx, missing)
    else:
        _link_installed(rctx)

_installed_or_downloaded = repository_rule(
    implementation = _installed_or_downloaded_impl,
    attrs = {
        "archive": attr.string(doc = "Where the pinned source is; empty: there is only the package."),
        "installed_build_file": attr.label(doc = "The BUILD file over the links."),
        "links": attr.string_dict(doc = "Installed path -> path in the repository; all must exist."),
        "optional_links": attr.string_dict(doc = "The same, where the path exists."),
        "prepare": attr.string_list(doc = "Shell commands to run in the downloaded source."),
        "source_build_file": attr.label(doc = "The BUILD file over the source; none: its own."),
        "strip_prefix": attr.string(),
    },
)

def _stub_impl(rctx):
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name)
    for label, path in rctx.attr.files.items():
        directory = path.rpartition("/")[0]
        rctx.symlink(label, path)
        if directory:
            rctx.file(directory + "/BUILD.bazel", "")
    rctx.file("BUILD.bazel", rctx.attr.build)

# A repository of a few files of ours, standing in for one that Bazel would download.
_stub = repository_rule(
    implementation = _stub_impl,
    attrs = {
        "build": attr.string(),
        "files": attr.label_keyed_string_dict(allow_files = True),
    },
)

def _github(project, commit):
    return {
        "archive": "https://github.com/%s/archive/%s.tar.gz" % (project, commit),
        "strip_prefix": "%s-%s" % (project.partition("/")[2], commit),
    }

def strata_bazel_repositories():
    """Replaces what Bazel 4.2 downloads for itself, so that it needs no network.

    The rules_cc and rules_java stubs hand on the native rules; of the coverage tools there is the
    one that `bazel coverage` runs after each test.
    """
    existing = native.existing_rules()
    if "rules_cc" not in existing:
        _stub(name = "rules_cc", files = {"@strata//third_party/bazel:rules_cc.bzl": "cc/defs.bzl"})
    if "rules_java" not in existing:
        _stub(
            name = "rules_java",
            files = {"@strata//third_party/bazel:rules_java.bzl": "java/defs.bzl"},
        )
    if "remote_coverage_tools" not in existing:
        _stub(
            name = "remote_coverage_tools",
            build = "package(default_visibility = [\"//visibility:public\"])\n" +
                    "filegroup(name = \"coverage_report_generator\")\n" +
                    "alias(name = \"lcov_merger\", actual = \"@strata//tools/lcov:merger\")\n",
        )
    if "platforms" not in existing:
        _installed_or_downloaded(
            name = "platforms",
            links = {
                "/usr/share/bazel/platforms/cpu": "cpu",
                "/usr/share/bazel/platforms/os": "os",
            },
            installed_build_file = "@strata//third_party/bazel:platforms.BUILD",
            **_github("bazelbuild/platforms", "da5541f26b7de1dc8e04c075c99df5351742a4a2")
        )

_OLD_LIBEVENT_HEADERS = ["evdns.h", "event.h", "evhttp.h", "evrpc.h", "evutil.h"]

def strata_peer_repositories():
    """libevent as installed (the oracle of the public-API tests), and the bench's peers."""
    links = {"/usr/include/event2": "include/event2"}
    for header in _OLD_LIBEVENT_HEADERS:
        links["/usr/include/" + header] = "include/" + header
    _installed_or_downloaded(
        name = "libevent_oracle",
        links = links,
        installed_build_file = "@strata//third_party:libevent_installed.BUILD",
        source_build_file = "@strata//third_party:libevent_source.BUILD",
        prepare = [
            "cmake -S . -B out -DEVENT__LIBRARY_TYPE=STATIC -DEVENT__DISABLE_TESTS=ON " +
            "-DEVENT__DISABLE_SAMPLES=ON -DEVENT__DISABLE_BENCHMARK=ON " +
            "-DEVENT__DISABLE_OPENSSL=ON -DCMAKE_BUILD_TYPE=Release && cmake --build out",
        ],
        # release-2.1.12-stable
        **_github("libevent/libevent", "5df3037d10556bfcb675bc73e516978b75fc7bc7")
    )
    _installed_or_downloaded(
        name = "libev",
        links = {"/usr/include/ev.h": "include/ev.h"},
        installed_build_file = "@strata//third_party:libev_installed.BUILD",
    )
    _installed_or_downloaded(
        name = "http_parser",
        links = {"/usr/include/http_parser.h": "include/http_parser.h"},
        installed_build_file = "@strata//third_party:http_parser_installed.BUILD",
    )
    _installed_or_downloaded(
        name = "picohttpparser",
        links = {"/usr/include/h2o.h": "include/h2o.h"},
        installed_build_file = "@strata//third_party:picohttpparser_installed.BUILD",
    )
    _installed_or_downloaded(
        name = "libuv",
        links = {"/usr/include/uv.h": "include/uv.h", "/usr/include/uv": "include/uv"},
        installed_build_file = "@strata//third_party:libuv_installed.BUILD",
    )

def strata_test_repositories():
    """GoogleTest, Google Benchmark, zlib, the oracle and the peers."""
    _installed_or_downloaded(
        name = "googletest",
        links = {
            "/usr/src/googletest/googletest": "googletest",
            "/usr/src/googletest/googlemock": "googlemock",
        },
        installed_build_file = "@strata//third_party:googletest_source.BUILD",
        source_build_file = "@strata//third_party:googletest_source.BUILD",
        # release-1.12.1
        **_github("google/googletest", "58d77fa8070e8cec2dc1ed015d66b454c8d78850")
    )
    _installed_or_downloaded(
        name = "benchmark",
        links = {"/usr/include/benchmark": "include/benchmark"},
        installed_build_file = "@strata//third_party:benchmark_installed.BUILD",
        source_build_file = "@strata//third_party:benchmark_source.BUILD",
        # v1.7.1
        **_github("google/benchmark", "d572f4777349d43653b21d6c2fc63020ab326db2")
    )
    _installed_or_downloaded(
        name = "zlib",
        links = {"/usr/include/zlib.h": "include/zlib.h"},
        optional_links = {
            "/usr/include/zconf.h": "include/zconf.h",
            "/usr/include/x86_64-linux-gnu/zconf.h": "include/zconf.h",
            "/usr/include/aarch64-linux-gnu/zconf.h": "include/zconf.h",
        },
        installed_build_file = "@strata//third_party:zlib_installed.BUILD",
        source_build_file = "@strata//third_party:zlib_source.BUILD",
        # v1.2.13
        **_github("madler/zlib", "04f42ceca40f73e2978b50e93806c2a18c1281fc")
    )
    strata_peer_repositories()

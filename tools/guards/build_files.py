"""What BUILD files may not say, so that the rules of tools/bazel/defs.bzl hold everywhere."""

import os
import re

# Packages that wrap other people's code, or that make the rules.
EXEMPT = ('third_party', os.path.join('tools', 'guards'), os.path.join('tools', 'bazel'))
COMMENT = re.compile(r'#.*$', re.M)
RULES = [
    (re.compile(r'(?<![\w.])(?:native\.)?cc_(?:library|binary|test|import)\s*\('),
     'uses a bare cc_* rule: take strata_cc_* of //tools/bazel:defs.bzl, which keep the '
     'installed libevent out'),
    (re.compile(r'["\s]-l\s*:?(?:lib)?event\w*'), 'links the installed libevent'),
    (re.compile(r'/usr/(?:local/)?(?:include|lib)'), 'names the system\'s directories'),
    (re.compile(r'@libevent_oracle\b|//third_party:libevent_'),
     'depends on the oracle: take strata_api_test, strata_api_binary or strata_benchmark'),
    (re.compile(r'"-(?:nostdinc|idirafter|iwithprefix)'), 'changes the search path of headers'),
]


def build_files(root):
    found = []
    for directory, subdirectories, files in os.walk(root):
        subdirectories[:] = [
            name for name in subdirectories
            if not name.startswith(('.', 'bazel-')) and name != 'node_modules'
        ]
        for name in files:
            if name in ('BUILD', 'BUILD.bazel'):
                found.append(os.path.relpath(os.path.join(directory, name), root))
    return sorted(found)


def violations(root):
    found = []
    for path in build_files(root):
        if path.startswith(EXEMPT):
            continue
        with open(os.path.join(root, path), encoding='utf-8') as file:
            text = COMMENT.sub('', file.read())
        for pattern, why in RULES:
            for match in pattern.finditer(text):
                line = text.count('\n', 0, match.start()) + 1
                found.append('%s:%d: %s' % (path, line, why))
    return found

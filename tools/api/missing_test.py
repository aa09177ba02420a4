#!/usr/bin/env python3
"""What missing.txt calls missing is missing: neither declared by a public header nor defined.
And every public header is one that //tools/api compiles alone.

usage: missing_test.py [--header=HEADER...] [ARCHIVE...] (Bazel passes the headers that it compiles, and
       what //tools/api:archives collects)
"""

import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True  # this directory is the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import lists  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(lists.HERE))
ARCHIVES = []
HEADERS = []
COMMENT = re.compile(r'/\*.*?\*/', re.S)


def public_headers():
    """The path of each public header of each layer, of the old ones too."""
    directories = [os.path.join(ROOT, 'include')]
    for layer in sorted(os.listdir(ROOT)):
        directories.append(os.path.join(ROOT, layer, 'include', 'event2'))
    for directory in directories:
        if os.path.isdir(directory) and not os.path.basename(ROOT).startswith('bazel-'):
            for name in sorted(os.listdir(directory)):
                if name.endswith('.h'):
                    yield os.path.join(directory, name)


def mentioned(text):
    """The identifiers in a header, outside its comments."""
    return frozenset(re.findall(r'\w+', COMMENT.sub(' ', text)))


def defined(archive):
    output = subprocess.run(['nm', '-g', '--defined-only', '-P', archive], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return frozenset(line.split()[0] for line in output.splitlines() if line.count(' ') > 1)


class MissingTest(unittest.TestCase):

    def check(self, names, where):
        for name in sorted(names.intersection(lists.missing())):
            self.fail('%s has %s: take it out of tools/api/%s' % (where, name, lists.MISSING))

    def test_the_lists_agree(self):
        lists.check()

    def test_not_declared(self):
        paths = list(public_headers())
        self.assertGreater(len(paths), 10)
        for path in paths:
            with open(path, encoding='utf-8') as file:
                self.check(mentioned(file.read()), os.path.relpath(path, ROOT))

    def test_each_is_compiled_alone(self):
        names = [re.sub('.*/include/', '', path) for path in public_headers()]
        if HEADERS:
            self.assertEqual(sorted(names), sorted(HEADERS), 'the lists in tools/api/BUILD')

    def test_not_defined(self):
        for archive in ARCHIVES:
            self.check(defined(archive), archive)

    def test_can_tell(self):
        self.assertIn('evbuffer_add', mentioned('/* x */ int\nevbuffer_add(void);'))
        self.assertIn('evbuffer_add', mentioned('#define evbuffer_add(x) x'))
        self.assertNotIn('evbuffer_add', mentioned('/* See\n evbuffer_add(). */'))
        self.assertNotIn('evbuffer_add', mentioned('int evbuffer_add_cb(void);'))
        if ARCHIVES:
            self.assertTrue(any('evbuffer_add' in defined(archive) for archive in ARCHIVES))


if __name__ == '__main__':
    ARCHIVES = [argument for argument in sys.argv[1:] if not argument.startswith('-')]
    HEADERS = [argument[len('--header='):] for argument in sys.argv[1:] if argument.startswith('-')]
    unittest.main(argv=sys.argv[:1])

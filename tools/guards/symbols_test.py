#!/usr/bin/env python3
"""Every name that strata's libraries give to a program that links them is in strata's namespace.

usage: symbols_test.py ARCHIVE... (Bazel passes what //tools/guards:archives collects)
"""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # this directory is the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import symbols  # noqa: E402

ARCHIVES = []


def violations_of(text):
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, 'planted.c')
        with open(source, 'w', encoding='utf-8') as file:
            file.write(text)
        subprocess.run(['gcc', '-c', '-o', source + '.o', source], check=True)
        return symbols.violations([source + '.o'])[0]


class PlantedTest(unittest.TestCase):

    def test_allowed(self):
        self.assertEqual(violations_of('int strata_a; int event_b; int evutil_c; int evthread;\n'
                                       'int bufferevent_d; void libevent_global_shutdown(void) {}\n'
                                       'static int helper; int *evp = &helper;\n'), [])

    def test_function(self):
        self.assertIn('helper', violations_of('void helper(void) {}\n')[0])

    def test_variable(self):
        self.assertIn('table', violations_of('int table = 1;\n')[0])

    def test_libev(self):
        self.assertIn('ev_run', violations_of('void ev_run(void) {}\n')[0])

    def test_underscore(self):
        self.assertIn('_bufferevent_x', violations_of('void _bufferevent_x(void) {}\n')[0])


class LibrariesTest(unittest.TestCase):

    def test_libraries(self):
        found, num_names = symbols.violations(ARCHIVES)
        self.assertEqual(found, [], '\n' + '\n'.join(found))
        self.assertGreater(len(ARCHIVES), 2, 'hardly a library was given')
        self.assertGreater(num_names, 50, 'hardly a name was seen')
        print('%d names in %d libraries' % (num_names, len(ARCHIVES)))


if __name__ == '__main__':
    ARCHIVES = [argument for argument in sys.argv[1:] if argument.endswith(('.a', '.o', '.lo'))]
    unittest.main(argv=sys.argv[:1])

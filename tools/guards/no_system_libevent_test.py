#!/usr/bin/env python3
"""Nothing of strata is compiled against, or linked with, the libevent that the machine has.

Three things keep that, and each is shown here to work: the poison (tools/bazel/defs.bzl) stops a
compile or a link that forgot a dependency; no BUILD file goes round the rules that apply it; and
the check that runs on every program finds the library when it is there after all.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.dont_write_bytecode = True  # this directory is the source tree
sys.path.insert(0, HERE)
import build_files  # noqa: E402
import layering  # noqa: E402

ROOT = layering.workspace_root(__file__)
# Made by Bazel, and named as the compiler is given it.
POISON = os.path.join(os.getcwd(), 'third_party', 'poison')
CHECK = os.path.join(HERE, 'no_system_libevent.sh')
COMPILERS = [name for name in ('gcc', 'clang') if shutil.which(name)]
INSTALLED = os.path.exists('/usr/include/event2/event.h')
USES_LIBEVENT = '#include <event2/event.h>\nint main(void) { return event_get_version() == 0; }\n'


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class Planted(unittest.TestCase):

    def setUp(self):
        self.directory = tempfile.mkdtemp(dir=os.environ.get('TEST_TMPDIR'))
        self.addCleanup(shutil.rmtree, self.directory)
        self.source = self.write('planted.c', USES_LIBEVENT)
        self.program = os.path.join(self.directory, 'planted')

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path


class CompileTest(Planted):
    """A missing dependency on strata's headers."""

    POISONED = '-isystem' + os.path.join(POISON, 'include')

    def test_there_is_a_compiler(self):
        self.assertTrue(COMPILERS)

    @unittest.skipUnless(INSTALLED, 'libevent is not installed')
    def test_the_machine_would_satisfy_it(self):
        for compiler in COMPILERS:
            status, output = run(compiler, '-fsyntax-only', self.source)
            self.assertEqual(status, 0, output)

    def test_the_poison_stops_it(self):
        for compiler in COMPILERS:
            for language in ('c', 'c++'):
                status, output = run(compiler, '-x', language, '-fsyntax-only', self.POISONED,
                                     self.source)
                self.assertNotEqual(status, 0, compiler)
                self.assertIn('missing dependency: <event2/event.h>', output)

    def test_a_dependency_comes_first(self):
        self.write('include/event2/event.h', 'const char *event_get_version(void);\n')
        for compiler in COMPILERS:
            for flag in ('-I', '-isystem'):
                status, output = run(compiler, '-fsyntax-only', flag,
                                     os.path.join(self.directory, 'include'), self.POISONED,
                                     self.source)
                self.assertEqual(status, 0, output)

    @unittest.skipUnless(INSTALLED, 'libevent is not installed')
    def test_every_installed_header_is_poisoned(self):
        headers = ['event2/' + name for name in os.listdir('/usr/include/event2')]
        headers += ['event.h', 'evdns.h', 'evhttp.h', 'evrpc.h', 'evutil.h']
        for header in headers:
            self.assertTrue(os.path.exists(os.path.join(POISON, 'include', header)), header)

    def test_every_poison_is_an_error(self):
        num_headers = 0
        for directory, _, files in os.walk(os.path.join(POISON, 'include')):
            for name in files:
                with open(os.path.join(directory, name), encoding='utf-8') as file:
                    self.assertTrue(file.read().startswith('#error "missing dependency'), name)
                num_headers += 1
        self.assertGreater(num_headers, 30)


@unittest.skipUnless(INSTALLED, 'libevent is not installed')
class LinkTest(Planted):
    """A missing dependency on strata's libraries, or an explicit -levent."""

    def link(self, *flags):
        return run(COMPILERS[0], '-o', self.program, self.source, *flags)

    def test_the_poison_stops_it(self):
        for library in ('event', 'event_core', 'event_extra', 'event_pthreads'):
            status, output = self.link('-L' + os.path.join(POISON, 'lib'), '-l' + library)
            self.assertNotEqual(status, 0)
            self.assertIn('missing-dependency--l%s' % library, output)

    def test_the_check_finds_the_shared_library(self):
        status, output = self.link('-levent_core')
        self.assertEqual(status, 0, output)
        status, output = run(CHECK, self.program)
        self.assertEqual(status, 1, output)
        self.assertIn('is linked with the installed libevent', output)

    def test_the_check_finds_a_static_copy(self):
        status, output = self.link('-l:libevent_core.a')
        self.assertEqual(status, 0, output)
        with open(self.source, 'a', encoding='utf-8') as file:
            file.write('void *keep(void) { return (void *)event_base_new; }\n')
        status, output = self.link('-l:libevent_core.a')
        self.assertEqual(status, 0, output)
        status, output = run(CHECK, self.program)
        self.assertEqual(status, 1, output)
        self.assertIn('contains libevent', output)

    def test_the_check_passes_another_program(self):
        self.write('planted.c', 'int main(void) { return 0; }\n')
        self.assertEqual(self.link('-levent_core', '-Wl,--as-needed')[0], 0)
        self.assertEqual(self.link()[0], 0)
        status, output = run(CHECK, self.program)
        self.assertEqual(status, 0, output)

    def test_the_check_fails_without_a_program(self):
        self.assertNotEqual(run(CHECK)[0], 0)
        self.assertNotEqual(run(CHECK, self.program + '-gone')[0], 0)
        self.assertNotEqual(run(CHECK, self.source)[0], 0)


class BuildFileTest(Planted):

    def check(self, text, expected):
        self.write('net/BUILD', text)
        found = build_files.violations(self.directory)
        self.assertEqual(len(found), 1 if expected else 0, found)
        if expected:
            self.assertIn(expected, found[0])

    def test_rules_of_ours(self):
        self.check('strata_cc_library(name = "net")\n# cc_library(\nstrata_cc_test(name = "t")\n',
                   None)

    def test_bare_rule(self):
        self.check('cc_library(name = "net")\n', 'bare')
        self.check('[native.cc_test (name = n) for n in []]\n', 'bare')

    def test_linking(self):
        self.check('strata_cc_binary(name = "x", linkopts = ["-levent_core"])\n', 'links')

    def test_system_directory(self):
        self.check('strata_cc_library(name = "x", copts = ["-I/usr/include"])\n', 'directories')

    def test_oracle(self):
        self.check('strata_cc_test(name = "x", deps = ["//third_party:libevent_event"])\n',
                   'oracle')

    def test_this_tree(self):
        found = build_files.violations(ROOT)
        self.assertEqual(found, [], '\n' + '\n'.join(found))
        packages = [os.path.dirname(path) for path in build_files.build_files(ROOT)]
        self.assertLessEqual({'', 'util', 'buffer', 'loop', 'backends', 'net', 'http'},
                             set(packages))


if __name__ == '__main__':
    unittest.main()

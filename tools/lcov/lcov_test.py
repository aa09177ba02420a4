#!/usr/bin/env python3
"""Counts of several tests add up, and what no test reached is named."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # this directory is the source tree
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
import merger  # noqa: E402
import report  # noqa: E402
import tracefile  # noqa: E402


def document(path, lines, functions=()):
    return {
        'files': [{
            'file': path,
            'lines': [{'line_number': n, 'count': count} for n, count in lines],
            'functions': [{'name': name, 'start_line': line, 'execution_count': count}
                          for name, line, count in functions],
        }],
    }


def sample():
    coverage = tracefile.Coverage()
    coverage.add_gcov(document('util/a.c', [(2, 1), (3, 1), (6, 0), (8, 0), (12, 0)],
                               [('first', 1, 1), ('second', 5, 0), ('third', 11, 0)]))
    coverage.add_gcov(document('./loop/b.c', [(1, 4)], [('only', 1, 4)]))
    return coverage


class TracefileTest(unittest.TestCase):

    def test_counts_of_several_documents_add_up(self):
        coverage = sample()
        coverage.add_gcov(document('util/a.c', [(2, 1), (12, 3)], [('third', 11, 3)]))
        source = coverage.sources['util/a.c']
        self.assertEqual(source.lines, {2: 2, 3: 1, 6: 0, 8: 0, 12: 3})
        self.assertEqual(source.uncovered_lines(), [6, 8])
        self.assertEqual(source.uncovered_functions(), ['second'])

    def test_what_is_written_reads_back(self):
        again = tracefile.Coverage()
        again.add_tracefile(sample().tracefile())
        self.assertEqual(again.tracefile(), sample().tracefile())
        again.add_tracefile(sample().tracefile())
        self.assertEqual(again.sources['loop/b.c'].lines, {1: 8})
        self.assertEqual(again.sources['loop/b.c'].functions, {'only': [1, 8]})

    def test_paths_are_made_plain_and_system_headers_left_out(self):
        coverage = sample()
        coverage.add_gcov(document('/usr/include/stdlib.h', [(1, 1)]))
        self.assertEqual(sorted(coverage.sources), ['loop/b.c', 'util/a.c'])

    def test_a_line_belongs_to_the_function_before_it(self):
        source = sample().sources['util/a.c']
        self.assertEqual([source.function_of(n) for n in (0, 3, 8, 12)],
                         [None, 'first', 'second', 'third'])


class MergerTest(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name

    def write(self, name, content):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with gzip.open(path, 'wt') as file:
            json.dump(content, file)

    def test_every_report_below_the_directory_is_taken(self):
        self.write('a.gcov.json.gz', document('util/a.c', [(1, 1), (2, 0)]))
        self.write('deep/b.gcov.json.gz', document('util/a.c', [(2, 5)]))
        self.write('other.json.gz', document('util/c.c', [(1, 1)]))
        coverage = merger.merge(self.directory)
        self.assertEqual(list(coverage.sources), ['util/a.c'])
        self.assertEqual(coverage.sources['util/a.c'].lines, {1: 1, 2: 5})

    def test_the_program_takes_the_arguments_of_bazel(self):
        self.write('a.gcov.json.gz', document('util/a.c', [(1, 1)]))
        output = os.path.join(self.directory, 'out.dat')
        subprocess.run([sys.executable, os.path.join(HERE, 'merger.py'),
                        '--coverage_dir=' + self.directory, '--output_file=' + output,
                        '--filter_sources=/usr/lib/.+', '--source_file_manifest=none'], check=True)
        with open(output, encoding='utf-8') as file:
            self.assertIn('SF:util/a.c\nDA:1,1\n', file.read())


class ReportTest(unittest.TestCase):

    def test_directories_below_the_goal(self):
        coverage = sample()
        self.assertEqual(report.below(coverage, ['util', 'loop'], 90), ['util'])
        self.assertEqual(report.below(coverage, ['util', 'loop'], 40), [])

    def test_a_directory_that_nothing_was_seen_of_is_below_any_goal(self):
        self.assertEqual(report.below(sample(), ['buffer'], 1), ['buffer'])

    def test_table_has_files_and_directories(self):
        text = report.table(sample(), ['util', 'loop'])
        self.assertRegex(text, r'util/a\.c +2 of +5 lines +40\.0 %')
        self.assertRegex(text, r'loop/ +1 of +1 lines +100\.0 %')

    def test_ranges_span_lines_without_code_only(self):
        self.assertEqual(report.ranges([6, 8, 12], [2, 3, 6, 8, 12]), [(6, 12)])
        self.assertEqual(report.ranges([6, 8, 12], [6, 7, 8, 12]), [(6, 6), (8, 12)])
        self.assertEqual(report.ranges([]), [])

    def test_uncovered_shows_the_text(self):
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, 'util'))
            with open(os.path.join(root, 'util/a.c'), 'w', encoding='utf-8') as file:
                file.write('\n'.join('line %d' % n for n in range(1, 13)))
            text = report.uncovered(sample(), ['util', 'loop'], root)
        self.assertIn('util/a.c: 3 lines\n  never called: second, third\n', text)
        self.assertIn('     6  line 6\n', text)
        self.assertNotIn('line 3', text)
        self.assertNotIn('loop', text)

    def test_markdown_names_functions(self):
        self.assertIn('| `util/a.c` | 5 | 2 | 40.0 % | `second` 2, `third` 1 |',
                      report.markdown(sample(), ['util', 'loop']))


if __name__ == '__main__':
    unittest.main()

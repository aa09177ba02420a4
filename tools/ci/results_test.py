#!/usr/bin/env python3
"""results.py counts what passed, and takes nothing that is missing for a pass."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # this directory is the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import results  # noqa: E402

FINISHED = {'id': {'buildFinished': {}}, 'finished': {'exitCode': {'name': 'SUCCESS'}}}
BROKEN = {'id': {'buildFinished': {}}, 'finished': {'exitCode': {'name': 'BUILD_FAILURE'}}}


def configured(label):
    return {'id': {'targetConfigured': {'label': label}}, 'configured': {'testSize': 'SMALL'}}


def completed(label, success):
    event = {'id': {'targetCompleted': {'label': label}}, 'completed': {}}
    if success:
        event['completed']['success'] = True
    return event


class ResultsTest(unittest.TestCase):

    def result(self, label, status, report):
        with tempfile.NamedTemporaryFile('w', suffix='.xml', delete=False) as file:
            file.write(report)
        self.addCleanup(os.unlink, file.name)
        return {
            'id': {'testResult': {'label': label}},
            'testResult': {
                'status': status,
                'testActionOutput': [{'name': 'test.xml', 'uri': 'file://' + file.name}],
            },
        }

    def check(self, events, passed, failed):
        count = results.count_events(events)
        self.assertEqual((count.passed, len(count.failures)), (passed, failed), count.failures)

    def test_cases(self):
        report = ('<testsuites><testsuite><testcase name="a"/><testcase name="b"/>'
                  '<testcase name="c" status="run" result="skipped"/>'
                  '<testcase name="d"><failure/></testcase></testsuite></testsuites>')
        self.check([self.result('//a', 'FAILED', report), FINISHED], 2, 1)

    def test_crash(self):
        report = '<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>'
        self.check([self.result('//a', 'TIMEOUT', report), FINISHED], 1, 1)

    def test_no_report(self):
        self.check([self.result('//a', 'PASSED', ''), FINISHED], 1, 0)
        self.check([self.result('//a', 'FAILED', ''), FINISHED], 0, 1)

    def test_did_not_build(self):
        self.check([configured('//a'), completed('//a', False), BROKEN], 0, 1)

    def test_not_for_the_platform(self):
        skipped = {'id': {'targetCompleted': {'label': '//a'}}, 'aborted': {'reason': 'SKIPPED'}}
        self.check([configured('//a'), skipped, FINISHED], 0, 0)
        self.check([configured('//a'), skipped, configured('//b'), FINISHED], 0, 1)

    def test_analysis_failed(self):
        failed = {'id': {'targetCompleted': {'label': '//a'}},
                  'aborted': {'reason': 'ANALYSIS_FAILURE'}}
        self.check([configured('//a'), failed, BROKEN], 0, 1)

    def test_did_not_run(self):
        self.check([configured('//a'), completed('//a', True), FINISHED], 0, 1)

    def test_library_did_not_build(self):
        self.check([completed('//lib', False), BROKEN], 0, 1)

    def test_build(self):
        started = {'id': {'started': {}}, 'started': {'command': 'build'}}
        self.check([started, completed('//lib', True), configured('//a'), completed('//a', True),
                    FINISHED], 2, 0)
        self.check([started, completed('//lib', True), completed('//a', False), BROKEN], 1, 1)

    def test_did_not_load(self):
        self.check([BROKEN], 0, 1)

    def test_did_not_finish(self):
        self.check([], 0, 1)

    def test_missing_file_fails(self):
        self.assertEqual(results.main(['/nonexistent/step.json']), 1)

    def test_nothing_fails(self):
        self.assertEqual(results.main([]), 1)


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/env python3
"""Counts test cases in Bazel's build event files (--build_event_json_file=FILE).

usage: results.py [--broken=N] FILE...
(N: how many failures of other kinds to add.)
Prints one line a failure, one line a file, and last `N passed, N failed`; exits 1 if anything
failed. A GoogleTest program counts as its cases, any other test as one; of `bazel build`, each
target. What did not build, or was to run and did not, counts as failed; what is not for the
platform does not count.
"""

import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree


class Count:
    """What one run of Bazel did."""

    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failures = []

    def fail(self, what):
        self.failures.append(what)


def read_events(path):
    with open(path, encoding='utf-8') as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def xml_path(result):
    for output in result.get('testActionOutput', []):
        if output.get('name') == 'test.xml' and output.get('uri', '').startswith('file://'):
            return urllib.parse.unquote(urllib.parse.urlparse(output['uri']).path)
    return None


def cases_of(path):
    """(name, 'passed' | 'failed' | 'skipped') of each case; nothing if there is no report."""
    try:
        cases = list(xml.etree.ElementTree.parse(path).getroot().iter('testcase'))
    except (OSError, TypeError, xml.etree.ElementTree.ParseError):
        return []
    found = []
    for case in cases:
        name = '.'.join(filter(None, (case.get('classname'), case.get('name'))))
        if case.find('failure') is not None or case.find('error') is not None:
            found.append((name, 'failed'))
        elif case.find('skipped') is not None or case.get('result') in ('skipped', 'suppressed') \
                or case.get('status') == 'notrun':
            found.append((name, 'skipped'))
        else:
            found.append((name, 'passed'))
    return found


def count_result(label, result, count):
    """One run of one test (or of one shard of it)."""
    cases = cases_of(xml_path(result))
    passed = result.get('status') == 'PASSED'
    failed = [name for name, state in cases if state == 'failed']
    count.passed += sum(state == 'passed' for _, state in cases)
    count.skipped += sum(state == 'skipped' for _, state in cases)
    for name in failed:
        count.fail('%s: %s' % (label, name))
    if passed and not cases:
        count.passed += 1
    if not passed and not failed:
        # It crashed or ran out of time: the cases before that passed, the test did not.
        count.fail('%s: %s' % (label, result.get('status', 'no status')))


def count_events(events):
    count = Count()
    tests, ran, done = set(), set(), {}
    is_build = False
    exit_name = 'no result: Bazel did not finish'
    for event in events:
        identity = event.get('id', {})
        if 'started' in identity:
            is_build = event.get('started', {}).get('command') == 'build'
        elif 'targetConfigured' in identity and 'testSize' in event.get('configured', {}):
            tests.add(identity['targetConfigured']['label'])
        elif 'targetCompleted' in identity:
            label = identity['targetCompleted']['label']
            if event.get('aborted', {}).get('reason') == 'SKIPPED':
                tests.discard(label)
                continue
            done[label] = event.get('completed', {}).get('success', False)
        elif 'testResult' in identity and 'testResult' in event:
            label = identity['testResult']['label']
            ran.add(label)
            count_result(label, event['testResult'], count)
        elif 'buildFinished' in identity:
            exit_name = event.get('finished', {}).get('exitCode', {}).get('name', exit_name)
    for label in sorted(label for label, success in done.items() if not success):
        count.fail('%s: did not build' % label)
    if is_build:
        count.passed = sum(done.values())
    else:
        for label in sorted(test for test in tests if test not in ran and done.get(test, True)):
            count.fail('%s: did not run' % label)
    if exit_name != 'SUCCESS' and not count.failures:
        count.fail('bazel: %s' % exit_name)
    return count


def main(arguments):
    paths = [argument for argument in arguments if not argument.startswith('--broken=')]
    broken = [int(argument[len('--broken='):]) for argument in arguments if argument not in paths]
    passed, failed = 0, sum(broken)
    for path in paths:
        try:
            count = count_events(read_events(path))
        except (OSError, ValueError) as error:
            count = Count()
            count.fail('bazel: no results: %s' % error)
        step = os.path.splitext(os.path.basename(path))[0]
        for failure in count.failures:
            print('FAILED %s: %s' % (step, failure))
        print('%s: %d passed, %d failed, %d skipped' % (
            step, count.passed, len(count.failures), count.skipped))
        passed += count.passed
        failed += len(count.failures)
    if not paths or passed + failed == 0:
        print('FAILED: nothing was tested')
        failed += 1
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

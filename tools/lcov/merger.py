#!/usr/bin/env python3
"""What `bazel coverage` runs after each test, in place of the program that it would download.

Turns the reports that collect_cc_coverage.sh leaves in --coverage_dir into one tracefile,
--output_file. Bazel's other arguments (filters) are ignored: gcov was only run for what Bazel
instrumented, and system headers have absolute names.
"""

import argparse
import gzip
import json
import os
import sys

sys.dont_write_bytecode = True  # this directory is the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import tracefile  # noqa: E402


def merge(directory):
    coverage = tracefile.Coverage()
    for parent, _, files in os.walk(directory):
        for name in sorted(files):
            if name.endswith('.gcov.json.gz'):
                with gzip.open(os.path.join(parent, name), 'rt', encoding='utf-8') as file:
                    coverage.add_gcov(json.load(file))
    return coverage


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--coverage_dir', required=True)
    parser.add_argument('--output_file', required=True)
    arguments, _ = parser.parse_known_args()
    with open(arguments.output_file, 'w', encoding='utf-8') as file:
        file.write(merge(arguments.coverage_dir).tracefile())


if __name__ == '__main__':
    main()

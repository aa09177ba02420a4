"""Line counts of source files, from gcov's JSON and from lcov's tracefiles, added up.

gcov's JSON: gcov(1), --json-format. Tracefile: geninfo(1), "FILES".
"""

import os


class Source:
    """One source file: how often each line and each function ran."""

    def __init__(self):
        self.lines = {}
        self.functions = {}  # name -> [first line, count]

    def add_line(self, number, count):
        self.lines[number] = self.lines.get(number, 0) + count

    def add_function(self, name, line, count):
        self.functions.setdefault(name, [line, 0])[1] += count

    def num_covered(self):
        return sum(1 for count in self.lines.values() if count)

    def uncovered_lines(self):
        return sorted(number for number, count in self.lines.items() if not count)

    def uncovered_functions(self):
        return sorted(name for name, (_, count) in self.functions.items() if not count)

    def function_of(self, number):
        """The function that the line belongs to; None before the first one."""
        found = None
        for name, (line, _) in self.functions.items():
            if line <= number and (found is None or line > self.functions[found][0]):
                found = name
        return found


class Coverage:
    """Source files by path. `wanted` says which paths are kept."""

    def __init__(self, wanted=lambda path: not os.path.isabs(path)):
        self.sources = {}
        self._wanted = wanted

    def source(self, path):
        path = os.path.normpath(path)
        if not self._wanted(path):
            return Source()  # counted, and forgotten
        return self.sources.setdefault(path, Source())

    def add_gcov(self, document):
        for file in document['files']:
            source = self.source(file['file'])
            for function in file['functions']:
                source.add_function(function['name'], function['start_line'],
                                    function['execution_count'])
            for line in file['lines']:
                source.add_line(line['line_number'], line['count'])

    def add_tracefile(self, text):
        source = None
        first_lines = {}
        for record in text.splitlines():
            key, _, value = record.partition(':')
            if key == 'SF':
                source = self.source(value)
                first_lines = {}
            elif key == 'FN':
                line, name = value.split(',', 1)
                first_lines[name] = int(line)
            elif key == 'FNDA':
                count, name = value.split(',', 1)
                source.add_function(name, first_lines[name], int(count))
            elif key == 'DA':
                number, count = value.split(',')[:2]
                source.add_line(int(number), int(count))

    def tracefile(self):
        records = []
        for path, source in sorted(self.sources.items()):
            records.append('SF:' + path)
            for name, (line, _) in sorted(source.functions.items()):
                records.append('FN:%d,%s' % (line, name))
            for name, (_, count) in sorted(source.functions.items()):
                records.append('FNDA:%d,%s' % (count, name))
            for number, count in sorted(source.lines.items()):
                records.append('DA:%d,%d' % (number, count))
            records.append('LF:%d' % len(source.lines))
            records.append('LH:%d' % source.num_covered())
            records.append('end_of_record')
        return ''.join(record + '\n' for record in records)

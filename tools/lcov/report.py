"""Tables of a Coverage: per directory, per file, and what no test reaches."""

import os


class Total:
    def __init__(self, sources):
        self.num_lines = sum(len(source.lines) for source in sources)
        self.num_covered = sum(source.num_covered() for source in sources)

    def percent(self):
        return 100.0 * self.num_covered / self.num_lines if self.num_lines else 0.0

    def __str__(self):
        return '%5d of %5d lines  %5.1f %%' % (self.num_covered, self.num_lines, self.percent())


def by_directory(coverage, directories):
    """[(directory, {path: source})], empty for a directory of which nothing was seen."""
    return [(directory, {
        path: source
        for path, source in sorted(coverage.sources.items())
        if os.path.dirname(path) == directory and source.lines
    }) for directory in directories]


def below(coverage, directories, goal):
    """The directories with less than `goal` percent, or with nothing at all."""
    return [
        directory for directory, sources in by_directory(coverage, directories)
        if Total(sources.values()).percent() < goal
    ]


def table(coverage, directories):
    rows = []
    for directory, sources in by_directory(coverage, directories):
        for path, source in sources.items():
            rows.append('  %-28s %s' % (path, Total([source])))
        rows.append('%-30s %s' % (directory + '/', Total(sources.values())))
    return '\n'.join(rows)


def ranges(numbers, neighbours=()):
    """[1, 2, 3, 7] -> [(1, 3), (7, 7)]. Numbers between two that are not in `neighbours`, the
    lines that have code, do not part a range."""
    result = []
    for number in numbers:
        if result and not any(result[-1][1] < other < number for other in neighbours):
            result[-1] = (result[-1][0], number)
        else:
            result.append((number, number))
    return result


def by_function(source):
    """{function: number of its uncovered lines}, in the order of the file."""
    counts = {}
    for number in source.uncovered_lines():
        name = source.function_of(number) or '(outside of functions)'
        counts[name] = counts.get(name, 0) + 1
    return counts


def uncovered(coverage, directories, root):
    """Each uncovered range with its text; functions that were never called are named first."""
    rows = []
    for _, sources in by_directory(coverage, directories):
        for path, source in sources.items():
            missing = source.uncovered_lines()
            if not missing:
                continue
            rows.append('%s: %d lines' % (path, len(missing)))
            never = source.uncovered_functions()
            if never:
                rows.append('  never called: ' + ', '.join(never))
            with open(os.path.join(root, path), encoding='utf-8') as file:
                text = file.read().split('\n')
            for first, last in ranges(missing, sorted(source.lines)):
                rows.append('  in %s:' % source.function_of(first))
                rows.extend('%6d  %s' % (number, text[number - 1])
                            for number in range(first, last + 1))
    return '\n'.join(rows)


def markdown(coverage, directories):
    rows = ['| directory | lines | covered | |', '| --- | ---: | ---: | ---: |']
    parts = by_directory(coverage, directories)
    for directory, sources in parts:
        total = Total(sources.values())
        rows.append('| `%s/` | %d | %d | %.1f %% |' %
                    (directory, total.num_lines, total.num_covered, total.percent()))
    rows += ['', '| file | lines | covered | | uncovered lines, by function |',
             '| --- | ---: | ---: | ---: | --- |']
    for _, sources in parts:
        for path, source in sources.items():
            total = Total([source])
            rows.append('| `%s` | %d | %d | %.1f %% | %s |' % (
                path, total.num_lines, total.num_covered, total.percent(),
                ', '.join('`%s` %d' % item for item in by_function(source).items())))
    return '\n'.join(rows)

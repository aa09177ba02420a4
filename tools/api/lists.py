"""The names of libevent's public API: which header declares each, and which strata lacks so far.

The two lists of names are copies of what the project was given as its contract; headers.txt sorts
them by header, missing.txt says what is still to come.
"""

import os
import re

HERE = os.path.dirname(os.path.realpath(__file__))
GIVEN = ('libevent-2.1.12-symbols.txt', 'libevent-2.2-additions.txt')
HEADERS = 'headers.txt'
MISSING = 'missing.txt'
# In headers.txt: a name that no header declares.
NO_HEADER = 'none'
# The old headers: what each of them includes.
OLD = {
    'evutil.h': ['event2/util.h'],
    'event.h': [
        'event2/buffer.h', 'event2/buffer_compat.h', 'event2/bufferevent.h',
        'event2/bufferevent_compat.h', 'event2/event.h', 'event2/event_compat.h', 'event2/tag.h',
        'event2/util.h',
    ],
    'evhttp.h': ['event2/http.h', 'event2/http_compat.h', 'event2/event.h'],
}


class ListError(Exception):
    """The lists contradict each other."""


def _lines(name):
    with open(os.path.join(HERE, name), encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if line and not line.startswith('#'):
                yield number, line


def given():
    """Every name that strata is to have."""
    return [line for name in GIVEN for _, line in _lines(name)]


def headers():
    """Header -> its names."""
    found = {}
    header = None
    for number, line in _lines(HEADERS):
        if line.startswith('['):
            header = line.strip('[]')
            found[header] = []
        elif header is None:
            raise ListError('%s:%d: a name before the first [header]' % (HEADERS, number))
        else:
            found[header].append(line)
    return found


def missing():
    """Name -> why strata does not have it yet."""
    found = {}
    for number, line in _lines(MISSING):
        name, _, reason = line.partition(' ')
        if not reason.strip():
            raise ListError('%s:%d: %s: no reason' % (MISSING, number, name))
        if name in found:
            raise ListError('%s:%d: %s: twice' % (MISSING, number, name))
        found[name] = reason.strip()
    return found


def check():
    """Raises ListError unless each given name has one header, and missing.txt names none but those."""
    names = given()
    sorted_names = [name for section in headers().values() for name in section]
    for name in sorted(set(names) ^ set(sorted_names)):
        raise ListError('%s is not both in %s and in %s' % (name, ' or '.join(GIVEN), HEADERS))
    if len(sorted_names) != len(set(sorted_names)):
        raise ListError('%s has a name twice' % HEADERS)
    for name in missing():
        if name not in sorted_names:
            raise ListError('%s: %s is not a name of libevent\'s' % (MISSING, name))


def present():
    """Header -> the names that it has to declare now; the headers that have none are left out."""
    absent = missing()
    found = {}
    for header, names in headers().items():
        names = [name for name in names if name not in absent]
        if names and header != NO_HEADER:
            found[header] = names
    for header, parts in OLD.items():
        found[header] = [name for part in parts for name in found.get(part, [])]
    return found


def identifier(header):
    return re.sub(r'\W', '_', header)

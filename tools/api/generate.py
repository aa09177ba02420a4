#!/usr/bin/env python3
"""Writes C that takes the address of every function of libevent's API that strata has.

usage: generate.py HEADER          one header's functions; includes that header and no other
       generate.py --all HEADER... a table of what these runs wrote, which have to be all headers
"""

import os
import sys

sys.dont_write_bytecode = True  # this directory is the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import lists  # noqa: E402

ONE = '''/* Written by tools/api/generate.py. An error here: <%(header)s> has to declare that name, or
 * tools/api/missing.txt has to say why it does not. */
#include <%(header)s>

#include "tools/api/symbol.h"

static const struct api_symbol symbols[] = {
%(lines)s
};
const struct api_header api_%(identifier)s = {
    "%(header)s", symbols, sizeof(symbols) / sizeof(symbols[0])};
'''

ALL = '''/* Written by tools/api/generate.py. */
#include "tools/api/symbol.h"

%(declarations)s

const struct api_header *const api_headers[] = {
%(lines)s
    0};
'''


def one(header):
    names = lists.present().get(header)
    if not names:
        raise lists.ListError('nothing of <%s> is in strata, says %s' % (header, lists.MISSING))
    return ONE % {
        'header': header,
        'identifier': lists.identifier(header),
        'lines': '\n'.join('    {"%s", (uintptr_t)&%s},' % (name, name) for name in names),
    }


def every(headers):
    wrong = sorted(set(headers) ^ set(lists.present()))
    if wrong:
        raise lists.ListError(
            'HEADERS of tools/api/BUILD has to list the headers that strata has, no other: %s' %
            ' '.join(wrong))
    names = ['api_' + lists.identifier(header) for header in headers]
    return ALL % {
        'declarations': '\n'.join('extern const struct api_header %s;' % name for name in names),
        'lines': '\n'.join('    &%s,' % name for name in names),
    }


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    try:
        lists.check()
        text = every(arguments[1:]) if arguments[0] == '--all' else one(arguments[0])
    except lists.ListError as error:
        sys.exit('tools/api: %s' % error)
    sys.stdout.write(text)


if __name__ == '__main__':
    main(sys.argv[1:])

"""Which names strata's libraries may define, and which they do."""

import os
import subprocess

PREFIXES = ('strata_', 'bufferevent_', 'ev')
# libev's, with which benchmarks link.
NOT_OURS = ('ev_',)
# Made by the compiler (ASan's checks for one definition, C++'s personality and the like).
COMPILERS = ('__odr_asan', '__asan', '__tsan', '__ubsan', '__llvm', '__sanitizer', 'DW.ref.')
LIST = os.path.join(os.path.dirname(os.path.realpath(__file__)), 'public_symbols.txt')


def public_names():
    with open(LIST, encoding='utf-8') as file:
        names = [line.strip() for line in file if line.strip() and not line.startswith('#')]
    return frozenset(names)


def defined_names(archive):
    """(member, name) of each global symbol that an archive or object defines."""
    output = subprocess.run(['nm', '-A', '-g', '--defined-only', '-P', archive], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        member, _, rest = line.partition(': ')
        fields = rest.split()
        if fields:
            yield member, fields[0]


def is_allowed(name, public):
    if name in public or name.startswith(COMPILERS):
        return True
    return name.startswith(PREFIXES) and not name.startswith(NOT_OURS)


def violations(archives):
    """(one line a violation, the number of names seen)"""
    public = public_names()
    found = []
    num_names = 0
    for archive in archives:
        for member, name in defined_names(archive):
            num_names += 1
            if not is_allowed(name, public):
                found.append('%s: %s' % (member, name))
    return found, num_names

"""Which layer may include from which, and what in a source tree breaks that.

The table is ARCHITECTURE.md's; this file is where it is enforced. A header belongs to the layer
whose directory holds it, whether it is named by its path from the root ("loop/timer_heap.h") or as
a public header (<event2/event.h>, found in some layer's include/).
"""

import os
import re

LAYERS = {
    'util': [],
    'buffer': ['util'],
    'loop': ['util'],
    'backends': ['loop', 'util'],
    'net': ['buffer', 'loop', 'util'],
    'http': ['net', 'buffer', 'loop', 'util'],
    'dns': ['http', 'net', 'buffer', 'loop', 'util'],
    'tls': ['http', 'net', 'buffer', 'loop', 'util'],
    'rpc': ['http', 'net', 'buffer', 'loop', 'util'],
}
# The old one-file headers of the root package (include/event.h), which include several layers.
ROOT_LAYER = 'include'
# Directories that may use anything, and that no layer may use.
FREE = ['fuzz', 'bench', 'samples', 'third_party', 'tools', 'docs']
# What the tests of a layer may use besides: a base has to come from somewhere.
TESTS_MAY_USE = {
    'loop': ['backends'],
    'net': ['backends'],
    'http': ['backends'],
    'dns': ['backends'],
    'tls': ['backends'],
    'rpc': ['backends'],
}

SOURCE_SUFFIXES = ('.c', '.cc', '.cpp', '.h', '.hh', '.hpp', '.inc', '.S')
TEST_FILE = re.compile(r'(_test|_testing|_test_util|_conformance|_fuzz)\.(c|cc|h)$')
LIBEVENT_HEADER = re.compile(r'^(event2/.*|event|evdns|evhttp|evrpc|evutil)(\.h)?$')
INCLUDE = re.compile(r'^[ \t]*#[ \t]*(?:include|include_next|import)\b[ \t]*(.*?)[ \t]*$', re.M)
CONDITIONAL = re.compile(r'^[ \t]*#[ \t]*(if|ifdef|ifndef|else|elif|endif)\b')
_ORACLE = r'(?:defined[ \t]*\(?[ \t]*)?STRATA_ORACLE[ \t]*\)?[ \t]*(?://.*)?$'
FOR_ORACLE = re.compile(r'^[ \t]*#[ \t]*(?:ifdef|if)[ \t]+' + _ORACLE)
NOT_FOR_ORACLE = re.compile(r'^[ \t]*#[ \t]*(?:ifndef[ \t]+|if[ \t]+![ \t]*)' + _ORACLE)
NAMED = re.compile(r'^(?:"([^"]+)"|<([^>]+)>)')
COMMENT = re.compile(r'/\*.*?\*/', re.S)


def source_files(root):
    """Every C or C++ file below root, as paths from it; without Bazel's links and hidden files."""
    found = []
    for directory, subdirectories, files in os.walk(root):
        subdirectories[:] = [
            name for name in subdirectories
            if not name.startswith(('.', 'bazel-')) and name != 'node_modules'
        ]
        for name in files:
            if name.endswith(SOURCE_SUFFIXES):
                found.append(os.path.relpath(os.path.join(directory, name), root))
    return sorted(found)


def without_oracle(text):
    """The text without what only the installed libevent's build of a test sees, lines kept."""
    kept = []
    opened = []  # the lines of the open #ifs
    hidden = []  # an entry an open #if: is this arm for the oracle alone?
    for line in text.split('\n'):
        directive = CONDITIONAL.match(line)
        word = directive.group(1) if directive else None
        if word in ('if', 'ifdef', 'ifndef'):
            hidden.append(bool(FOR_ORACLE.match(line)))
            opened.append(line)
        elif word in ('else', 'elif') and hidden:
            hidden[-1] = word == 'else' and bool(NOT_FOR_ORACLE.match(opened[-1]))
        elif word == 'endif' and hidden:
            hidden.pop()
            opened.pop()
        kept.append('' if any(hidden) else line)
    return '\n'.join(kept)


def includes(text):
    """(line number, what follows #include) of each include in the text of a file."""
    text = text.replace('\\\n', ' ')
    text = COMMENT.sub(lambda match: '\n' * match.group(0).count('\n') or ' ', text)
    text = without_oracle(text)
    for match in INCLUDE.finditer(text):
        yield text.count('\n', 0, match.start()) + 1, match.group(1)


class Tree:
    """A source tree and the rules it is held to."""

    def __init__(self, root):
        self.root = root
        self.files = source_files(root)
        self.known = set(self.files)
        self.num_checked = 0

    def _public_header(self, name):
        for layer in list(LAYERS) + ['.']:
            path = os.path.normpath(os.path.join(layer, 'include', name))
            if path in self.known:
                return path
        return None

    def _resolve(self, including, name, quoted):
        """The path from the root of the header, or None if it is not in the tree."""
        if quoted:
            beside = os.path.normpath(os.path.join(os.path.dirname(including), name))
            if beside in self.known:
                return beside
        if os.path.normpath(name) in self.known:
            return os.path.normpath(name)
        return self._public_header(name)

    def _may_use(self, path):
        layer = path.split(os.sep)[0]
        if layer == ROOT_LAYER:
            return [ROOT_LAYER] + list(LAYERS)
        allowed = [layer] + LAYERS[layer]
        if TEST_FILE.search(path):
            allowed += TESTS_MAY_USE.get(layer, []) + ['tools']
        return allowed

    def _check_include(self, path, what):
        named = NAMED.match(what)
        if not named:
            return 'includes a macro, which cannot be checked: ' + what
        name = named.group(1) or named.group(2)
        if os.path.isabs(name):
            return 'includes by absolute path: ' + name
        target = self._resolve(path, name, named.group(1) is not None)
        if target is None:
            if LIBEVENT_HEADER.match(name):
                return 'includes <%s>, which no layer of strata has' % name
            # <net/if.h> is the system's.
            if named.group(1) and name.split('/')[0] in LAYERS:
                return 'includes "%s", which does not exist' % name
            return None
        if path.split(os.sep)[0] in FREE:
            return None
        target_layer = target.split(os.sep)[0]
        if target_layer not in self._may_use(path):
            return 'includes "%s" of %s/, which %s/ may not use' % (
                name, target_layer, path.split(os.sep)[0])
        return None

    def violations(self):
        """One line a violation; counts the files that it read in num_checked."""
        found = []
        for path in self.files:
            top = path.split(os.sep)[0]
            if top == 'third_party':
                continue
            if top not in LAYERS and top not in FREE and top != ROOT_LAYER:
                found.append('%s: no layer is called %s (tools/guards/layering.py)' % (path, top))
                continue
            with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as file:
                text = file.read()
            self.num_checked += 1
            for line, what in includes(text):
                wrong = self._check_include(path, what)
                if wrong:
                    found.append('%s:%d: %s' % (path, line, wrong))
        return found


def workspace_root(test_file):
    """The source tree that a test belongs to: Bazel's runfiles are links into it.

    A guard that reads the tree itself sees also what no BUILD file mentions. It fails here, rather
    than passing with nothing read, where the links have been replaced by copies.
    """
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(test_file))))
    for landmark in ('WORKSPACE', 'util/BUILD', 'tools/guards/layering.py'):
        if not os.path.exists(os.path.join(root, landmark)):
            raise SystemExit('%s is not the source tree: it has no %s' % (root, landmark))
    return root

#!/usr/bin/env python3
"""No layer includes a header from a layer that it may not use (and this test can tell)."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # this directory is the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import layering  # noqa: E402


def violations_of(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                file.write(text)
        return layering.Tree(root).violations()


class PlantedTest(unittest.TestCase):
    """Trees that break one rule each, and their neighbours that do not."""

    TREE = {
        'util/memory.h': '',
        'util/include/event2/util.h': '',
        'buffer/chain.h': '',
        'buffer/include/event2/buffer.h': '#include <event2/util.h>\n',
        'loop/heap.h': '',
        'loop/include/event2/event.h': '',
        'backends/registry.h': '',
        'net/include/event2/bufferevent.h': '',
        'include/event.h': '#include <event2/bufferevent.h>\n#include <event2/event.h>\n',
    }

    def check(self, path, text, expected):
        found = violations_of({**self.TREE, path: text})
        self.assertEqual(len(found), 1 if expected else 0, found)
        if expected:
            self.assertIn(expected, found[0])
            self.assertIn(path, found[0])

    def test_downwards_is_allowed(self):
        self.check('net/socket.c', '#include <event2/event.h>\n#include "buffer/chain.h"\n'
                   '#include <stdio.h>\n#include "util/memory.h"\n', None)

    def test_internal_header_from_above(self):
        self.check('buffer/chain.c', '#include "loop/heap.h"\n', 'loop/, which buffer/ may not')

    def test_public_header_from_above(self):
        self.check('buffer/chain.c', '#include <event2/bufferevent.h>\n', 'net/, which buffer/')

    def test_public_header_in_quotes(self):
        self.check('util/x.c', '#include "event2/buffer.h"\n', 'buffer/, which util/')

    def test_by_relative_path(self):
        self.check('loop/base.c', '#include "../net/include/event2/bufferevent.h"\n', 'net/')

    def test_in_a_header(self):
        self.check('loop/base.h', ' # include  "buffer/chain.h" // why\n', 'buffer/')

    def test_root_header_from_a_layer(self):
        self.check('net/x.c', '#include <event.h>\n', 'include/, which net/')

    def test_test_may_use_backends(self):
        self.check('net/x_test.cc', '#include "backends/registry.h"\n', None)
        self.check('net/x.c', '#include "backends/registry.h"\n', 'backends/, which net/')

    def test_test_may_not_use_what_is_above(self):
        self.check('buffer/x_test.cc', '#include <event2/event.h>\n', 'loop/, which buffer/')

    def test_header_that_no_layer_has(self):
        self.check('samples/x.c', '#include <event2/dns.h>\n', 'no layer of strata has')

    def test_internal_header_that_does_not_exist(self):
        self.check('net/x.c', '#include "loop/gone.h"\n', 'does not exist')

    def test_system_directory_of_a_layers_name(self):
        self.check('util/x.c', '#include <net/if.h>\n', None)

    def test_absolute_path(self):
        self.check('bench/x.cc', '#include "/usr/include/event2/event.h"\n', 'absolute')

    def test_computed_include(self):
        self.check('net/x.c', '#include HEADER\n', 'macro')

    def test_comment_is_not_an_include(self):
        self.check('buffer/x.c', '/*\n#include "loop/heap.h"\n*/\n', None)

    def test_what_only_the_oracle_sees(self):
        for opened in ('#ifdef STRATA_ORACLE', '#if defined(STRATA_ORACLE)', '#if STRATA_ORACLE'):
            self.check('util/x_test.cc', opened + '\n#include <event2/event.h>\n#endif\n', None)
            self.check('util/x_test.cc', opened + '\n#else\n#include <event2/event.h>\n#endif\n',
                       'loop/, which util/')
            self.check('util/x_test.cc', opened + '\n#endif\n#include <event2/event.h>\n',
                       'loop/, which util/')
        self.check('util/x_test.cc',
                   '#ifndef STRATA_ORACLE\n#else\n#include <event2/event.h>\n#endif\n', None)
        self.check('util/x_test.cc', '#ifndef STRATA_ORACLE\n#include <event2/event.h>\n#endif\n',
                   'loop/, which util/')

    def test_unknown_directory(self):
        self.check('extra/x.c', '', 'no layer is called extra')

    def test_line_number(self):
        found = violations_of({**self.TREE, 'util/x.c': '/* a\n b */\n#include "loop/heap.h"\n'})
        self.assertIn('util/x.c:3:', found[0])


class TreeTest(unittest.TestCase):

    def test_this_tree(self):
        tree = layering.Tree(layering.workspace_root(__file__))
        found = tree.violations()
        self.assertEqual(found, [], '\n' + '\n'.join(found))
        layers = {path.split(os.sep)[0] for path in tree.files}
        self.assertGreater(tree.num_checked, 10, 'hardly a file was read')
        self.assertLessEqual({'util', 'buffer', 'loop', 'backends', 'net', 'http'}, layers)
        print('%d files read' % tree.num_checked)


if __name__ == '__main__':
    unittest.main()

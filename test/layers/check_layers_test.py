#!/usr/bin/env python3
"""Shows that check_layers.py can fail: every rule with a planted breach.

Run: test/layers/check_layers_test.py
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import check_layers  # noqa: E402

TABLE = """
layer 0: base
layer 1: net
layer 2: budget catalog vault
layer 3: api store
layer 4: relay
reach 1: 0
reach 2: 0 1
reach 3: 0 1 2
reach 4: 0 1 2
never api -> net
edge budget -> catalog
edge relay -> api/dialect.h
external sqlite3.h: store
"""

SOUND = {
    "base/money.h": "#pragma once\n#include <cstdint>\n",
    "net/socket.h": '#include "base/money.h"\n',
    "budget/ledger.h": '#include "base/money.h"\n#include "catalog/price.h"\n',
    "catalog/price.h": '#include "base/money.h"\n',
    "vault/vault.h": '#include "base/money.h"\n',
    "api/dialect.h": '#include "budget/ledger.h"\n',
    "api/openai/reader.h": '#include "api/dialect.h"\n',
    "store/database.cpp": '#include <sqlite3.h>\n#include "budget/ledger.h"\n',
    "relay/relay.cpp": '#include "api/dialect.h"\n#include "net/socket.h"\n',
}


class CheckLayers(unittest.TestCase):
    def wrong(self, changed: dict[str, str], table: str = TABLE) -> str:
        """All that is found wrong in a sound tree after `changed`."""
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder)
            for name, text in (SOUND | changed).items():
                path = source / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            results = check_layers.check(check_layers.read_table(table), source)
        return "\n".join(reason for _, reasons in results for reason in reasons)

    def test_a_sound_tree_passes(self) -> None:
        self.assertEqual(self.wrong({}), "")

    def test_a_lower_room_must_not_include_a_higher_one(self) -> None:
        found = self.wrong({"vault/vault.cpp": '// A comment.\n#include "relay/relay.h"\n'})
        self.assertIn("src/vault/vault.cpp:2 includes relay/relay.h", found)

    def test_siblings_must_not_include_each_other(self) -> None:
        self.assertIn("store/s.h", self.wrong({"store/s.h": '#include "api/dialect.h"\n'}))

    def test_an_edge_goes_one_way_only(self) -> None:
        self.assertIn("catalog/back.h", self.wrong({"catalog/back.h": '#include "budget/ledger.h"\n'}))

    def test_an_edge_to_a_header_opens_that_header_only(self) -> None:
        found = self.wrong({"relay/more.cpp": '#include "api/openai/reader.h"\n'})
        self.assertIn("includes api/openai/reader.h", found)

    def test_never_takes_away_what_a_layer_gives(self) -> None:
        self.assertIn("api/s.cpp", self.wrong({"api/s.cpp": '#include "net/socket.h"\n'}))

    def test_a_stale_edge_is_found(self) -> None:
        found = self.wrong({"budget/ledger.h": '#include "base/money.h"\n'})
        self.assertIn("no file of budget uses it", found)

    def test_an_edge_that_a_layer_gives_anyway_is_stale(self) -> None:
        self.assertIn("no file of store uses it", self.wrong({}, TABLE + "edge store -> budget\n"))

    def test_a_library_stays_in_its_room(self) -> None:
        found = self.wrong({"vault/rows.cpp": "#include <sqlite3.h>\n"})
        self.assertIn("only store may", found)

    def test_a_stale_library_is_found(self) -> None:
        self.assertIn("store does not", self.wrong({"store/database.cpp": '#include "budget/ledger.h"\n'}))

    def test_an_unknown_room_is_found(self) -> None:
        self.assertIn("src/shed is a room", self.wrong({"shed/tool.h": "#include <cstdint>\n"}))

    def test_a_room_that_is_gone_is_found(self) -> None:
        self.assertIn("src/attic", self.wrong({}, TABLE + "layer 5: attic\n"))

    def test_a_test_may_use_a_neighbour_but_nothing_above(self) -> None:
        self.assertEqual(self.wrong({"vault/vault_test.cpp": '#include "budget/ledger.h"\n'}), "")
        self.assertIn("vault_test", self.wrong({"vault/vault_test.cpp": '#include "relay/relay.h"\n'}))

    def test_spaces_do_not_hide_an_include(self) -> None:
        self.assertIn("hidden.h:1", self.wrong({"net/hidden.h": '  #  include   "relay/relay.h"\n'}))

    def test_a_table_that_nobody_can_read_is_refused(self) -> None:
        for line in ("edge budget catalog", "layer 3: base", "edge budget -> moon"):
            with self.assertRaises(check_layers.TableError):
                check_layers.read_table(TABLE + line)


if __name__ == "__main__":
    unittest.main()

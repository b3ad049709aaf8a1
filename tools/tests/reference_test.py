#!/usr/bin/env python3
"""That docs/reference/configuration.md tells of every setting that there is, and of no other:
each key, its default, and whether it needs a restart, as `claviger init` writes them.

Run: tools/tests/reference_test.py
"""

from __future__ import annotations

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRITTEN_BY_INIT = ROOT / "src" / "server" / "default_config.cpp"
PAGE = ROOT / "docs" / "reference" / "configuration.md"

Settings = dict[str, tuple[str, bool]]  # "section.key" → default, and whether it needs a restart


def settings_of_server() -> Settings:
    found: Settings = {}
    section = ""
    for line in WRITTEN_BY_INIT.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"# (\w+) = (\"[^\"]*\"|\[[^\]]*\]|[\w.]+)\s*(?:#\s*(.*))?$", line):
            found[f"{section}.{match[1]}"] = (match[2], "(restart)" in (match[3] or ""))
    return found


def settings_of_page() -> Settings:
    found: Settings = {}
    section = ""
    for line in PAGE.read_text().splitlines():
        if match := re.fullmatch(r"## `\[(\w+)\]`", line):
            section = match[1]
        elif line.startswith("## "):
            section = ""
        elif section and (match := re.match(r"\| `(\w+)` \| `([^`]*)` \| (restart)? ?\|", line)):
            found[f"{section}.{match[1]}"] = (match[2], match[3] is not None)
    return found


class Configuration(unittest.TestCase):
    maxDiff = None

    def test_the_page_has_every_setting_with_its_default(self) -> None:
        server = settings_of_server()
        self.assertGreater(len(server), 20, "the settings could not be read from the source")
        # The example in the text of `egress.allow` is no default.
        server["egress.allow"] = ("[]", server["egress.allow"][1])
        self.assertEqual(settings_of_page(), server)


if __name__ == "__main__":
    unittest.main()

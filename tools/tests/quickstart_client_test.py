#!/usr/bin/env python3
"""The parts of tools/quickstart that read what others write.

Run: tools/tests/quickstart_client_test.py
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import quickstart_client  # noqa: E402


class Settings(unittest.TestCase):
    def local(self, text: str) -> dict[str, object]:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "claviger.toml"
            file.write_text(text)
            quickstart_client.allow_missing(file, ["landlock", "network"])
            return tomllib.loads(file.read_text())

    def test_it_is_set_wherever_it_stands(self) -> None:
        for text in (
            "",
            "[server]\nlisten = 1\n",
            "[local]\n# sandbox_allow_missing = []\nthreads = 2\n[server]\n",
            "[local]\nsandbox_allow_missing = [\"cpu\"]\n",
            "# [local]\n# sandbox_allow_missing = []\n[server]\nlisten = 1\n",
            "[local]\nthreads = 2\n",
        ):
            with self.subTest(text):
                self.assertEqual(self.local(text)["local"]["sandbox_allow_missing"], ["landlock", "network"])

    def test_other_settings_stay(self) -> None:
        self.assertEqual(self.local("[server]\nlisten = 1\n")["server"], {"listen": 1})


class Answers(unittest.TestCase):
    def test_only_problems_of_the_sandbox_count(self) -> None:
        findings = [
            {"level": "problem", "subject": "sandbox: landlock", "message": "no"},
            {"level": "good", "subject": "sandbox: seccomp", "message": "yes"},
            {"level": "problem", "subject": "root key", "message": "no"},
        ]
        self.assertEqual(quickstart_client.sandbox_missing({"findings": findings}), ["landlock"])

    def test_a_model_is_found_by_its_file(self) -> None:
        listed = [{"name": "other", "path": "/m/other.gguf"}, {"name": "smol", "path": "/m/smol.gguf"}]
        self.assertEqual(quickstart_client.local_model(listed, "/m/smol.gguf"), "local/smol")
        self.assertEqual(quickstart_client.local_model(listed, "/m/none.gguf"), "")

    def test_an_error_is_said_with_its_remedy(self) -> None:
        body = b'{"error": {"message": "Budget exhausted.", "claviger": {"remedy": "Raise the limit."}}}'
        self.assertEqual(quickstart_client.explain(402, body), "Budget exhausted. Raise the limit.")
        self.assertIn("502", quickstart_client.explain(502, b"<html>"))


if __name__ == "__main__":
    unittest.main()

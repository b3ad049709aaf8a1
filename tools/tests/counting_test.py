#!/usr/bin/env python3
"""That tools/test counts what was said, and that silence and crashes are failures.

Run: tools/tests/counting_test.py
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from test_counting import count_gtest, count_lines, count_status  # noqa: E402

NO_REPORT = pathlib.Path("/nonexistent/report.json")


class Lines(unittest.TestCase):
    def test_each_line_is_one_test(self) -> None:
        count = count_lines("e2e", 1, "hello\nok a\nok b\nnot ok c: saw 1, expected 2\n# skipped d: no GPU\n")
        self.assertEqual(count.passed, 2)
        self.assertEqual(count.failed, ["c: saw 1, expected 2"])
        self.assertEqual(count.notes, ["skipped d: no GPU"])

    def test_a_program_that_says_nothing_has_failed(self) -> None:
        self.assertEqual(len(count_lines("e2e", 0, "hello\n").failed), 1)

    def test_a_bad_end_is_a_failure_even_where_all_was_ok(self) -> None:
        count = count_lines("e2e", -11, "ok a\n")
        self.assertEqual((count.passed, len(count.failed)), (1, 1))
        self.assertIn("signal 11", count.failed[0])


class GoogleTest(unittest.TestCase):
    def count(self, tests: list[dict[str, object]], status: int = 0, output: str = ""):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            report.write_text(json.dumps({"testsuites": [{"name": "Ledger", "testsuite": tests}]}))
            return count_gtest("budget_test", status, output, report)

    def test_the_report_is_counted(self) -> None:
        count = self.count(
            [
                {"name": "Holds", "status": "RUN", "result": "COMPLETED"},
                {"name": "Waits", "status": "RUN", "result": "SKIPPED"},
                {"name": "Off", "status": "NOTRUN", "result": "SUPPRESSED"},
                {"name": "Leaks", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "x.cpp:3\nwrong"}]},
            ],
            status=1,
        )
        self.assertEqual(count.passed, 1)
        self.assertEqual(count.failed, ["budget_test: Ledger.Leaks: x.cpp:3 wrong"])
        self.assertEqual(count.notes, ["skipped budget_test: Ledger.Waits"])

    def test_what_a_sanitizer_finds_at_the_end_is_a_failure(self) -> None:
        passed = [{"name": "Holds", "status": "RUN", "result": "COMPLETED"}]
        count = self.count(passed, status=66, output="==1==WARNING: ThreadSanitizer: data race\n")
        self.assertEqual((count.passed, len(count.failed)), (1, 1))
        self.assertIn("data race", count.failed[0])

    def test_no_test_at_all_is_a_failure(self) -> None:
        self.assertEqual(len(self.count([]).failed), 1)

    def test_a_crash_names_the_test_that_it_was_in(self) -> None:
        output = "[ RUN      ] A.Fine\n[       OK ] A.Fine (0 ms)\n[ RUN      ] A.Boom\n"
        count = count_gtest("net_test", -6, output, NO_REPORT)
        self.assertEqual((count.passed, len(count.failed)), (1, 1))
        self.assertIn("signal 6 in A.Boom", count.failed[0])


class Status(unittest.TestCase):
    def test_only_zero_passes(self) -> None:
        self.assertEqual(count_status("x", 0).passed, 1)
        self.assertEqual(len(count_status("x", 2).failed), 1)


if __name__ == "__main__":
    unittest.main()

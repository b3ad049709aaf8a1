"""What tools/test counts: what a test program said, turned into names of passed and failed tests.

Three kinds of test programs: GoogleTest binaries (their JSON report, or their output where a
crash left no report), programs that print `ok NAME` and `not ok NAME: why`, and commands whose
exit status is all that they say. A program that runs no test at all has failed: silence is
how a broken test hides.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)  # "NAME: why", one line each
    notes: list[str] = dataclasses.field(default_factory=list)  # skipped, out of time, …

    def add(self, other: Count) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.notes += other.notes


def how_it_ended(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"status {status}"


def one_line(text: str, characters_max: int = 400) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters_max else line[: characters_max - 1] + "…"


def count_status(name: str, status: int, output: str = "") -> Count:
    """A command that is one test."""
    if status == 0:
        return Count(passed=1)
    return Count(failed=[f"{name}: {how_it_ended(status)}: {one_line(output[-400:])}"])


def count_lines(name: str, status: int, output: str) -> Count:
    """A program that prints `ok …` and `not ok …`."""
    count = Count()
    for line in output.splitlines():
        if line.startswith("ok "):
            count.passed += 1
        elif line.startswith("not ok "):
            count.failed.append(line.removeprefix("not ok "))
        elif line.startswith("# skipped "):
            count.notes.append(line.removeprefix("# "))
    if status != 0 and not count.failed:
        count.failed.append(f"{name}: {how_it_ended(status)} without saying what failed")
    if count.passed + len(count.failed) + len(count.notes) == 0:
        count.failed.append(f"{name}: it ran no test")
    return count


def count_gtest(name: str, status: int, output: str, report: pathlib.Path) -> Count:
    """A GoogleTest program, from its JSON report where it lived to write one."""
    if not report.is_file():
        return _count_crashed_gtest(name, status, output)
    count = Count()
    for suite in json.loads(report.read_text(errors="replace")).get("testsuites", []):
        for test in suite.get("testsuite", []):
            full = f"{name}: {suite['name']}.{test['name']}"
            if test.get("result") == "SKIPPED":
                count.notes.append(f"skipped {full}")
            elif test.get("failures"):
                count.failed.append(f"{full}: {one_line(test['failures'][0].get('failure', ''))}")
            elif test.get("status") == "RUN":
                count.passed += 1
    # A sanitizer that found something, or a leak, after every test was well.
    if status != 0 and not count.failed:
        count.failed.append(f"{name}: {how_it_ended(status)} although each test passed: {_sanitizer_says(output)}")
    if count.passed + len(count.failed) + len(count.notes) == 0:
        count.failed.append(f"{name}: it ran no test")
    return count


def _count_crashed_gtest(name: str, status: int, output: str) -> Count:
    started = re.findall(r"^\[ RUN      \] (\S+)", output, re.MULTILINE)
    passed = set(re.findall(r"^\[       OK \] (\S+)", output, re.MULTILINE))
    failed = re.findall(r"^\[  FAILED  \] (\S+) \(", output, re.MULTILINE)
    skipped = set(re.findall(r"^\[  SKIPPED \] (\S+)", output, re.MULTILINE))
    count = Count(passed=len(passed), failed=[f"{name}: {test}" for test in failed])
    unfinished = [test for test in started if test not in passed | skipped | set(failed)]
    place = f" in {unfinished[-1]}" if unfinished else ""
    count.failed.append(f"{name}: {how_it_ended(status)}{place}: {_sanitizer_says(output)}")
    return count


def _sanitizer_says(output: str) -> str:
    found = re.search(r"^.*(?:ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*$", output, re.MULTILINE)
    return one_line(found[0] if found else output[-300:])

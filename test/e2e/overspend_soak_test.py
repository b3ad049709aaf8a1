#!/usr/bin/env python3
"""The limit under a crowd and under kill -9: a short run of test/soak/overspend, and the proof
that it can fail: a server whose counter is written after the call overspends before its eyes.

Run: test/e2e/overspend_soak_test.py
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator

from harness import BUILD, ROOT, Checks, Skip, binary

sys.path.insert(0, str(ROOT / "test" / "soak" / "overspend"))

import soak

SEED = 20261125
KILLS = 4


def say(line: str) -> None:
    print(f"# {line}", flush=True)


def counting_server() -> pathlib.Path:
    for folder in (binary().parent, BUILD / "dev"):
        candidate = folder / "test" / "soak" / "overspend" / "counting-server"
        if candidate.is_file():
            return candidate
    raise Skip("no counting-server; build the target counting_server of the dev preset")


@contextlib.contextmanager
def server_is(program: pathlib.Path) -> Iterator[None]:
    before = os.environ.get("CLAVIGER_BINARY")
    os.environ["CLAVIGER_BINARY"] = str(program)
    try:
        yield
    finally:
        os.environ.pop("CLAVIGER_BINARY")
        if before is not None:
            os.environ["CLAVIGER_BINARY"] = before


def main() -> int:
    checks = Checks("overspend_soak")
    with checks.story("the real ledger"):
        soak.check(checks, soak.Options(seed=SEED, kills=KILLS), say)
    with checks.story("a counter after the call"), server_is(counting_server()):
        options = soak.Options(seed=SEED, kills=KILLS)
        report = soak.soak(options, say)
        for line in report.lines():
            say(line)
        found = "\n".join(report.violations)
        checks.check("a counter that is written after the call is seen to overspend", "beyond the limit" in found, found)
        checks.check("and to forget what a crash interrupted", "is not counted" in found, found)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())

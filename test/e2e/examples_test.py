#!/usr/bin/env python3
"""The programs in examples/ do what they say, as they stand there.

Run: test/e2e/examples_test.py   (needs npm, curl, CLAVIGER_RUNNER and CLAVIGER_TEST_MODEL)
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import real_model
import sdks
from harness import ROOT, Checks
from real_model import RealModel

EXAMPLES = ROOT / "examples"
SECONDS_MAX = 120


def run(world: RealModel, key: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CLAVIGER_BASE_URL": world.server.base_url, "CLAVIGER_API_KEY": key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def main() -> int:
    checks = Checks("examples")
    with checks.story("the examples"), real_model.running() as world:
        python = str(sdks.python())
        with checks.story("stream.py"):
            said = run(world, world.key, [python, str(EXAMPLES / "stream.py")])
            checks.matches(
                "stream.py prints an answer and its cost", said.stdout + said.stderr, r"\w.*\d+ tokens, \$0\.0000\d+"
            )
        with checks.story("stream.sh"):
            said = run(world, world.key, ["sh", str(EXAMPLES / "stream.sh")])
            checks.matches(
                "stream.sh prints the events and the cost",
                said.stdout + said.stderr,
                r'data: .*"cost": ?0\.0000\d+.*\[DONE\]',
            )
        with checks.story("stream.mjs"), tempfile.TemporaryDirectory() as folder:
            # As a reader would: the program beside its node_modules.
            node, packages = sdks.node()
            program = pathlib.Path(folder) / "stream.mjs"
            shutil.copy(EXAMPLES / "stream.mjs", program)
            (program.parent / "node_modules").symlink_to(packages / "node_modules")
            said = run(world, world.key, [str(node), str(program)])
            checks.matches(
                "stream.mjs prints an answer and its cost", said.stdout + said.stderr, r"\w.*\d+ tokens, \$0\.0000\d+"
            )
        with checks.story("budget_aware.py"):
            program = str(EXAMPLES / "budget_aware.py")
            said = run(world, world.key, [python, program])
            checks.matches(
                "budget_aware.py prints what is left", said.stdout + said.stderr, r"cost \$0\.\d+, left \$0\.\d+"
            )
            said = run(world, world.poor_key, [python, program])
            checks.matches(
                "and the owner's limit where that is reached",
                said.stdout + said.stderr,
                r"What to do: .*the owner's limit",
            )
            said = run(world, real_model.UNUSED_KEY, [python, program])
            checks.matches("and the key where that is wrong", said.stdout + said.stderr, r"What to do: .*At fault: ")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The unmodified OpenAI SDK for Node (sdk/calls.mjs) against a real server and a real model.

Run: test/e2e/node_sdk_test.py   (needs npm, CLAVIGER_RUNNER and CLAVIGER_TEST_MODEL)
"""

from __future__ import annotations

import subprocess
import sys

import real_model
import sdks
from harness import Checks

SECONDS_MAX = 300


def main() -> int:
    checks = Checks("node-sdk")
    with checks.story("the SDK for Node"):
        node, folder = sdks.node()
        with real_model.running() as world:
            finished = subprocess.run(
                [str(node), str(sdks.PINS / "calls.mjs")],
                env={
                    "PATH": "/usr/bin:/bin",
                    "SDK_FOLDER": str(folder),
                    "BASE_URL": world.server.base_url,
                    "MODEL": real_model.MODEL,
                    "KEY": world.key,
                    "POOR_KEY": world.poor_key,
                    "NARROW_KEY": world.narrow_key,
                    "BAD_KEY": real_model.UNUSED_KEY,
                },
                capture_output=True,
                text=True,
                timeout=SECONDS_MAX,
                check=False,
            )
            print(finished.stdout, end="", flush=True)
            said = finished.stdout.splitlines()
            checks.check(
                "the program ran to its end", finished.returncode in (0, 1) and len(said) > 15, finished.stderr[-600:]
            )
            checks.failed += sum(line.startswith("not ok ") for line in said)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())

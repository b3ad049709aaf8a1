#!/usr/bin/env python3
"""tools/quickstart as a stranger types it: once, again, with a taken port, and stopped.

Run: tools/tests/quickstart_test.py   (builds the release preset where that is not done)
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST_SECONDS_MAX = 1800
AGAIN_SECONDS_MAX = 60

failed = 0


def check(name: str, holds: object, why: object = "") -> None:
    global failed
    if holds:
        print(f"ok quickstart: {name}", flush=True)
    else:
        failed += 1
        print(f"not ok quickstart: {name}: {' '.join(str(why).split())[-500:]}", flush=True)


def quickstart(home: pathlib.Path, *arguments: str, seconds_max: float = FIRST_SECONDS_MAX) -> tuple[int, str, str]:
    """Status, standard output, standard error. The server that it leaves must not hold our pipes."""
    done = subprocess.run(
        [str(ROOT / "tools/quickstart"), "--home", str(home), *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds_max, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def is_running(pid: str) -> bool:
    """Ended, but not collected by its parent, is ended: then it has no command line any more."""
    try:
        return bool(pathlib.Path(f"/proc/{pid.strip()}/cmdline").read_bytes())
    except OSError:
        return False


def stories(home: pathlib.Path) -> None:
    listen = ["--listen", f"127.0.0.1:{free_port()}"]
    status, out, err = quickstart(home, *listen)
    check("it passes", status == 0, err)
    if status != 0:
        return
    costs = re.search(r"(\d+) tokens in, (\d+) out, cost \$([\d.]+); \$([\d.]+) of", out)
    check("it says what the answer cost and what is left", costs, out)
    answer = out.partition("> ")[2].partition("\n\n")[2].partition("\n\n")[0]
    check("it prints words of the model", len(answer.split()) >= 3, out)
    check("it shows the admin key once", len(re.findall(r"clva_[\w-]{49}", out + err)) == 1, out)
    log = (home / "serve.log").read_text(errors="replace")
    check("no log has a key", not re.search(r"clva?_[\w-]{49}", log + (ROOT / "build/quickstart.log").read_text()))
    key = home / "quickstart.key"
    check("its key is for its owner only", stat.S_IMODE(key.stat().st_mode) == 0o600)
    check("so is the home", stat.S_IMODE(home.stat().st_mode) == 0o700)
    left_before = costs and costs[4]

    began = time.monotonic()
    kept, pid = key.read_text(), (home / "serve.pid").read_text()
    status, out, err = quickstart(home, *listen, seconds_max=AGAIN_SECONDS_MAX)
    check("again, it passes", status == 0, err)
    check(f"and is quick ({time.monotonic() - began:.0f} s)", time.monotonic() - began < AGAIN_SECONDS_MAX)
    check("with the same server and key", (key.read_text(), (home / "serve.pid").read_text()) == (kept, pid))
    costs = re.search(r"\$([\d.]+) of", out)
    check("and less is left than before", costs and left_before and float(costs[1]) < float(left_before), out)

    status, out, err = quickstart(home, "--listen", f"127.0.0.1:{free_port()}", seconds_max=AGAIN_SECONDS_MAX)
    check("another address for a running server is refused", status == 1 and "--stop" in err, err)
    check("and the server goes on running", is_running(pid))

    other = home.with_name("other")
    status, out, err = quickstart(other, *listen, seconds_max=AGAIN_SECONDS_MAX)
    check("a taken port is refused with what to do", status == 1 and "--listen" in err, err)

    status, out, err = quickstart(home, "--stop", seconds_max=AGAIN_SECONDS_MAX)
    check("it stops", status == 0 and not is_running(pid), err)
    status, out, err = quickstart(home, "--stop", seconds_max=AGAIN_SECONDS_MAX)
    check("and says so where nothing runs", status == 1 and "no server" in err, err)


def main() -> int:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="claviger-quickstart-"))
    home = folder / "a home"
    os.environ.pop("CLAVIGER_HOME", None)
    try:
        stories(home)
    except Exception as error:  # What it left running must still be stopped.
        check("the test itself", False, f"{type(error).__name__}: {error}")
    finally:
        if (home / "serve.pid").is_file():
            quickstart(home, "--stop")
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

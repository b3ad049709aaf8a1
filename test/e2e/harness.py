"""What every end-to-end test needs: a home of its own, a running server, the command line.

Standard library only, so that any Python 3.11 can run it. A test is a program: it makes a
`Checks`, does its checks, and returns `checks.finish()` from main(). It prints one line per
check, `ok NAME` or `not ok NAME: why`, which is what tools/test counts.

Nothing here knows more of Claviger than a user does: the command line, HTTP, the files in a
home. The port is read from the kernel (/proc), so a test listens on port 0 and never guesses.

Environment:
  CLAVIGER_BINARY         the server under test; else build/release/claviger or build/dev/claviger
  CLAVIGER_FAKE_PROVIDER  the fake provider; else looked for beside the server
  CLAVIGER_RUNNER         llama.cpp's llama-server, for tests with a real model
  CLAVIGER_TEST_MODEL     a GGUF file, for the same
  CLAVIGER_E2E_KEEP=1     keep the homes, to look into them
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Self

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"

READY_SECONDS_MAX = 20.0  # A start takes well below a second; this is for a machine under load.
STOP_SECONDS_MAX = 20.0  # Graceful drain, then we say that it hangs.
COMMAND_SECONDS_MAX = 60.0
REFUSED_SERVE_SECONDS_MAX = 10.0  # A `serve` that must not start says so within this.
POLL_SECONDS = 0.02
NANOS_PER_USD = 1_000_000_000

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Skip(Exception):
    """This machine lacks something; the message says what and how to have it."""


class Checks:
    """Counts and prints. A story that raises is one `not ok`, and the next story still runs."""

    def __init__(self, test: str) -> None:
        self.test = test
        self.passed = 0
        self.failed = 0
        adopt_orphans()
        # A test that is ended from outside unwinds, and so ends what it started.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"not ok {test}: ended by SIGTERM"))

    def check(self, name: str, holds: object, why: object = "") -> bool:
        """One line. `why` is said where it does not hold: what was seen, not what was hoped."""
        if holds:
            self.passed += 1
            print(f"ok {self.test}: {name}", flush=True)
        else:
            self.failed += 1
            one_line = " ".join(str(why).split())[:600]
            print(f"not ok {self.test}: {name}: {one_line}", flush=True)
        return bool(holds)

    def equal(self, name: str, seen: object, expected: object) -> bool:
        return self.check(name, seen == expected, f"saw {seen!r}, expected {expected!r}")

    def matches(self, name: str, text: str, pattern: str) -> bool:
        return self.check(
            name, re.search(pattern, text, re.IGNORECASE | re.DOTALL), f"{text!r} does not match {pattern!r}"
        )

    @contextlib.contextmanager
    def story(self, name: str) -> Iterator[None]:
        """Turns whatever escapes into one `not ok`, with the place where it happened."""
        try:
            yield
        except Skip as skip:
            print(f"# skipped {self.test}: {name}: {skip}", flush=True)
        except Exception as error:  # the next story must still run
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{pathlib.Path(frame.filename).name}:{frame.lineno}"
            self.check(name, False, f"{type(error).__name__} at {place}: {error}")

    def finish(self) -> int:
        """Exit status. A leftover process is a failure, and is ended."""
        left = [f"{pid} {command_line(pid)}" for pid in children_of(os.getpid())]
        self.check("leaves no process behind", not left, left)
        for entry in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(entry.split()[0]), signal.SIGKILL)
        return 0 if self.failed == 0 else 1


# Processes ---------------------------------------------------------------------------------


def adopt_orphans() -> None:
    """Grandchildren that lose their parent become ours, so that finish() sees every leftover."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def process_status(pid: int) -> dict[str, str]:
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


def children_of(pid: int) -> list[int]:
    """Living children; zombies are reaped first, because they are no leftovers."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            status = process_status(int(entry.name))
            if status.get("PPid") != str(pid):
                continue
            if status.get("State", "").startswith("Z"):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(int(entry.name), os.WNOHANG)
                continue
            found.append(int(entry.name))
    return found


def descendants_of(pid: int) -> list[int]:
    below = children_of(pid)
    return below + [deeper for child in below for deeper in descendants_of(child)]


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def listening_ports(pid: int) -> list[int]:
    """TCP ports on which the process listens, from the kernel's own tables."""
    inodes = set()
    with contextlib.suppress(OSError):
        for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
                if found:
                    inodes.add(found.group(1))
    ports = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:  # 0A: LISTEN
                    ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return sorted(ports)


def wait_until(what: str, condition: Callable[[], Any], seconds_max: float = READY_SECONDS_MAX) -> Any:
    """Polls; returns the condition's first true value, or raises saying what did not happen."""
    deadline = time.monotonic() + seconds_max
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds_max:g} s")
        time.sleep(POLL_SECONDS)


# What is under test ------------------------------------------------------------------------


def binary() -> pathlib.Path:
    named = os.environ.get("CLAVIGER_BINARY")
    candidates = [pathlib.Path(named)] if named else [BUILD / "release" / "claviger", BUILD / "dev" / "claviger"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise FileNotFoundError(f"no server at {' or '.join(map(str, candidates))}; build it, or set CLAVIGER_BINARY")


def fake_provider_binary() -> pathlib.Path:
    named = os.environ.get("CLAVIGER_FAKE_PROVIDER")
    if named:
        return pathlib.Path(named).resolve()
    folders = [binary().parent, BUILD / "dev", BUILD / "bench"]
    for folder in folders:
        for candidate in (folder / "test" / "fakes" / "fake-provider", folder / "fake-provider"):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(f"no fake-provider under {folders}; build that target, or set CLAVIGER_FAKE_PROVIDER")


def model_file() -> pathlib.Path:
    named = os.environ.get("CLAVIGER_TEST_MODEL", "")
    if not named or not pathlib.Path(named).is_file():
        raise Skip("no model file; set CLAVIGER_TEST_MODEL to a GGUF (tools/setup fetches the default one)")
    return pathlib.Path(named)


def nanos(amount: object) -> int:
    """Dollars as the command line and the API write them, to whole nano-dollars, exactly."""
    exact = Decimal(str(amount).replace("$", "").replace(",", "")) * NANOS_PER_USD
    if exact != exact.to_integral_value():
        raise ValueError(f"{amount!r} is finer than a nano-dollar")
    return int(exact)


def read_json(text: str | bytes) -> Any:
    """JSON with exact decimals: a cost never passes through a float."""
    return json.loads(text, parse_float=Decimal)


class Answer:
    """What one command said."""

    def __init__(self, arguments: list[str], status: int, out: str, err: str) -> None:
        self.arguments = arguments
        self.status = status
        self.out = out
        self.err = err

    def json(self) -> Any:
        try:
            return read_json(self.out)
        except ValueError as error:
            raise AssertionError(f"claviger {' '.join(self.arguments)}: no JSON: {self.out!r} {self.err!r}") from error

    def rows(self) -> list[Any]:
        """The entries of a list."""
        return self.json()["data"]

    def found(self, pattern: str) -> str:
        """The first match in what it printed, e.g. an id; raises where there is none."""
        match = re.search(pattern, self.out)
        if not match:
            raise AssertionError(f"claviger {' '.join(self.arguments)}: no {pattern} in {self.out!r} {self.err!r}")
        return match.group(0)


VIRTUAL_KEY = r"clv_[A-Za-z0-9_-]{49}"
ADMIN_KEY = r"clva_[A-Za-z0-9_-]{49}"


class Home:
    """A home folder of its own, and the command line on it. Removed at the end of the test."""

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="claviger-e2e-"))
        self.path = self.folder / "home"
        self.log = self.folder / "server.log"
        self.admin_key = ""
        self.answers: list[Answer] = []  # All that was said, for the test that looks for secrets.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if os.environ.get("CLAVIGER_E2E_KEEP") == "1":
            print(f"# kept {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **extra: str) -> dict[str, str]:
        """Nothing of the caller's: no proxy settings, no keys, no other home."""
        kept = {
            k: os.environ[k] for k in ("PATH", "CLAVIGER_RUNNER", "ASAN_OPTIONS", "TSAN_OPTIONS") if k in os.environ
        }
        return kept | {"HOME": str(self.folder), "LANG": "C.UTF-8", "CLAVIGER_HOME": str(self.path)} | extra

    def run(self, *arguments: str, stdin: str = "", cwd: pathlib.Path | None = None, **extra: str) -> Answer:
        """One command; its exit status is the caller's to judge. One that goes on for too long
        is ended and has the status -9."""
        command = subprocess.Popen(
            [str(binary()), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=self.environment(**extra),
            cwd=cwd or self.folder,
        )
        try:
            out, err = command.communicate(
                stdin, REFUSED_SERVE_SECONDS_MAX if arguments[:1] == ("serve",) else COMMAND_SECONDS_MAX
            )
        except subprocess.TimeoutExpired:
            command.kill()
            out, err = command.communicate()
        answer = Answer(list(arguments), command.returncode, out, err)
        self.answers.append(answer)
        return answer

    def do(self, *arguments: str, stdin: str = "", **extra: str) -> Answer:
        """One command that must succeed."""
        answer = self.run(*arguments, stdin=stdin, **extra)
        if answer.status != 0:
            raise AssertionError(f"claviger {' '.join(arguments)}: status {answer.status}: {answer.err or answer.out}")
        return answer

    def init(self, default_limit: str = "10.00") -> None:
        self.admin_key = self.do("init", "--default-limit", default_limit).found(ADMIN_KEY)

    def create_key(self, owner: str, app: str, *more: str) -> str:
        return self.do("key", "create", "--owner", owner, "--app", app, *more).found(VIRTUAL_KEY)

    def add_credential(self, owner: str, provider: str, base_url: str, key: str, name: str = "") -> str:
        named = ["--name", name] if name else []
        return self.do(
            "credential", "add", "--owner", owner, "--provider", provider, *named, "--base-url", base_url,
            "--allow-private", "--key-env", "PLANTED_PROVIDER_KEY", PLANTED_PROVIDER_KEY=key,
        ).found(r"crd_\d+")  # fmt: skip

    def set_budget(self, scope: str, limit: str, period: str = "total", when_exhausted: str = "refuse") -> str:
        return self.do(
            "budget", "set", "--scope", scope, "--limit", limit, "--per", period, "--when-exhausted", when_exhausted
        ).found(r"bud_\d+")

    def balance(self, budget: str) -> dict[str, int]:
        """limit, spent, held, unconfirmed and left in nano-dollars."""
        shown = self.do("budget", "show", budget, "--json").json()
        return {name: nanos(shown[f"{name}_usd"]) for name in ("limit", "spent", "held", "unconfirmed", "left")}

    def record(self, request_id: str) -> dict[str, Any]:
        """The record of a request; written off its way, so it may take a moment to be there."""

        def look() -> dict[str, Any] | None:
            answer = self.run("request", request_id, "--json")
            return answer.json() if answer.status == 0 else None

        return wait_until(f"the record of {request_id}", look, 5)


class Server:
    """A running `claviger serve` on a port of the kernel's choice. Stopped gracefully at the end."""

    def __init__(self, home: Home, *arguments: str, **extra: str) -> None:
        self.home = home
        self.arguments = arguments
        self.extra = extra
        self.port = 0
        self.drained_status: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        with self.home.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(binary()), "serve", "--listen", "127.0.0.1:0", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.home.environment(**self.extra),
                cwd=self.home.folder,
            )
        try:
            wait_until("the server is ready", self._find_port)
        except Exception:
            self.kill()
            raise

    def _find_port(self) -> bool:
        if self.process.poll() is not None:
            said = self.home.log.read_text(errors="replace")[-600:]
            raise AssertionError(f"the server ended with status {self.process.returncode}: {said}")
        for port in listening_ports(self.pid):
            self.port = port
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.call("GET", "/readyz")[0] == 200:
                    return True
        return False

    def stop(self) -> None:
        """SIGTERM and a graceful end; what does not end is killed, and that is an error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.drained_status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end within {STOP_SECONDS_MAX:g} s of SIGTERM") from None

    def kill(self) -> None:
        """SIGKILL: the crash that no program can prepare for at its last moment."""
        self.process.kill()
        self.process.wait()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def call(
        self, method: str, path: str, body: object = None, key: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers by lower-case name, body."""
        connection = self.connect()
        sent = dict(headers or {})
        if key:
            sent["Authorization"] = f"Bearer {key}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=data, headers=sent)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def chat(self, key: str, model: str, **fields: object) -> tuple[int, dict[str, str], Any]:
        """One plain chat request: status, headers, answer."""
        body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]} | fields
        status, headers, text = self.call("POST", "/v1/chat/completions", body, key)
        return status, headers, read_json(text)

    def open_stream(self, key: str, model: str, **fields: object) -> tuple[http.client.HTTPConnection, Any]:
        """A stream whose head has arrived. The caller reads it, and closes the connection."""
        connection = self.connect()
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Count to a thousand."}]}
        connection.request(
            "POST", "/v1/chat/completions", body=json.dumps(body | fields),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )  # fmt: skip
        return connection, connection.getresponse()

"""Who takes part in the benchmark: how each is started, called and ended.

Every contestant is started on one core of its own, listens on loopback, and passes what it gets
to the same fake provider. `direct` is no proxy at all: what is added is measured against it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "e2e"))

import harness
import sdks

RIVALS = pathlib.Path(__file__).resolve().parent / "rivals"
PROVIDER_KEY = "sk-bench-0123456789abcdefghijklmnopqrstuvwxyz"
MODEL = "gpt-4o-mini"
READY_SECONDS_MAX = 60.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    """Whether an HTTP answer comes, whatever it says."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return caller.recv(5) == b"HTTP/"
    return False


class Contestant:
    """One proxy. The methods of this class are the same for all."""

    name = ""
    path = "/v1/chat/completions"
    stream_path = "/v1/chat/completions"
    model = MODEL

    def __init__(self, provider_port: int, core: int) -> None:
        self.provider_port = provider_port
        self.core = core
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"claviger-bench-{self.name}-"))
        self.cold_start_ms = 0.0
        self.prepare()

    def prepare(self) -> None:
        """What is done once, before the first start."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def headers(self) -> dict[str, str]:
        """What a caller sends beside the body."""
        return {"Authorization": f"Bearer {PROVIDER_KEY}", "Content-Type": "application/json"}

    def start(self) -> None:
        """Measures the cold start on the way: from the spawn to the first HTTP answer."""
        self.port = free_port()
        command = self.command()
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
            )  # fmt: skip
        while not accepts(self.port):
            if self.process.poll() is not None or time.monotonic() - began > READY_SECONDS_MAX:
                said = (self.folder / "log").read_text(errors="replace")[-600:]
                raise RuntimeError(f"{self.name} did not start (status {self.process.poll()}): {said}")
            time.sleep(0.0005)
        self.cold_start_ms = (time.monotonic() - began) * 1000

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[int]:
        return [self.process.pid, *harness.descendants_of(self.process.pid)] if self.process else []

    def cpu_seconds(self) -> float:
        """User and system time of all its processes and threads: proc(5), stat, fields 14 and 15."""
        ticks = 0
        for pid in self.processes():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / CLOCK_TICKS

    def memory_kib(self) -> int:
        """Proportional set size: what all its processes take, shared pages counted once."""
        total = 0
        for pid in self.processes():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total


class Direct(Contestant):
    """The fake provider itself."""

    name = "direct"

    def start(self) -> None:
        self.port = self.provider_port


class Nginx(Contestant):
    name = "nginx"
    stream_path = "/streamed/v1/chat/completions"

    def command(self) -> list[str]:
        binary = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        if binary is None:
            raise RuntimeError("no nginx; run tools/setup --bench")
        text = (RIVALS / "nginx.conf.in").read_text()
        for name, value in (("FOLDER", self.folder), ("PORT", self.port), ("PROVIDER_PORT", self.provider_port)):
            text = text.replace(f"@{name}@", str(value))
        configuration = self.folder / "nginx.conf"
        configuration.write_text(text)
        return [binary, "-c", str(configuration), "-e", str(self.folder / "error.log")]


class Portkey(Contestant):
    """The npm package @portkey-ai/gateway, pinned in rivals/, on the pinned Node."""

    name = "portkey"

    def prepare(self) -> None:
        folder = ROOT / "build" / "bench-rivals"
        pins = [RIVALS / "package.json", RIVALS / "package-lock.json"]
        self.node, _ = sdks.node()
        self.program = sdks.npm_folder(folder, pins) / "node_modules/@portkey-ai/gateway/build/start-server.js"

    def command(self) -> list[str]:
        preload = str(RIVALS / "loopback_only.cjs")
        return [str(self.node), "--require", preload, str(self.program), f"--port={self.port}", "--headless"]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"NODE_ENV": "production"}

    def headers(self) -> dict[str, str]:
        return super().headers() | {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{self.provider_port}/v1",
        }


class Claviger(Contestant):
    """Everything on: virtual key, budgets, holds and settlement, journal, record."""

    name = "claviger"
    model = f"openai/{MODEL}"

    def prepare(self) -> None:
        self.home = harness.Home()
        self.home.init("1000000.00")
        config = self.home.path / "claviger.toml"
        written, count = re.subn(r"(?m)^# threads = 0.*$", "threads = 1", config.read_text(), count=1)
        if count != 1:
            raise RuntimeError("claviger.toml has no `# threads = 0` to set to the one core of this benchmark")
        config.write_text(written)
        self.start()
        try:
            self.home.do("owner", "add", "alice")
            self.home.do("app", "add", "bench")
            self.home.add_credential("alice", "openai", f"http://127.0.0.1:{self.provider_port}/v1", PROVIDER_KEY)
            self.budget = self.home.set_budget("owner:alice", "1000000.00", "month", "refuse")
            self.key = self.home.create_key("alice", "bench")
        finally:
            self.stop()

    def command(self) -> list[str]:
        return [str(harness.binary()), "serve", "--listen", f"127.0.0.1:{self.port}"]

    def environment(self) -> dict[str, str]:
        return self.home.environment()

    def headers(self) -> dict[str, str]:
        return super().headers() | {"Authorization": f"Bearer {self.key}"}

    def close(self) -> None:
        super().close()
        self.home.__exit__()


ALL: dict[str, type[Contestant]] = {kind.name: kind for kind in (Direct, Nginx, Claviger, Portkey)}

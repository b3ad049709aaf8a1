"""The fake provider (test/fakes): OpenAI's dialect with programmable behaviour, and a bill
that it keeps by itself, exactly. What Claviger says was spent is held against that bill."""

from __future__ import annotations

import http.client
import json
import pathlib
import subprocess
import tempfile
from typing import Any, Self

from harness import fake_provider_binary, read_json, wait_until

PROVIDER = "openai"
MODEL = "openai/gpt-4o-mini"


class FakeProvider:
    """A running fake provider on a port of its own. Ended with its context."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments

    def __enter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory(prefix="claviger-fake-")
        port_file = pathlib.Path(self.folder.name) / "port"
        self.process = subprocess.Popen(
            [str(fake_provider_binary()), "--listen", "127.0.0.1:0", "--port-file", str(port_file), *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            self.port = wait_until("the fake provider is ready", lambda: self._read_port(port_file))
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def _read_port(self, port_file: pathlib.Path) -> int:
        if self.process.poll() is not None:
            raise AssertionError(f"fake-provider ended with status {self.process.returncode}")
        text = port_file.read_text().strip() if port_file.is_file() else ""
        return int(text) if text.isdigit() else 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def control(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, f"/_fake/{path}", body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise AssertionError(f"fake-provider {method} {path}: {answer.status} {text[:300]!r}")
            return read_json(text) if text else None
        finally:
            connection.close()

    def bill(self) -> dict[str, Any]:
        """Everything that it charged for, in whole nano-dollars."""
        return self.control("GET", "bill")

    def behave(self, **directives: object) -> None:
        """How it answers from now on; no directives: plainly."""
        self.control("POST", "behave", directives)

"""A provider whose every byte a test has written: for what happens on the wire between two bytes.
(test/fakes speaks the dialects and keeps a bill; this one only does as it is told.)

Each model has a script: what is done with its first request, its second, and so on; the last is
repeated. A script gets an Exchange and writes whatever it likes.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, Self

Script = Callable[["Exchange"], None]

HANGUP_SECONDS_MAX = 30.0


class Exchange:
    """One request, and the connection to answer it on."""

    def __init__(self, connection: socket.socket, head: list[str], body: bytes) -> None:
        self.connection = connection
        self.at = time.monotonic()
        self.path = head[0].split(" ")[1]
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self.body = body
        self.json: dict[str, Any] = json.loads(body) if body else {}
        self.keeps_open = False
        self.caller_left_after: float | None = None  # Seconds; set by wait_for_hangup().

    @property
    def streams(self) -> bool:
        return bool(self.json.get("stream"))

    def send(self, *pieces: bytes | str, every: float = 0.0) -> None:
        for number, piece in enumerate(pieces):
            if number and every:
                time.sleep(every)
            self.connection.sendall(piece.encode() if isinstance(piece, str) else piece)

    def reset(self) -> None:
        """Ends with a TCP reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_for_hangup(self, seconds_max: float = HANGUP_SECONDS_MAX) -> None:
        """Silence, until the other side goes away."""
        began = time.monotonic()
        readable, _, _ = select.select([self.connection], [], [], seconds_max)
        if readable:
            self.caller_left_after = time.monotonic() - began


class ScriptedProvider:
    """A server on loopback with a thread for each connection. Ended with its context."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Script]] = {}
        self.exchanges: dict[str, list[Exchange]] = {}
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, model: str, *scripts: Script) -> None:
        self.scripts[model] = list(scripts)

    def asked(self, model: str) -> list[Exchange]:
        with self.lock:
            return list(self.exchanges.get(model, ()))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = connection.makefile("rb")
            while exchange := self._read(connection, reader):
                with self.lock:
                    model = exchange.json.get("model", "")
                    asked = self.exchanges.setdefault(model, [])
                    asked.append(exchange)
                    scripts = self.scripts.get(model)
                    script = scripts[min(len(asked), len(scripts)) - 1] if scripts else not_scripted
                script(exchange)
                if not exchange.keeps_open:
                    reader.close()
                    return

    def _read(self, connection: socket.socket, reader: Any) -> Exchange | None:
        head = []
        while line := reader.readline(65536):
            if line == b"\r\n":
                break
            head.append(line.decode("latin-1").rstrip("\r\n"))
        if not head:
            return None
        length = next((int(line.partition(":")[2]) for line in head if line.lower().startswith("content-length:")), 0)
        return Exchange(connection, head, reader.read(length) if length else b"")


def not_scripted(exchange: Exchange) -> None:
    status(404, {"error": {"message": f"no script for {exchange.json.get('model')}", "code": "model_not_found"}})(exchange)


# What scripts are made of. Answers in OpenAI's dialect, unless their name says otherwise.

WORDS = [f"word{number}" for number in range(60)]
TEXT = " ".join(WORDS) + " "
PROMPT_TOKENS, COMPLETION_TOKENS = 11, 60
USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS}
SSE_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
DONE = "data: [DONE]\n\n"


def head(code: int, length: int, content_type: str = "application/json", **headers: str) -> str:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {code} Whatever\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{lines}\r\n"


def status(code: int, body: object, content_type: str = "application/json", **headers: str) -> Script:
    text = body if isinstance(body, str) else json.dumps(body)

    def answer(exchange: Exchange) -> None:
        exchange.send(head(code, len(text.encode()), content_type, connection="close", **headers) + text)

    return answer


def error(code: int, kind: str, name: str | None, message: str = "The fake says no.", **headers: str) -> Script:
    return status(code, {"error": {"message": message, "type": kind, "code": name, "param": None}}, **headers)


def event(data: object) -> str:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


def chunk(exchange: Exchange, delta: dict[str, object], finish: str | None = None, **more: object) -> str:
    return event(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": f"real-{exchange.json['model']}",
         "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    )  # fmt: skip


def words(exchange: Exchange, first: int, last: int) -> list[str]:
    return [chunk(exchange, {"content": f"{word} "}) for word in WORDS[first:last]]


def beginning(exchange: Exchange) -> str:
    return chunk(exchange, {"role": "assistant", "content": ""})


def ending(exchange: Exchange, finish: str = "stop") -> list[str]:
    usage = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE}
    return [chunk(exchange, {}, finish), event(usage)]


def whole_answer(exchange: Exchange, content: str | None = TEXT, finish: str = "stop") -> str:
    return json.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": f"real-{exchange.json['model']}",
         "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}],
         "usage": USAGE}
    )  # fmt: skip


def healthy(exchange: Exchange) -> None:
    if exchange.streams:
        exchange.send(SSE_HEAD, beginning(exchange), *words(exchange, 0, 60), *ending(exchange), DONE)
    else:
        status(200, whole_answer(exchange))(exchange)


def silent(exchange: Exchange) -> None:
    exchange.wait_for_hangup()


def streamed(*parts: Callable[[Exchange], list[str]] | str, every: float = 0.0) -> Script:
    def answer(exchange: Exchange) -> None:
        pieces = [SSE_HEAD]
        for part in parts:
            pieces += [part] if isinstance(part, str) else part(exchange)
        exchange.send(*pieces, every=every)

    return answer

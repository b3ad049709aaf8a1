"""The crowd: callers that ask for anything at random, read at random and leave at random.

Each caller has a generator of its own, so that what it asks for depends on the seed alone,
however the machine schedules the others. Nothing but the standard library: an SDK would hide
the very thing that matters here, which is when a connection goes away.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import random

CHAT_MODEL = "openai/gpt-4o-mini"
EMBEDDING_MODEL = "openai/text-embedding-3-small"
OUTPUT_TOKENS_MAX = 400
PROMPT_BYTES_MEAN = 400
PROMPT_BYTES_MAX = 6000
LEAVES_SHARE = 0.25
PAUSE_SECONDS_MAX = 0.02
CONNECT_SECONDS_MAX = 5.0
WORDS = "key lamp stone river quiet north paper seven glass amber field echo cloud iron maple tide 鍵 ламп 🪨".split()


@dataclasses.dataclass
class Seen:
    """What the callers met, for the report."""

    answers: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    left_early: int = 0
    cut_off: int = 0  # By the server's end.
    is_over: bool = False  # The server is gone; nobody calls any more.
    clamped: int = 0

    def add(self, other: Seen) -> None:
        self.answers.update(other.answers)
        self.left_early += other.left_early
        self.cut_off += other.cut_off
        self.clamped += other.clamped

    @property
    def requests(self) -> int:
        return sum(self.answers.values()) + self.left_early + self.cut_off


class LeftEarly(Exception):
    """The caller has lost interest."""


class Caller:
    def __init__(self, seed: str, port: int, keys: list[str], seen: Seen) -> None:
        self.random = random.Random(seed)
        self.port = port
        self.keys = keys
        self.seen = seen

    async def call_until_cut_off(self) -> None:
        """Request after request, until the server is gone. Cancelling alone does not end it: a
        wait_for() that has just been answered may swallow it (Python 3.11)."""
        while not self.seen.is_over:
            try:
                await self._one()
            except LeftEarly:
                self.seen.left_early += 1
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError):
                self.seen.cut_off += 1
                await asyncio.sleep(0.05)
            await asyncio.sleep(self.random.uniform(0, PAUSE_SECONDS_MAX))

    def _prompt(self) -> str:
        size = min(PROMPT_BYTES_MAX, int(self.random.expovariate(1 / PROMPT_BYTES_MEAN)))
        words: list[str] = []
        while sum(map(len, words)) < size:
            words.append(self.random.choice(WORDS))
        return " ".join(words) or "x"

    def _body(self) -> tuple[str, dict[str, object]]:
        if self.random.random() < 0.12:
            return "/v1/embeddings", {"model": EMBEDDING_MODEL, "input": self._prompt()}
        body: dict[str, object] = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": self._prompt()}]}
        if self.random.random() < 0.85:  # Without one, the bound is ours and is mostly clamped.
            name = self.random.choice(["max_tokens", "max_completion_tokens"])
            body[name] = self.random.randint(1, OUTPUT_TOKENS_MAX)
        if self.random.random() < 0.05:
            body["n"] = self.random.randint(2, 3)
        if self.random.random() < 0.55:
            body["stream"] = True
            if self.random.random() < 0.5:
                body["stream_options"] = {"include_usage": self.random.random() < 0.5}
        return "/v1/chat/completions", body

    async def _one(self) -> None:
        path, body = self._body()
        data = json.dumps(body, ensure_ascii=False).encode()
        leaves = self.random.random() < LEAVES_SHARE
        leaves_after_seconds = self.random.uniform(0, 0.08) if leaves and self.random.random() < 0.5 else None
        leaves_after_reads = self.random.randint(1, 12) if leaves and leaves_after_seconds is None else None
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", self.port), CONNECT_SECONDS_MAX
        )
        try:
            head = (
                f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nconnection: close\r\n"
                f"authorization: Bearer {self.random.choice(self.keys)}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
            )
            writer.write(head.encode() + data)
            reading = self._read(reader, leaves_after_reads)
            if leaves_after_seconds is None:
                await reading
                return
            try:
                await asyncio.wait_for(reading, leaves_after_seconds)
            except asyncio.TimeoutError:
                raise LeftEarly from None
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, leaves_after_reads: int | None) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        reads = 0
        body = b""
        while True:
            piece = await reader.read(4096)
            if not piece:
                break
            body = (body + piece)[-4096:]
            reads += 1
            if reads == leaves_after_reads:
                raise LeftEarly
        status = head.split(b" ", 2)[1].decode()
        is_stream = b"text/event-stream" in head
        if is_stream and b"[DONE]" not in body:
            self.seen.answers[f"{status} stream, broken"] += 1
        else:
            self.seen.answers[f"{status} stream" if is_stream else status] += 1
        if b"x-claviger-clamped" in head:
            self.seen.clamped += 1

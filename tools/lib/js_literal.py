"""Reads the literal that a JavaScript bundle assigns."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Iterator


class JsLiteral:
    """Reads the literal that a JavaScript bundle assigns: no code is run, numbers stay exact."""

    TOKEN = re.compile(
        r"""\s*(?:(?P<punctuation>[\[\]{}:,])|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"""
        r"""|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'"""
        r"""|`(?P<template>(?:[^`\\]|\\.)*)`|(?P<word>!0|!1|void 0|[A-Za-z_$][\w$]*))""",
        re.DOTALL,
    )
    WORDS = {"!0": True, "!1": False, "true": True, "false": False, "null": None, "void 0": None}

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.at = start

    def token(self) -> tuple[str, str]:
        match = self.TOKEN.match(self.text, self.at)
        if not match or not match.lastgroup:
            raise ValueError(f"cannot read the literal at offset {self.at}")
        self.at = match.end()
        return match.lastgroup, match.group(match.lastgroup)

    def peek(self) -> str:
        start = self.at
        text = self.token()[1]
        self.at = start
        return text

    @staticmethod
    def unescaped(text: str) -> str:
        simple = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}

        def one(match: re.Match[str]) -> str:
            escape = match.group(1)
            if escape[0] in "ux":
                return chr(int(escape[1:], 16))
            return simple.get(escape, escape)

        return re.sub(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", one, text, flags=re.DOTALL)

    def value(self) -> Any:
        kind, text = self.token()
        if kind == "number":
            return Decimal(text)
        if kind in ("double", "single", "template"):
            return self.unescaped(text)
        if kind == "word":
            return self.WORDS[text]
        if text == "[":
            return list(self.items("]", self.value))
        if text == "{":
            return dict(self.items("}", self.field))
        raise ValueError(f"unexpected {text!r} before offset {self.at}")

    def field(self) -> tuple[str, Any]:
        kind, key = self.token()
        if kind in ("double", "single"):
            key = self.unescaped(key)
        if self.token()[1] != ":":
            raise ValueError(f"a colon is missing at offset {self.at}")
        return key, self.value()

    def items(self, end: str, item: Any) -> Iterator[Any]:
        while self.peek() != end:
            yield item()
            if self.peek() == ",":
                self.token()
        self.token()

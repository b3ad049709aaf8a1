"""A server with a real model that runs here, for the tests that speak to it through an SDK.

The demo price makes the arithmetic visible: an own model costs what its owner says.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness import Home, Server, model_file

MODEL = "local/smollm2-135m-instruct"
INPUT_PICOS = 100_000  # $0.10 per million tokens
OUTPUT_PICOS = 400_000  # $0.40 per million tokens
UNUSED_KEY = "clv_" + "A" * 49  # Of the right shape, with a wrong checksum.


def cost_nanos(input_tokens: int, output_tokens: int) -> int:
    """What an answer costs at the demo price: rounded up once, to a whole nano-dollar."""
    return -(-(input_tokens * INPUT_PICOS + output_tokens * OUTPUT_PICOS) // 1000)


class RealModel:
    """One owner with a model and money, one without money, and keys with narrow rights."""

    def __init__(self, home: Home, server: Server) -> None:
        self.home = home
        self.server = server
        home.do("app", "add", "notes")
        for owner in ("alice", "bob"):
            home.do("owner", "add", owner)
            home.do("model", "add", "--owner", owner, "--file", str(model_file()))
            home.do("model", "price", MODEL, "--owner", owner, "--input", "0.10", "--output", "0.40")
        self.alice_budget = home.set_budget("owner:alice", "1.00")
        self.bob_budget = home.set_budget("owner:bob", "0.000000005")
        self.key = home.create_key("alice", "notes")
        self.poor_key = home.create_key("bob", "notes")
        self.narrow_key = home.create_key("alice", "notes", "--models", "openai/*")
        self.slow_key = home.create_key("alice", "notes", "--rpm", "1")
        revoked = home.do("key", "create", "--owner", "alice", "--app", "notes", "--json")
        self.revoked_key = revoked.found(r"clv_[A-Za-z0-9_-]{49}")
        home.do("key", "revoke", revoked.found(r"key_\d+"))


@contextlib.contextmanager
def running() -> Iterator[RealModel]:
    model_file()
    with Home() as home:
        home.init()
        with Server(home) as server:
            yield RealModel(home, server)

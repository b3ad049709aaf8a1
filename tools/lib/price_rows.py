"""What a row of data/prices.jsonl can say, and how rates are written there.

A Card is one way to be served: rates of tokens in dollars per million, rates of pieces in dollars
each (sound and film by the second), tiers by length of the input. Everything is Decimal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Any, Optional

# In the order in which a row lists them.
TOKEN_RATES = [
    "input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning",
    "audio_input", "cached_audio", "audio_output", "image_input", "cached_image", "image_output",
]
PIECES = [
    "web_search", "search_context_low", "search_context_medium", "search_context_high",
    "maps_query", "file_search", "code_session", "rerank_search", "image", "page", "character",
    "audio_input_second", "audio_output_second", "video_output_second",
]
SERVICE_TIERS = ["batch", "flex", "priority", "fast"]

Rates = dict[str, Decimal]


def decimal_text(amount: Decimal, places: int = 6) -> str:
    """With at most so many places, rounded up: what a rate can hold."""
    text = format(amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_UP), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass
class Card:
    rates: Rates = field(default_factory=dict)
    context_tiers: dict[int, Rates] = field(default_factory=dict)
    pieces: Rates = field(default_factory=dict)
    per_request: Decimal = Decimal(0)

    def json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            key: decimal_text(self.rates[key]) for key in TOKEN_RATES if key in self.rates}
        if self.context_tiers:
            out["context_tiers"] = [
                {"above": above,
                 **{key: decimal_text(rates[key]) for key in TOKEN_RATES if key in rates}}
                for above, rates in sorted(self.context_tiers.items())]
        if self.pieces:
            # A millisecond of sound is kept, so a second has three places less.
            out["pieces"] = {
                key: decimal_text(self.pieces[key], 9 if key.endswith("_second") else 12)
                for key in PIECES if key in self.pieces}
        if self.per_request:
            out["per_request"] = decimal_text(self.per_request, 9)
        return out

    def is_empty(self) -> bool:
        return not (self.rates or self.pieces or self.per_request)


@dataclass
class Opinion:
    """What one package says of one model."""

    source: str
    dated: str
    standard: Card
    tiers: dict[str, Card] = field(default_factory=dict)
    regional: Optional[Decimal] = None  # Times the price of tokens.
    operation: str = "chat"
    context: int = 0
    output_max: int = 0
    upper_bound: bool = False
    daily: list[dict[str, Any]] = field(default_factory=list)  # {"from", "until", "card"}, UTC
    later: list[tuple[str, Card]] = field(default_factory=list)  # From a date on.
    notes: list[str] = field(default_factory=list)

    def basis(self) -> tuple[Decimal, Decimal]:
        rates = self.standard.rates
        return rates.get("input", Decimal(0)), rates.get("output", Decimal(0))


def completed(card: Card, by: Card) -> None:
    """Adds what `card` does not say and an agreeing source does."""
    for key, rate in by.rates.items():
        card.rates.setdefault(key, rate)
    for key, rate in by.pieces.items():
        card.pieces.setdefault(key, rate)
    for above, rates in by.context_tiers.items():
        if above in card.context_tiers:
            for key, rate in rates.items():
                card.context_tiers[above].setdefault(key, rate)

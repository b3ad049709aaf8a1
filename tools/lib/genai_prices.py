"""Reads the npm packages @pydantic/genai-prices (prices, some by date and by time of day) and
@earendil-works/pi-ai (limits, and its own opinion of prices). Both are MIT; nothing is run."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Iterator, Optional

from js_literal import JsLiteral
from price_rows import Card, Opinion

RATES = {
    "input_mtok": "input", "cache_read_mtok": "cached_input", "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h", "output_mtok": "output",
    "output_reasoning_mtok": "reasoning", "input_audio_mtok": "audio_input",
    "cache_audio_read_mtok": "cached_audio", "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input", "cache_image_read_mtok": "cached_image",
    "output_image_mtok": "image_output",
}
PIECES = {"web_searches_kcount": "web_search", "storage_searches_kcount": "file_search",
          "input_document_kpages": "page"}
PER_THOUSAND = Decimal("0.001")
SECONDS_PER_HOUR = Decimal(3600)


def matches(rule: dict[str, Any], name: str) -> bool:
    """The price package's own matching, which ignores case except in patterns."""
    (how, what), lower = next(iter(rule.items())), name.lower()
    if how == "or":
        return any(matches(inner, name) for inner in what)
    if how == "and":
        return all(matches(inner, name) for inner in what)
    if how == "regex":
        return re.search(what, name) is not None
    return {
        "equals": lower == what.lower(),
        "starts_with": lower.startswith(what.lower()),
        "ends_with": lower.endswith(what.lower()),
        "contains": what.lower() in lower,
    }[how]


def exact_names(rule: dict[str, Any]) -> list[str]:
    (how, what) = next(iter(rule.items()))
    if how == "equals":
        return [what]
    return [name for inner in what for name in exact_names(inner)] if how == "or" else []


def card_of(prices: dict[str, Any], provider: str) -> Card:
    card = Card()
    for key, price in prices.items():
        if key in RATES and isinstance(price, dict):
            card.rates[RATES[key]] = price["base"]
            for tier in price["tiers"]:
                # "271999" stands for "272K and more" there and "above 272K" at the provider.
                above = int(tier["start"]) + int(int(tier["start"]) % 1000 == 999)
                card.context_tiers.setdefault(above, {})[RATES[key]] = tier["price"]
        elif key in RATES:
            card.rates[RATES[key]] = price
        elif key in PIECES:
            card.pieces[PIECES[key]] = price * PER_THOUSAND
        elif key == "requests_kcount":
            size = "search_context_high" if provider == "perplexity" else ""
            if size:
                card.pieces[size] = price * PER_THOUSAND
            else:
                card.per_request = price * PER_THOUSAND
        elif key in ("audio_hours", "input_audio_hours"):
            card.pieces["audio_input_second"] = price / SECONDS_PER_HOUR
    for rates in card.context_tiers.values():
        for key, rate in card.rates.items():
            rates.setdefault(key, rate)
    return card


def opinion(model: dict[str, Any], provider: str, source: str, dated: str) -> Optional[Opinion]:
    prices = model["prices"]
    entries = prices if isinstance(prices, list) else [{"prices": prices}]
    current, since = Card(), ""
    found = Opinion(source, dated, current)
    for entry in entries:
        constraint = entry.get("constraint") or {}
        starts = constraint.get("start_date")
        card = card_of(entry["prices"], provider)
        if starts is not None and starts > dated:
            found.later.append((starts, card))
        elif "start_time" in constraint:
            found.daily.append({"from": constraint["start_time"][:5],
                                "until": constraint["end_time"][:5], "card": card})
        elif starts is None or starts >= since:
            current, since = card, starts or ""
    found.standard = current
    if "input" not in current.rates and not current.pieces:
        return None
    if current.pieces and "input" not in current.rates:
        found.operation = "ocr" if "page" in current.pieces else "transcription"
        current.rates.clear()
    if re.search(r"promotion|introductory", model.get("price_comments") or "", re.IGNORECASE):
        found.notes.append("introductory or promotional price")
    found.context = int(model.get("context_window") or 0)
    return found


def price_data(folder: Path) -> dict[str, list[dict[str, Any]]]:
    bundle = (folder / "dist" / "index.js").read_text(encoding="utf-8")
    start = bundle.index("const E = [") + len("const E = ")
    return {one["id"]: one["models"] for one in JsLiteral(bundle, start).value()}


def opinion_of_limits(entry: dict[str, Any], source: str, dated: str) -> Opinion:
    """The limits package's own opinion of a price; it writes 0 for "no such rate"."""
    names = {"input": "input", "output": "output", "cacheRead": "cached_input",
             "cacheWrite": "cache_write"}

    def rates(cost: dict[str, Any]) -> dict[str, Decimal]:
        found = {ours: Decimal(cost[theirs]) for theirs, ours in names.items() if cost.get(theirs)}
        return {"input": Decimal(0), "output": Decimal(0), **found}

    cost = entry.get("cost") or {}
    card = Card()
    # Zero is unknown, or paid for in another way; not free by anybody's word.
    is_free = entry["id"].endswith(":free")
    if cost and cost["input"] >= 0 and cost["output"] >= 0 and (
            is_free or cost["input"] or cost["output"]):
        card.rates = rates(cost)
        for tier in cost.get("tiers") or []:
            card.context_tiers[int(tier["inputTokensAbove"])] = {**card.rates, **rates(tier)}
    return Opinion(source, dated, card, context=int(entry.get("contextWindow") or 0),
                   output_max=int(entry.get("maxTokens") or 0))


def limits_of(folder: Path, name: Optional[str]) -> dict[str, dict[str, Any]]:
    if name is None:
        return {}
    path = folder / "dist" / "providers" / "data" / f"{name}.json"
    apis = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    found: dict[str, dict[str, Any]] = {}
    for models in apis.values():
        for entry in models.values():
            if entry.get("type", "chat") == "chat":
                found.setdefault(entry["id"], entry)
    return found


def opinions(models: list[dict[str, Any]], limits: dict[str, dict[str, Any]], other: set[str],
             provider: str, source: str, dated: str) -> Iterator[tuple[str, Opinion]]:
    """Of every name that a rule states exactly, or that another source knows and a rule fits."""
    named: dict[str, dict[str, Any]] = {}
    for model in models:
        for name in [model["id"], *exact_names(model["match"])]:
            # An id that its own rule does not match is a label, not a name to call.
            if matches(model["match"], name):
                named.setdefault(name, model)
    for name in sorted({*limits, *other}):
        fitting = [model for model in models if matches(model["match"], name)]
        if fitting:
            named.setdefault(name, fitting[0])
    for name, model in named.items():
        found = opinion(model, provider, source, dated)
        if found is not None:
            yield name, found

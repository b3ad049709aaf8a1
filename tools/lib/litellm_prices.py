"""Reads the price table of the PyPI package litellm (MIT): the broadest there is, with rates by
service tier, by length of the input, for sound and pictures, and by the piece.

Only the table is read; nothing of the package is run.
"""

from __future__ import annotations

import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Iterator, Optional

from price_rows import Card, Opinion, Rates

TABLE = "litellm/model_prices_and_context_window_backup.json"

# Their provider: ours, and what stands before a model's name in their table.
PROVIDERS = {
    "ai21": ("ai21", ""),
    "anthropic": ("anthropic", ""),
    "azure": ("azure", "azure/"),
    "bedrock": ("amazon-bedrock", ""),
    "bedrock_converse": ("amazon-bedrock", ""),
    "cerebras": ("cerebras", "cerebras/"),
    "codestral": ("mistral", "codestral/"),
    "cohere": ("cohere", "cohere/"),
    "cohere_chat": ("cohere", ""),
    "dashscope": ("alibaba", "dashscope/"),
    "deepgram": ("deepgram", "deepgram/"),
    "deepinfra": ("deepinfra", "deepinfra/"),
    "deepseek": ("deepseek", "deepseek/"),
    "elevenlabs": ("elevenlabs", "elevenlabs/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "gemini": ("google", "gemini/"),
    "groq": ("groq", "groq/"),
    "hyperbolic": ("hyperbolic", "hyperbolic/"),
    "jina_ai": ("jina", "jina_ai/"),
    "lambda_ai": ("lambda", "lambda_ai/"),
    "minimax": ("minimax", "minimax/"),
    "mistral": ("mistral", "mistral/"),
    "moonshot": ("moonshotai", "moonshot/"),
    "nebius": ("nebius", "nebius/"),
    "novita": ("novita", "novita/"),
    "nscale": ("nscale", "nscale/"),
    "openai": ("openai", ""),
    "ovhcloud": ("ovhcloud", "ovhcloud/"),
    "perplexity": ("perplexity", "perplexity/"),
    "sambanova": ("sambanova", "sambanova/"),
    "scaleway": ("scaleway", "scaleway/"),
    "text-completion-openai": ("openai", ""),
    "together_ai": ("together", "together_ai/"),
    "v0": ("v0", "v0/"),
    "vertex_ai-anthropic_models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-embedding-models": ("google-vertex", ""),
    "vertex_ai-language-models": ("google-vertex", ""),
    "vertex_ai-llama_models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-mistral_models": ("google-vertex", "vertex_ai/"),
    "voyage": ("voyageai", "voyage/"),
    "wandb": ("wandb", "wandb/"),
    "xai": ("xai", "xai/"),
    "zai": ("z.ai", "zai/"),
}

OPERATIONS = {
    "chat": "chat", "completion": "chat", "responses": "chat", "embedding": "embeddings",
    "image_generation": "images", "image_edit": "images", "audio_transcription": "transcription",
    "audio_speech": "speech", "rerank": "rerank", "ocr": "ocr", "moderation": "moderations",
    "realtime": "realtime", "video_generation": "video",
}

RATES = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "cache_read_input_audio_token_cost": "cached_audio",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "cache_read_input_image_token_cost": "cached_image",
    "output_cost_per_image_token": "image_output",
}
TIERS = {"batches": "batch", "flex": "flex", "priority": "priority"}
KEY = re.compile(
    r"(?P<rate>.+?)(?:_above_(?P<thousands>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?$")

PER_MILLION = Decimal(1_000_000)
# A name with sizes or regions in front is a price by picture size or of one region's own.
SIZED = re.compile(r"^(\d+-x-\d+|(low|medium|high|standard|hd|max-steps|bedrock)/)")


def number(value: Any) -> Optional[Decimal]:
    """Numbers come with the noise of binary fractions: 2.0000000000000003e-07."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or value < 0:
        return None
    exact = Decimal(value)
    return exact.quantize(Decimal("1e-12")) if exact.as_tuple().exponent < -14 else exact


def per_million(value: Any) -> Optional[Decimal]:
    exact = number(value)
    return None if exact is None else exact * PER_MILLION


def token_cards(entry: dict[str, Any]) -> dict[str, Card]:
    """By tier, `` the standard one."""
    cards: dict[str, Card] = {}
    for key, value in entry.items():
        match = KEY.match(key)
        rate = per_million(value)
        if not match or match["rate"] not in RATES or rate is None:
            continue
        name = RATES[match["rate"]]
        card = cards.setdefault(TIERS.get(match["tier"] or "", ""), Card())
        if match["thousands"]:
            card.context_tiers.setdefault(int(match["thousands"]) * 1000, {})[name] = rate
        else:
            card.rates[name] = rate
    for tier in entry.get("tiered_pricing") or []:
        rates = {RATES[key]: rate for key, value in tier.items()
                 if key in RATES and (rate := per_million(value)) is not None}
        card = cards.setdefault("", Card())
        above = int(tier["range"][0]) if "range" in tier else 0
        if above == 0:
            card.rates.update(rates)
        else:
            card.context_tiers[above] = rates
    for card in cards.values():
        tidied(card)
    return cards


def tidied(card: Card) -> None:
    """Drops what says no more than the rate that applies anyway, and completes tiers."""
    def tidy(rates: Rates) -> None:
        if rates.get("cache_write") == 0 and rates.get("input", 0) != 0:
            del rates["cache_write"]  # They write 0 where there is no such rate.
        if rates.get("cached_input") == 0 and rates.get("input", 0) != 0:
            del rates["cached_input"]
        for part, whole in {"reasoning": "output", "image_input": "input", "audio_input": "input",
                            "audio_output": "output", "image_output": "output"}.items():
            if part in rates and rates[part] == rates.get(whole):
                del rates[part]

    tidy(card.rates)
    for above in list(card.context_tiers):
        rates = card.context_tiers[above]
        if "input" not in rates:
            del card.context_tiers[above]  # A table that speaks of caches alone.
            continue
        for key, rate in card.rates.items():
            if key not in rates and key in ("output", "audio_input", "cached_input"):
                rates[key] = max(rate, rates["input"]) if key == "audio_input" else rate
        tidy(rates)


def pieces(entry: dict[str, Any], provider: str, operation: str, has_tokens: bool) -> Rates:
    out: Rates = {}

    def put(name: str, key: str, factor: Decimal = Decimal(1)) -> None:
        value = number(entry.get(key))
        if value:
            out[name] = value * factor

    search = entry.get("search_context_cost_per_query") or {}
    sizes = {size: number(search.get(f"search_context_size_{size}"))
             for size in ("low", "medium", "high")}
    if provider == "perplexity":
        out.update({f"search_context_{size}": rate for size, rate in sizes.items() if rate})
    elif sizes["medium"]:
        out["web_search"] = max(rate for rate in sizes.values() if rate)
    put("maps_query", "google_maps_grounding_cost_per_query")
    put("code_session", "code_interpreter_cost_per_session")
    put("file_search", "file_search_cost_per_1k_calls", Decimal("0.001"))
    if operation == "rerank":
        put("rerank_search", "input_cost_per_query")
    put("page", "ocr_cost_per_page")
    if operation == "speech" and not has_tokens:
        put("character", "input_cost_per_character")
    if operation == "transcription" and not has_tokens:
        put("audio_input_second", "input_cost_per_second")
    if operation == "video":
        put("video_output_second", "output_cost_per_second")
    if operation == "images" and not has_tokens:
        put("image", "output_cost_per_image")
    return out


def scaled(card: Card, factor: Decimal) -> Card:
    return Card({key: rate * factor for key, rate in card.rates.items()},
                {above: {key: rate * factor for key, rate in rates.items()}
                 for above, rates in card.context_tiers.items()})


def opinion(entry: dict[str, Any], provider: str, source: str, dated: str) -> Optional[Opinion]:
    operation = OPERATIONS.get(entry.get("mode") or "")
    if operation is None:
        return None
    cards = token_cards(entry)
    standard = cards.pop("", Card())
    has_tokens = any(rate != 0 for rate in standard.rates.values())
    if not has_tokens:
        standard = Card()
    if operation == "speech" and "audio_output" in standard.rates:
        # What comes out is sound, whether an answer says so or not.
        standard.rates["output"] = standard.rates["audio_output"]
    standard.pieces = pieces(entry, provider, operation, has_tokens)
    request = number(entry.get("input_cost_per_request"))
    standard.per_request = request or Decimal(0)
    if standard.is_empty() or (has_tokens and "input" not in standard.rates):
        return None  # Unknown, or paid for in another way; not free by anybody's word.
    found = Opinion(source, dated, standard, operation=operation)
    for tier, card in cards.items():
        if "input" not in card.rates:
            continue
        if operation == "chat" and "output" not in card.rates:
            continue
        one_hour = standard.rates.get("cache_write_1h")
        if provider == "anthropic" and one_hour is not None:
            # "The 50% discount applies to all usage": https://docs.claude.com, Batch processing.
            card.rates.setdefault("cache_write_1h",
                                  one_hour * card.rates["input"] / standard.rates["input"])
        found.tiers[tier] = card
    special = entry.get("provider_specific_entry") or {}
    if provider == "anthropic" and "fast" in special:
        found.tiers["fast"] = scaled(standard, Decimal(special["fast"]))
    regional = (special.get("us") if provider == "anthropic"
                else entry.get("regional_processing_uplift_multiplier_eu")
                or entry.get("regional_endpoint_uplift_multiplier"))
    found.regional = Decimal(regional) if regional else None
    found.context = int(entry.get("max_input_tokens") or 0)
    found.output_max = int(entry.get("max_output_tokens") or 0)
    for window in [entry["off_peak_pricing"]] if entry.get("off_peak_pricing") else []:
        found.upper_bound = True
        found.notes.append("cheaper off peak: "
                           f"${per_million(window['input_cost_per_token']):f} in")
    return found


def opinions(wheel: Path, source: str, dated: str) -> Iterator[tuple[str, str, Opinion]]:
    with zipfile.ZipFile(wheel) as archive:
        table = json.loads(archive.read(TABLE), parse_float=Decimal)
    for name, entry in table.items():
        mapped = PROVIDERS.get(entry.get("litellm_provider") or "")
        if mapped is None or SIZED.match(name):
            continue
        provider, prefix = mapped
        found = opinion(entry, provider, source, dated)
        if found is not None:
            yield provider, name.removeprefix(prefix), found

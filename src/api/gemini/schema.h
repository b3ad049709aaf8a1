#pragma once

/// Google's schemas are OpenAPI's, with types in capitals and `nullable`; everybody else's are
/// JSON Schema.

#include <string>

#include "exchange/json_tree.h"

namespace claviger::api::gemini {

/// `schema` as JSON Schema: `"type": "STRING"` becomes `"string"`, `nullable` becomes a second
/// type, `propertyOrdering` and `example` go, since they are hints that JSON Schema lacks. All
/// else is handed on. Source: https://ai.google.dev/api/caching#Schema (2026-11).
std::string json_schema_of(exchange::JsonNode schema);

}  // namespace claviger::api::gemini

#include "api/dialect.h"

#include "api/anthropic/anthropic_dialect.h"
#include "api/gemini/gemini_dialect.h"
#include "api/openai/openai_dialect.h"
#include "api/responses/responses_dialect.h"

namespace claviger::api {

const Dialect* dialect_for(exchange::DialectId id) {
  static const OpenAiDialect openai;
  static const AnthropicDialect anthropic;
  static const GeminiDialect gemini;
  static const ResponsesDialect responses;
  switch (id) {
    case exchange::DialectId::openai:
      return &openai;
    case exchange::DialectId::anthropic:
      return &anthropic;
    case exchange::DialectId::gemini:
      return &gemini;
    case exchange::DialectId::openai_responses:
      return &responses;
  }
  return nullptr;
}

}  // namespace claviger::api

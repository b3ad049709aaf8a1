#include "exchange/request.h"

namespace claviger::exchange {

std::string_view to_string(Operation operation) {
  switch (operation) {
    case Operation::chat:
      return "chat";
    case Operation::embeddings:
      return "embeddings";
    case Operation::count_tokens:
      return "count_tokens";
  }
  return "unknown";
}

}  // namespace claviger::exchange

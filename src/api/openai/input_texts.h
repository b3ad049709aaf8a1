#pragma once

/// The texts of a request's input, for counting them exactly. Off the common path: only asked
/// where bytes bound a request too loosely.

#include <vector>

#include "api/dialect.h"

namespace claviger::api::openai {

/// `request` must come from read_request(); its body must still be there.
std::vector<InputText> input_texts(const exchange::Request& request);

}  // namespace claviger::api::openai

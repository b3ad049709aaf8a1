#pragma once

/// The files of data/faults, as they stand in the binary. Written by CMake from the folder, so
/// that a new provider is a new file and nothing else.

#include <string_view>
#include <vector>

#include "fault/rules.h"

namespace claviger::fault::rule_files {

std::string_view causes();
std::vector<RuleBook::File> all();

}  // namespace claviger::fault::rule_files

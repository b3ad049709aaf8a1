#pragma once

/// How SQLite's failures become messages for people.

#include <filesystem>
#include <string_view>

#include "store/sqlite/database.h"

namespace claviger::store {

/// `database "/home/claviger.db": the disk is full. Free some space; …`. `code` is an extended
/// result code; `detail` is SQLite's own words, which name tables and columns, never values.
DatabaseError database_error(int code, std::string_view detail, const std::filesystem::path& file);

}  // namespace claviger::store

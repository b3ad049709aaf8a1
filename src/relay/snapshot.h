#pragma once

/// Everything that a request is decided by, as one immutable snapshot. The control thread
/// makes a new one after each change and posts it to every connection thread; a request keeps
/// the one it began with to its end.

#include <memory>

#include "access/directory.h"
#include "budget/budget_book.h"
#include "provider/adapter.h"
#include "route/table.h"
#include "vault/vault.h"

namespace claviger::relay {

struct Snapshot {
  std::shared_ptr<const access::Directory> directory;
  std::shared_ptr<const vault::OpenCredentials> credentials;
  std::shared_ptr<const route::Table> routes;
  std::shared_ptr<const budget::BudgetBook> budgets;
  std::shared_ptr<const provider::Profiles> profiles;
};

}  // namespace claviger::relay

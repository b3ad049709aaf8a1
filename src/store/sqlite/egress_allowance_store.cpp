#include "store/sqlite/egress_allowance_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {

EgressAllowanceResult<void> SqliteEgressAllowanceStore::add(const EgressAllowance& allowance) {
  const auto added = database_.transaction([&]() -> DbResult<bool> {
    const auto credential = select_one<std::int64_t>(
        database_, "SELECT 1 FROM credentials WHERE id = ? AND removed = 0", read_integer,
        allowance.credential);
    if (!credential) return std::unexpected(credential.error());
    if (!*credential) return false;
    const auto inserted = change(database_,
                                 "INSERT INTO egress_allowances (credential_id, host, port)"
                                 " VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                                 allowance.credential, allowance.host, allowance.port);
    if (!inserted) return std::unexpected(inserted.error());
    return true;
  });
  if (!added) return std::unexpected(EgressAllowanceError::unavailable);
  if (!*added) return std::unexpected(EgressAllowanceError::not_found);
  return {};
}

EgressAllowanceResult<std::vector<EgressAllowance>> SqliteEgressAllowanceStore::list(
    CredentialId credential) {
  auto allowances = select<EgressAllowance>(
      database_,
      "SELECT credential_id, host, port FROM egress_allowances WHERE ? IN (0, credential_id)"
      " ORDER BY credential_id, host, port",
      [](const Query& row) -> std::optional<EgressAllowance> {
        const std::int64_t port = row.integer(2);
        if (port < 0 || port > 65'535) return std::nullopt;
        return EgressAllowance{.credential = CredentialId{row.integer(0)},
                               .host = row.text(1),
                               .port = static_cast<std::uint16_t>(port)};
      },
      credential);
  if (!allowances) return std::unexpected(EgressAllowanceError::unavailable);
  return std::move(*allowances);
}

}  // namespace claviger::store

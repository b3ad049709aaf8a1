-- What the running server may have committed on each budget, written before it is used; see
-- src/budget/lease_store.h. One row per budget: an earlier period is over.
CREATE TABLE leases (
  budget_id INTEGER PRIMARY KEY,
  period_start INTEGER NOT NULL,
  up_to_nanos INTEGER NOT NULL
) STRICT;

-- In which run of the kernel the server that took them ran; one row.
CREATE TABLE ledger_run (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  boot_id TEXT NOT NULL
) STRICT;

-- The first schema. Money is in nano-dollars, prices in pico-dollars per unit, times in
-- microseconds since 1970 (UTC). Nothing is deleted that a record may refer to: rows get
-- `removed_at` instead.

CREATE TABLE persons (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  email TEXT,
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;

-- An owner is a person or a team: whose key, model and money it is.
CREATE TABLE owners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL CHECK (type IN ('person', 'team')),
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL DEFAULT 'UTC',
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX owners_by_name ON owners (name) WHERE removed_at IS NULL;

CREATE TABLE memberships (
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  person_id INTEGER NOT NULL REFERENCES persons (id),
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, person_id)
) STRICT;

CREATE TABLE apps (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX apps_by_name ON apps (name) WHERE removed_at IS NULL;

-- An owner lets an application use what they own.
CREATE TABLE grants (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  app_id INTEGER NOT NULL REFERENCES apps (id),
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX grants_in_force ON grants (owner_id, app_id) WHERE revoked_at IS NULL;

-- End users whom an application names.
CREATE TABLE end_users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id INTEGER NOT NULL REFERENCES apps (id),
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (app_id, name)
) STRICT;

-- owner_id NULL: the credential belongs to the workspace.
CREATE TABLE credentials (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER REFERENCES owners (id),
  provider TEXT NOT NULL,
  name TEXT NOT NULL,
  base_url TEXT NOT NULL DEFAULT '',
  hint TEXT NOT NULL DEFAULT '',
  has_key INTEGER NOT NULL,
  wrapped_data_key BLOB NOT NULL,
  sealed_key BLOB NOT NULL,
  disabled INTEGER NOT NULL DEFAULT 0,
  removed INTEGER NOT NULL DEFAULT 0,         -- then both keys are empty: overwritten
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX credentials_by_name ON credentials (ifnull(owner_id, 0), name)
  WHERE removed = 0;

-- Ids that are given out before their row is written: the seal of a credential binds its id.
CREATE TABLE last_ids (
  name TEXT PRIMARY KEY,
  id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Hosts and ports that the operator opened for one credential (--allow-private).
CREATE TABLE egress_allowances (
  credential_id INTEGER NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  PRIMARY KEY (credential_id, host, port)
) STRICT;

-- Secrets of the server's own, wrapped by the root key.
CREATE TABLE wrapped_secrets (
  name TEXT PRIMARY KEY,
  wrapped BLOB NOT NULL
) STRICT;

CREATE TABLE virtual_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  app_id INTEGER NOT NULL REFERENCES apps (id),
  requests_per_minute INTEGER NOT NULL DEFAULT 0,
  tokens_per_minute INTEGER NOT NULL DEFAULT 0,
  concurrent_requests INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

-- Patterns of the models that a key is for; none: all models.
CREATE TABLE virtual_key_models (
  key_id INTEGER NOT NULL REFERENCES virtual_keys (id),
  position INTEGER NOT NULL,
  pattern TEXT NOT NULL,
  PRIMARY KEY (key_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE admin_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE TABLE budgets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL CHECK (scope IN
    ('workspace', 'owner', 'app', 'credential', 'virtual_key', 'model', 'end_user',
     'each_owner', 'each_user')),
  subject_id INTEGER NOT NULL DEFAULT 0,
  pattern TEXT NOT NULL DEFAULT '',
  limit_nanos INTEGER NOT NULL CHECK (limit_nanos >= 0),
  period TEXT NOT NULL CHECK (period IN ('request', 'day', 'week', 'month', 'total')),
  when_exhausted TEXT NOT NULL CHECK (when_exhausted IN
    ('refuse', 'clamp', 'downgrade', 'queue')),
  warn TEXT NOT NULL DEFAULT '50,80,95,100',
  rule_id INTEGER REFERENCES budgets (id),    -- the each_owner rule that made it
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX budgets_in_force ON budgets (scope, subject_id, pattern, period)
  WHERE removed_at IS NULL;
CREATE INDEX budgets_by_rule ON budgets (rule_id) WHERE rule_id IS NOT NULL;

-- What the journal has been folded into: spent per budget and period. No reference to
-- budgets: what the journal says was spent is kept, whatever became of the budget.
CREATE TABLE budget_periods (
  budget_id INTEGER NOT NULL,
  period_start INTEGER NOT NULL,
  spent_nanos INTEGER NOT NULL,
  PRIMARY KEY (budget_id, period_start)
) STRICT, WITHOUT ROWID;

-- One row per attempt that held money. History is never rewritten: a correction replaces
-- cost and certainty here and adds an entry below.
-- (The conditions on rows that every request writes avoid IN: from three values on it fills a
-- temporary table for each row, which took most of the time.)
CREATE TABLE holds (
  request_id BLOB NOT NULL,
  attempt INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  held_nanos INTEGER NOT NULL,
  budgets TEXT NOT NULL,                      -- ids with period starts: '3:1700…,9:1700…'
  state TEXT NOT NULL CHECK (state = 'settled' OR state = 'open' OR state = 'unconfirmed'),
  cost_nanos INTEGER,
  certainty TEXT CHECK (certainty = 'billed' OR certainty = 'estimated'
    OR certainty = 'reconciled' OR certainty = 'quarantined'),
  PRIMARY KEY (request_id, attempt),
  CHECK ((state = 'settled') = (cost_nanos IS NOT NULL)),
  CHECK ((state = 'settled') = (certainty IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_not_settled ON holds (state) WHERE state <> 'settled';

CREATE TABLE hold_corrections (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id BLOB NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  cost_before_nanos INTEGER,
  cost_after_nanos INTEGER NOT NULL,
  certainty TEXT NOT NULL CHECK (certainty IN
    ('billed', 'estimated', 'reconciled', 'quarantined'))
) STRICT;
CREATE INDEX hold_corrections_by_attempt ON hold_corrections (request_id, attempt);

-- Up to where the journal has been folded in; one row.
CREATE TABLE journal_checkpoint (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  segment INTEGER NOT NULL,
  slot INTEGER NOT NULL
) STRICT;

-- Model files that owners brought.
CREATE TABLE local_models (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  architecture TEXT NOT NULL DEFAULT '',
  context_tokens INTEGER NOT NULL,
  options TEXT NOT NULL DEFAULT '{}',         -- JSON: chat template, LoRA, projector, …
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX local_models_by_name ON local_models (owner_id, name);

-- Prices that owners state for their own contract, endpoint or model file.
CREATE TABLE owner_prices (
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  model TEXT NOT NULL,                        -- provider/model
  input_picos INTEGER NOT NULL,
  cached_input_picos INTEGER NOT NULL,
  cache_write_picos INTEGER NOT NULL,
  cache_write_1h_picos INTEGER NOT NULL,
  output_picos INTEGER NOT NULL,
  per_request_picos INTEGER NOT NULL,
  stated_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
  id BLOB PRIMARY KEY,                        -- 16 bytes, sorts by age
  started_at INTEGER NOT NULL,
  owner_id INTEGER NOT NULL,
  app_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  credential_id INTEGER NOT NULL,
  end_user TEXT NOT NULL,
  operation TEXT NOT NULL,
  model_asked TEXT NOT NULL,
  model TEXT NOT NULL,
  provider_request_id TEXT NOT NULL,
  streamed INTEGER NOT NULL,
  clamped INTEGER NOT NULL,
  caller_left INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  status INTEGER NOT NULL,
  provider_status INTEGER NOT NULL,
  error_code TEXT NOT NULL,
  at_fault TEXT NOT NULL,
  finish_reason TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cache_write_1h_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  stated_cost_nanos INTEGER,                  -- where the provider says it itself
  held_nanos INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL,
  cost_state TEXT NOT NULL CHECK (cost_state = 'billed' OR cost_state = 'none'
    OR cost_state = 'estimated' OR cost_state = 'quarantined'),
  admitted_us INTEGER NOT NULL,
  connected_us INTEGER NOT NULL,
  sent_us INTEGER NOT NULL,
  first_byte_us INTEGER NOT NULL,
  total_us INTEGER NOT NULL,
  overhead_us INTEGER NOT NULL,
  request_bytes INTEGER NOT NULL,
  answer_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Each index is paid for by every request. Ids sort by time, so that the table itself serves
-- for times, and these for times within; a key is looked for among its owner's.
CREATE INDEX requests_by_owner ON requests (owner_id);
CREATE INDEX requests_failed ON requests (id)
  WHERE status >= 400 OR error_code <> '' OR at_fault <> '';

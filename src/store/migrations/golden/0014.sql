PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE persons (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  email TEXT,
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
INSERT INTO persons VALUES(1,'Ada','ada@example.org',1700000000000000,NULL);
CREATE TABLE owners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL CHECK (type IN ('person', 'team')),
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL DEFAULT 'UTC',
  created_at INTEGER NOT NULL,
  removed_at INTEGER
, keeps_content TEXT NOT NULL DEFAULT 'off'
  CHECK (keeps_content IN ('off', 'failed', 'stored')), kept_days INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO owners VALUES(1,'person','ada','UTC',1700000000000000,NULL,'stored',7);
CREATE TABLE memberships (
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  person_id INTEGER NOT NULL REFERENCES persons (id),
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, person_id)
) STRICT;
INSERT INTO memberships VALUES(1,1,'owner',1700000000000000);
CREATE TABLE apps (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
INSERT INTO apps VALUES(1,'notes',1700000000000000,NULL);
CREATE TABLE grants (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  app_id INTEGER NOT NULL REFERENCES apps (id),
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
INSERT INTO grants VALUES(1,1,1,1700000000000000,NULL);
CREATE TABLE end_users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id INTEGER NOT NULL REFERENCES apps (id),
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (app_id, name)
) STRICT;
INSERT INTO end_users VALUES(1,1,'user-5',1700000000000000);
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
, allows_unbounded INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO credentials VALUES(1,1,'openai','work','','wxyz',1,X'646174616b6579',X'7365616c6564',0,0,1700000000000000,1);
CREATE TABLE last_ids (
  name TEXT PRIMARY KEY,
  id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO last_ids VALUES('credentials',1);
CREATE TABLE egress_allowances (
  credential_id INTEGER NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  PRIMARY KEY (credential_id, host, port)
) STRICT;
INSERT INTO egress_allowances VALUES(1,'localhost',11434);
CREATE TABLE wrapped_secrets (
  name TEXT PRIMARY KEY,
  wrapped BLOB NOT NULL
) STRICT;
INSERT INTO wrapped_secrets VALUES('virtual-key-hash-key',X'77726170706564');
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
INSERT INTO virtual_keys VALUES(1,X'2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a','abcd',1,1,0,0,0,NULL,1700000000000000,NULL);
CREATE TABLE virtual_key_models (
  key_id INTEGER NOT NULL REFERENCES virtual_keys (id),
  position INTEGER NOT NULL,
  pattern TEXT NOT NULL,
  PRIMARY KEY (key_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO virtual_key_models VALUES(1,0,'openai/*');
INSERT INTO virtual_key_models VALUES(1,1,'local/*');
CREATE TABLE admin_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
INSERT INTO admin_keys VALUES(1,'first',X'2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b','efgh',1700000000000000,NULL);
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
, time_zone TEXT NOT NULL DEFAULT '', downgrade_to TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO budgets VALUES(1,'each_owner',0,'',10000000000,'month','downgrade','50,80,95,100',NULL,1700000000000000,NULL,'Europe/Berlin',replace('openai/gpt-4o-mini\nlocal/smollm2','\n',char(10)));
INSERT INTO budgets VALUES(2,'owner',1,'',10000000000,'month','clamp','50,80,95,100',1,1700000000000000,NULL,'','');
CREATE TABLE budget_periods (
  budget_id INTEGER NOT NULL,
  period_start INTEGER NOT NULL,
  spent_nanos INTEGER NOT NULL,
  PRIMARY KEY (budget_id, period_start)
) STRICT, WITHOUT ROWID;
INSERT INTO budget_periods VALUES(2,1698796800000000,159265);
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
INSERT INTO holds VALUES(X'018bcfe568000102030405060708090a',1,1700000000000000,500000,'2:1698796800000000','settled',100000,'billed');
INSERT INTO holds VALUES(X'018bcfe568000102030405060708090b',1,1700000000000000,500000,'2:1698796800000000','unconfirmed',NULL,NULL);
CREATE TABLE hold_corrections (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id BLOB NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  cost_before_nanos INTEGER,
  cost_after_nanos INTEGER NOT NULL,
  certainty TEXT NOT NULL CHECK (certainty IN
    ('billed', 'estimated', 'reconciled', 'quarantined'))
, note_id INTEGER REFERENCES correction_notes (id)) STRICT;
INSERT INTO hold_corrections VALUES(1,X'018bcfe568000102030405060708090a',1,1700000000000000,200000,159265,'reconciled',NULL);
INSERT INTO hold_corrections VALUES(2,X'018bcfe568000102030405060708090a',1,1700000600000000,159265,100000,'reconciled',1);
CREATE TABLE journal_checkpoint (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  segment INTEGER NOT NULL,
  slot INTEGER NOT NULL
) STRICT;
INSERT INTO journal_checkpoint VALUES(1,3,14);
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
INSERT INTO local_models VALUES(1,1,'small','/models/small.gguf',100,'llama',8192,'{}',1700000000000000);
CREATE TABLE aliases (
  owner_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  models TEXT NOT NULL,
  changed_at INTEGER NOT NULL, rotation TEXT NOT NULL DEFAULT 'order'
  CHECK (rotation = 'order' OR rotation = 'round-robin' OR rotation = 'least-used'),
  PRIMARY KEY (owner_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO aliases VALUES(0,'pair',replace('openai/gpt-4o\nopenai-2/gpt-4o','\n',char(10)),1700000000000000,'round-robin');
CREATE TABLE alert_channels (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('webhook', 'mail')),
  target TEXT NOT NULL,                       -- emptied when it is removed: it may be a secret
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
INSERT INTO alert_channels VALUES(1,1,'webhook','https://example.com/hook',1700000000000000,NULL);
INSERT INTO alert_channels VALUES(2,0,'mail','ops@example.com',1700000000000000,NULL);
CREATE TABLE alerts (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  occasion TEXT NOT NULL UNIQUE,
  condition TEXT NOT NULL,
  owner_id INTEGER NOT NULL,                  -- 0: the workspace
  budget_id INTEGER NOT NULL,                 -- 0: about no budget
  summary TEXT NOT NULL,
  details TEXT NOT NULL,                      -- JSON
  detected_at INTEGER NOT NULL,
  acknowledged_at INTEGER,
  acknowledged_by TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO alerts VALUES(1,'alr_01HF7YAT00N3RGKDFSV4ZX8QWE','budget/2/1698796800/10000000000/80','budget.threshold',1,2,'The budget on owner:ada has used 80 %.','{"budget":"bud_2"}',1700000000000000,NULL,'');
CREATE TABLE alert_deliveries (
  alert_number INTEGER NOT NULL REFERENCES alerts (number) ON DELETE CASCADE,
  channel_id INTEGER NOT NULL REFERENCES alert_channels (id),
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
  attempts INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  delivered_at INTEGER,
  trouble TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (alert_number, channel_id)
) STRICT, WITHOUT ROWID;
INSERT INTO alert_deliveries VALUES(1,1,'dead',11,1700000100000000,NULL,'it answered 500');
INSERT INTO alert_deliveries VALUES(1,2,'waiting',0,1700000000000000,NULL,'');
CREATE TABLE alert_paces (
  budget_id INTEGER NOT NULL,
  slot INTEGER NOT NULL,                      -- half hours since 1970
  period_start INTEGER NOT NULL,
  spent_nanos INTEGER NOT NULL,
  PRIMARY KEY (budget_id, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO alert_paces VALUES(2,944444,1698796800000000,159265);
CREATE TABLE stated_prices (
  owner_id INTEGER NOT NULL,                  -- 0: the workspace
  model TEXT NOT NULL,                        -- provider/model
  price TEXT NOT NULL,
  stated_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, model)
) STRICT, WITHOUT ROWID;
INSERT INTO stated_prices VALUES(1,'local/small','{"input":"0.000001","cached_input":"0.000002","cache_write":"0.000003","cache_write_1h":"0.000004","output":"0.000005","per_request":"0.000000000006"}',1700000000000000);
CREATE TABLE record_blocks (
  block INTEGER PRIMARY KEY,
  first_id BLOB NOT NULL,
  last_id BLOB NOT NULL,
  failed INTEGER NOT NULL,                    -- how many of them
  records BLOB NOT NULL
) STRICT;
INSERT INTO record_blocks VALUES(1,X'018bcfe568000102030405060708090a',X'018bcfe568000102030405060708090a',0,X'0101828280c0d6fcf3c5010a09080706050403018080f2818389850602020302040205020606757365722d35070463686174080b6770742d346f2d6d696e6909126f70656e61692f6770742d346f2d6d696e690a0a63686174636d706c2d310b020e020f9003109003130473746f70141418281bc0843d1cc2b8131d011e281f2a203c2180ea3022c0ee6d233a24f80a25c00c00');
CREATE TABLE record_block_owners (
  owner_id INTEGER NOT NULL,
  last_id BLOB NOT NULL,
  block INTEGER NOT NULL,
  PRIMARY KEY (owner_id, last_id, block)
) STRICT, WITHOUT ROWID;
INSERT INTO record_block_owners VALUES(1,X'018bcfe568000102030405060708090a',1);
CREATE TABLE usage_hours (
  hour INTEGER NOT NULL,                      -- since 1970, UTC
  owner_id INTEGER NOT NULL,
  app_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  credential_id INTEGER NOT NULL,
  model TEXT NOT NULL,
  end_user TEXT NOT NULL,
  is_failed INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,              -- cached ones and cache writes included
  output_tokens INTEGER NOT NULL,
  cost_dollars INTEGER NOT NULL,              -- whole ones, and the rest:
  cost_nanos INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL DEFAULT 0, cache_write_tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0, audio_tokens INTEGER NOT NULL DEFAULT 0, image_tokens INTEGER NOT NULL DEFAULT 0, searches INTEGER NOT NULL DEFAULT 0, unbounded_requests INTEGER NOT NULL DEFAULT 0, unbounded_dollars INTEGER NOT NULL DEFAULT 0, unbounded_nanos INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, owner_id, app_id, key_id, credential_id, model, end_user, is_failed)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_hours VALUES(472222,1,1,1,1,'openai/gpt-4o-mini','user-5',0,1,10,20,0,159265,7,0,0,0,0,0,1,0,5);
CREATE TABLE hold_blocks (
  block INTEGER PRIMARY KEY,
  first_id BLOB NOT NULL,                     -- ids of requests, all of one minute
  last_id BLOB NOT NULL,
  holds BLOB NOT NULL
) STRICT;
INSERT INTO hold_blocks VALUES(1,X'018bcfe5680005060708090a0b0c0d0e',X'018bcfe5680005060708090a0b0c0d0e',X'0101868a80c0d6fcf3c5010e0d0c0b0a090807018080f28183898506c0843d02048080fabcfec28406a8972100');
CREATE TABLE leases (
  budget_id INTEGER PRIMARY KEY,
  period_start INTEGER NOT NULL,
  up_to_nanos INTEGER NOT NULL
) STRICT;
INSERT INTO leases VALUES(2,1700000000000000,5000000);
CREATE TABLE ledger_run (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  boot_id TEXT NOT NULL
) STRICT;
INSERT INTO ledger_run VALUES(1,'b0a2c3d4-0000-4000-8000-000000000001');
CREATE TABLE feedback (
  request_id BLOB PRIMARY KEY,
  opinion TEXT NOT NULL CHECK (opinion IN ('good', 'bad')),
  why TEXT NOT NULL,                          -- empty where nobody said
  given_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO feedback VALUES(X'018bcfe568000102030405060708090a','bad','it made this up',1700000000000000);
CREATE TABLE kept_contents (
  request_id BLOB PRIMARY KEY,
  owner_id INTEGER NOT NULL,
  kept_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
INSERT INTO kept_contents VALUES(X'018bcfe568000102030405060708090a',1,1700000000000000,1700604800000000,X'7365616c6564');
CREATE TABLE shared_pages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  token_hash BLOB NOT NULL UNIQUE,
  request_id BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  page TEXT NOT NULL
) STRICT;
INSERT INTO shared_pages VALUES(1,X'2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a',X'018bcfe568000102030405060708090a',1700000000000000,1700604800000000,'<!doctype html>');
CREATE TABLE correction_notes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('bill', 'refund', 'wrong_price', 'other')),
  reason TEXT NOT NULL,
  written_at INTEGER NOT NULL
) STRICT;
INSERT INTO correction_notes VALUES(1,'refund','credit note 17',1700000600000000);
CREATE TABLE key_histories (
  credential_id INTEGER PRIMARY KEY,
  worked_at INTEGER,
  failed_at INTEGER,
  failure TEXT NOT NULL,                      -- empty where it never failed
  failures_in_a_row INTEGER NOT NULL
) STRICT;
INSERT INTO key_histories VALUES(1,1700000000000000,1700000001000000,'key_revoked',2);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('persons',1);
INSERT INTO sqlite_sequence VALUES('owners',1);
INSERT INTO sqlite_sequence VALUES('apps',1);
INSERT INTO sqlite_sequence VALUES('grants',1);
INSERT INTO sqlite_sequence VALUES('end_users',1);
INSERT INTO sqlite_sequence VALUES('virtual_keys',1);
INSERT INTO sqlite_sequence VALUES('admin_keys',1);
INSERT INTO sqlite_sequence VALUES('budgets',2);
INSERT INTO sqlite_sequence VALUES('hold_corrections',2);
INSERT INTO sqlite_sequence VALUES('local_models',1);
INSERT INTO sqlite_sequence VALUES('alert_channels',2);
INSERT INTO sqlite_sequence VALUES('alerts',1);
INSERT INTO sqlite_sequence VALUES('shared_pages',1);
INSERT INTO sqlite_sequence VALUES('correction_notes',1);
CREATE UNIQUE INDEX owners_by_name ON owners (name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX apps_by_name ON apps (name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX grants_in_force ON grants (owner_id, app_id) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_by_name ON credentials (ifnull(owner_id, 0), name)
  WHERE removed = 0;
CREATE UNIQUE INDEX budgets_in_force ON budgets (scope, subject_id, pattern, period)
  WHERE removed_at IS NULL;
CREATE INDEX budgets_by_rule ON budgets (rule_id) WHERE rule_id IS NOT NULL;
CREATE INDEX holds_not_settled ON holds (state) WHERE state <> 'settled';
CREATE INDEX hold_corrections_by_attempt ON hold_corrections (request_id, attempt);
CREATE UNIQUE INDEX local_models_by_name ON local_models (owner_id, name);
CREATE UNIQUE INDEX alert_channels_in_force ON alert_channels (owner_id, kind, target)
  WHERE removed_at IS NULL;
CREATE INDEX alerts_open ON alerts (number) WHERE acknowledged_at IS NULL;
CREATE INDEX alert_deliveries_waiting ON alert_deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX alert_deliveries_dead ON alert_deliveries (alert_number) WHERE state = 'dead';
CREATE INDEX holds_uncertain ON holds (request_id, attempt)
  WHERE (state = 'unconfirmed' OR certainty = 'estimated' OR certainty = 'quarantined');
CREATE INDEX record_blocks_by_id ON record_blocks (last_id, first_id);
CREATE INDEX record_blocks_failed ON record_blocks (last_id) WHERE failed > 0;
CREATE INDEX hold_blocks_by_id ON hold_blocks (last_id, first_id);
CREATE INDEX kept_contents_by_expiry ON kept_contents (expires_at);
CREATE INDEX kept_contents_by_owner ON kept_contents (owner_id);
CREATE INDEX shared_pages_by_expiry ON shared_pages (expires_at);
CREATE INDEX hold_corrections_by_time ON hold_corrections (at);
COMMIT;
PRAGMA application_id = 1129076295;
PRAGMA user_version = 14;
PRAGMA foreign_keys = ON;

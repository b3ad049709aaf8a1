-- Alerts: what people are warned of, once for each occasion, and how they hear of it.

-- Where alerts go. owner_id 0: the operator's, which gets all of them.
CREATE TABLE alert_channels (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('webhook', 'mail')),
  target TEXT NOT NULL,                       -- emptied when it is removed: it may be a secret
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX alert_channels_in_force ON alert_channels (owner_id, kind, target)
  WHERE removed_at IS NULL;

-- The number counts up in the order of detection; the occasion makes a thing one alert.
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
CREATE INDEX alerts_open ON alerts (number) WHERE acknowledged_at IS NULL;

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
CREATE INDEX alert_deliveries_waiting ON alert_deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX alert_deliveries_dead ON alert_deliveries (alert_number) WHERE state = 'dead';

-- What each budget had spent at the end of each half hour of the last day: its pace.
CREATE TABLE alert_paces (
  budget_id INTEGER NOT NULL,
  slot INTEGER NOT NULL,                      -- half hours since 1970
  period_start INTEGER NOT NULL,
  spent_nanos INTEGER NOT NULL,
  PRIMARY KEY (budget_id, slot)
) STRICT, WITHOUT ROWID;

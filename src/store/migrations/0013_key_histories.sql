-- What each credential's key did last: whether it works, and what it was refused for.

CREATE TABLE key_histories (
  credential_id INTEGER PRIMARY KEY,
  worked_at INTEGER,
  failed_at INTEGER,
  failure TEXT NOT NULL,                      -- empty where it never failed
  failures_in_a_row INTEGER NOT NULL
) STRICT;

-- What helps to find out why a request failed: what its caller said of it, what it asked (where
-- its owner has that kept), and what was shown to others.

-- What callers say of answers; the last word on a request is the one that counts.
CREATE TABLE feedback (
  request_id BLOB PRIMARY KEY,
  opinion TEXT NOT NULL CHECK (opinion IN ('good', 'bad')),
  why TEXT NOT NULL,                          -- empty where nobody said
  given_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an owner has kept of requests: 'failed' ones for minutes and in memory alone, or all of
-- them 'stored' for so many days.
ALTER TABLE owners ADD COLUMN keeps_content TEXT NOT NULL DEFAULT 'off'
  CHECK (keeps_content IN ('off', 'failed', 'stored'));
ALTER TABLE owners ADD COLUMN kept_days INTEGER NOT NULL DEFAULT 0;

-- Sealed with a data key that the root key wraps, and bound to request and owner.
CREATE TABLE kept_contents (
  request_id BLOB PRIMARY KEY,
  owner_id INTEGER NOT NULL,
  kept_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX kept_contents_by_expiry ON kept_contents (expires_at);
CREATE INDEX kept_contents_by_owner ON kept_contents (owner_id);

-- Pages for support. The address is not kept, only its hash; the page is emptied when it is
-- taken back.
CREATE TABLE shared_pages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  token_hash BLOB NOT NULL UNIQUE,
  request_id BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  page TEXT NOT NULL
) STRICT;
CREATE INDEX shared_pages_by_expiry ON shared_pages (expires_at);

-- Names of one's own for models. owner_id 0: the workspace's. The models are one text, separated
-- by line ends, which no name has: they are only ever read and written together.
CREATE TABLE aliases (
  owner_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  models TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, name)
) STRICT, WITHOUT ROWID;

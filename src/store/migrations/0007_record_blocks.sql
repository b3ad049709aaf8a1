-- Records by the block instead of by the row, because a row of forty columns costs more than
-- all the rest of a record's way; and what people ask about usage, summed up as it comes.

-- Records that were written together and began in the same minute (store/record_block.h has the
-- format). Ids are those of the first and the last of them, and sort by time.
CREATE TABLE record_blocks (
  block INTEGER PRIMARY KEY,
  first_id BLOB NOT NULL,
  last_id BLOB NOT NULL,
  failed INTEGER NOT NULL,                    -- how many of them
  records BLOB NOT NULL
) STRICT;
CREATE INDEX record_blocks_by_id ON record_blocks (last_id, first_id);
CREATE INDEX record_blocks_failed ON record_blocks (last_id) WHERE failed > 0;

-- Which blocks have records of an owner.
CREATE TABLE record_block_owners (
  owner_id INTEGER NOT NULL,
  last_id BLOB NOT NULL,
  block INTEGER NOT NULL,
  PRIMARY KEY (owner_id, last_id, block)
) STRICT, WITHOUT ROWID;

-- Sums of an hour's records that have all of these in common.
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
  cost_nanos INTEGER NOT NULL,
  PRIMARY KEY (hour, owner_id, app_id, key_id, credential_id, model, end_user, is_failed)
) STRICT, WITHOUT ROWID;

-- The rows of `requests` are moved by the program, which knows the format.

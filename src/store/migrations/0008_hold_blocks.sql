-- Holds that were opened and settled between two folds, which is most of them where answers are
-- short, lie in blocks of many (store/hold_block.h). A hold that is corrected later gets a row in
-- `holds`, which counts before what the block says.
CREATE TABLE hold_blocks (
  block INTEGER PRIMARY KEY,
  first_id BLOB NOT NULL,                     -- ids of requests, all of one minute
  last_id BLOB NOT NULL,
  holds BLOB NOT NULL
) STRICT;
CREATE INDEX hold_blocks_by_id ON hold_blocks (last_id, first_id);

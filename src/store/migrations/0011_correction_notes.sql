-- Why somebody corrected a cost. Written before the money moves; a correction names its note. One
-- that no correction names is of a correction that changed nothing, or that a crash cut off.
CREATE TABLE correction_notes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('bill', 'refund', 'wrong_price', 'other')),
  reason TEXT NOT NULL,
  written_at INTEGER NOT NULL
) STRICT;
ALTER TABLE hold_corrections ADD COLUMN note_id INTEGER REFERENCES correction_notes (id);
CREATE INDEX hold_corrections_by_time ON hold_corrections (at);

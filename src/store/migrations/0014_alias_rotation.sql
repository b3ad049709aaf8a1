-- Which of several credentials with the same model is asked first.

ALTER TABLE aliases ADD COLUMN rotation TEXT NOT NULL DEFAULT 'order'
  CHECK (rotation = 'order' OR rotation = 'round-robin' OR rotation = 'least-used');

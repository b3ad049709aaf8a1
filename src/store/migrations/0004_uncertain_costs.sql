-- Attempts whose cost no bill has confirmed, for whoever reconciles them.
CREATE INDEX holds_uncertain ON holds (request_id, attempt)
  WHERE (state = 'unconfirmed' OR certainty = 'estimated' OR certainty = 'quarantined');

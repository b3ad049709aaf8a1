-- What a budget's owner may choose besides its limit. time_zone '': that of its subject's owner,
-- or UTC. downgrade_to: models, the ones that may stand in where money is short, separated by line
-- ends, which no name has.
ALTER TABLE budgets ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';
ALTER TABLE budgets ADD COLUMN downgrade_to TEXT NOT NULL DEFAULT '';

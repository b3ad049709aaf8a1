-- Requests whose cost nothing bounds, where an owner lets them through; and tokens by kind.

ALTER TABLE credentials ADD COLUMN allows_unbounded INTEGER NOT NULL DEFAULT 0;

-- Parts of the tokens that are summed up already, and what is billed by the piece. Hours from
-- before this step say 0.
ALTER TABLE usage_hours ADD COLUMN cached_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN audio_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN image_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN searches INTEGER NOT NULL DEFAULT 0;
-- Of requests and their cost, those that nothing bounded.
ALTER TABLE usage_hours ADD COLUMN unbounded_requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN unbounded_dollars INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hours ADD COLUMN unbounded_nanos INTEGER NOT NULL DEFAULT 0;

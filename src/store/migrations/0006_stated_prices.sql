-- What owners say that models cost them, with everything that can be billed: the keys of a row of
-- data/prices.jsonl, as JSON. Owner 0 is the workspace. Amounts there are decimal strings, so no
-- pico-dollar is lost.
CREATE TABLE stated_prices (
  owner_id INTEGER NOT NULL,                  -- 0: the workspace
  model TEXT NOT NULL,                        -- provider/model
  price TEXT NOT NULL,
  stated_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, model)
) STRICT, WITHOUT ROWID;

INSERT INTO stated_prices (owner_id, model, price, stated_at)
  SELECT owner_id, model,
    json_object(
      'input', printf('%d.%06d', input_picos / 1000000, input_picos % 1000000),
      'cached_input', printf('%d.%06d', cached_input_picos / 1000000, cached_input_picos % 1000000),
      'cache_write', printf('%d.%06d', cache_write_picos / 1000000, cache_write_picos % 1000000),
      'cache_write_1h',
      printf('%d.%06d', cache_write_1h_picos / 1000000, cache_write_1h_picos % 1000000),
      'output', printf('%d.%06d', output_picos / 1000000, output_picos % 1000000),
      'per_request',
      printf('%d.%012d', per_request_picos / 1000000000000, per_request_picos % 1000000000000)),
    stated_at
  FROM owner_prices;

DROP TABLE owner_prices;

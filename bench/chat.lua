-- wrk's part of bench/run: one chat request, over and over; what was measured as one line of
-- JSON, in microseconds. The request stands in files, because wrk's command line cannot carry it:
--   wrk … -s chat.lua URL -- BODY_FILE HEADERS_FILE

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(arguments)
  wrk.method = "POST"
  wrk.body = read(arguments[1])
  for name, value in read(arguments[2]):gmatch("([^:\n]+): ([^\n]+)") do
    wrk.headers[name] = value
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nwrk-json {"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "failed": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end

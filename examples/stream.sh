#!/bin/sh
# Streams an answer through Claviger with curl; the last event has the usage and its cost.
#
# sh examples/stream.sh [MODEL]
set -eu

# The key goes through standard input: an argument would show in the list of processes.
curl --silent --show-error --no-buffer --fail-with-body --config - "$CLAVIGER_BASE_URL/chat/completions" <<EOF
header = "Authorization: Bearer $CLAVIGER_API_KEY"
header = "Content-Type: application/json"
data = "{\"model\": \"${1:-local/smollm2-135m-instruct}\", \"stream\": true, \"stream_options\": {\"include_usage\": true}, \"max_tokens\": 100, \"messages\": [{\"role\": \"user\", \"content\": \"Why is the sky blue? Answer in one sentence.\"}]}"
EOF

# shellcheck shell=bash disable=SC2034  # read by tools/runner
# llama.cpp's source, as the npm package node-llama-cpp carries it: a git bundle inside the
# package. The integrity is what npm's registry states for that version (read 2026-11-23).
runner_package="node-llama-cpp"
runner_version="3.22.1"
runner_sha512="bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw=="
runner_bundle="package/llama/gitRelease.bundle"

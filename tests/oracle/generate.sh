#!/usr/bin/env bash
# Compares generated templates with Go: 100,000, or as many as the first argument says, from the seed
# that the second gives (1).
set -euo pipefail
cd "$(dirname "$0")/../.."
export LEASEHOLD_GENERATED=${1:-100000} LEASEHOLD_SEED=${2:-1}
exec cargo test --quiet --profile quick --test pure template::generated -- --nocapture

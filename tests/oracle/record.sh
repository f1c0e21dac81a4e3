#!/usr/bin/env bash
# Records what Go answers to every case under tests/corpus/template, in place.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
oracle=$("$here/setup.sh" | sed -n 1p)
"$oracle" record "$here"/../corpus/template/*.txt

#!/usr/bin/env bash
# Records in place what Go answers to every case under tests/corpus/template, and what `bao agent`
# renders for those under tests/corpus/functions.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
oracle=$("$here/setup.sh" | sed -n 1p)
"$oracle" record "$here"/../corpus/template/*.txt
"$here/record-functions" --all

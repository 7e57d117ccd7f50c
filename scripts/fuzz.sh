#!/bin/bash
#
# fuzz.sh - run every fuzz target of the tree for FUZZTIME [30s].
#
# Findings land in the package's testdata/fuzz and are committed as seeds.

set -euo pipefail

status=0 found=0
for package in $(go list ./cmd/... ./internal/...); do
    for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || :); do
        found=$((found + 1))
        echo "== $package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "$package" || status=1
    done
done
echo "$found fuzz targets"
[ "$found" -gt 0 ] || status=1
exit "$status"

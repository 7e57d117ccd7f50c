#!/bin/bash
#
# fuzz.sh - run every fuzz target of the tree for FUZZTIME [30s].
#
# Findings land in the package's testdata/fuzz and are committed as seeds. By default Go takes a
# minute to shorten each input that reaches something new: a target with many of them would
# spend its time on that, and execute nothing.

set -euo pipefail

# fuzz TARGET PACKAGE runs one target. On a busy machine Go before 1.27 may take the
# end of the time for a failure (go.dev/issue/75804): without a finding the run has passed.
fuzz() {
    local log
    log=$(mktemp)
    if go test -run '^$' -fuzz "^$1\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 20x "$2" 2>&1 | tee "$log" ||
        { grep -qx '    context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; }; then
        rm "$log"
        return 0
    fi
    rm "$log"
    return 1
}

status=0 found=0
for package in $(go list ./cmd/... ./internal/...); do
    for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || :); do
        found=$((found + 1))
        echo "== $package $target"
        fuzz "$target" "$package" || status=1
    done
done
echo "$found fuzz targets"
[ "$found" -gt 0 ] || status=1
exit "$status"

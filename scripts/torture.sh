#!/bin/bash
#
# torture.sh - what takes too long for each change, part by part, and a summary.
#
#   torture.sh [PART...]
#
#   boots     boot the helper BOOTS [500] times; its kernel must not oops once
#   kills     kill KILLS [100] deployments, or a part of one, at a random moment
#   hostile   every hostile image in every layout, HOSTILE of them [all]
#   faults    every fault in every layout, FAULTS of them [all]
#   systems   boot four releases of Debian with four network stacks each, twice
#   openrc    boot Debian's packages of what Alpine is made of, arranged as there, twice
#   cloud     four releases of Debian read what is written for cloud-init, and six systems of
#             them are configured by it, booted twice
#   labels    Debian 12 and 13 with SELinux enforcing, on each file system
#   disks     DISKS [all] combinations of partition table, file system, mode and size
#   corrupt   CORRUPT [100] runs with seven damaged file systems each
#   corpora   CORPORA [all] runs with the damaged file systems of the tools' own sources
#   layouts   LAYOUTS [all] of the layouts of Debian 12 and 13 boot
#   groups    the image worker in a delegated control group, by a kernel of its own
#   cluster   the tests in a Ganeti cluster of three nodes
#   windows   every version of Windows is deployed, what is not to be is refused, and WINDOWS [100] damaged ones
#   wine      the scripts of Windows run by the cmd.exe of wine, those of PowerShell are parsed
#
# Environment, besides these numbers: SEED [random]; ONLY, the number of a single run
# of a part; LIMIT, the seconds each part may take [7200]; UPDATE, not empty, which enters
# what the parts systems and cloud have shown into tests/support/testdata, of which
# "go test ./tests/support -update" then makes the tables of docs/guests.md. Ends with 1
# when anything failed or did not come to its end. SIGINT and SIGTERM end it in order. The whole
# output of a part is in build/torture/PART.log.

set -euo pipefail

: "${SEED:=$((RANDOM << 15 | RANDOM))}" "${LIMIT:=7200}"
readonly logs=$PWD/build/torture all=(boots kills hostile faults systems openrc cloud labels disks corrupt corpora layouts groups cluster windows wine)
[ $# -gt 0 ] || set -- "${all[@]}"
for part; do
    [[ " ${all[*]} " == *" $part "* ]] ||
        { echo "${0##*/}: there is no part \"$part\"; choose from ${all[*]}" >&2; exit 2; }
done

export SNF_STRICT=1 SNF_VM=1 SNF_GANETI=1 SNF_NODES=3
export SNF_SEED=$SEED SNF_LIMIT=$LIMIT SNF_ONLY=${ONLY:-} SNF_BOOTS=${BOOTS:-500} SNF_KILLS=${KILLS:-100} \
    SNF_HOSTILE=${HOSTILE:-} SNF_FAULTS=${FAULTS:-} SNF_DISKS=${DISKS:-} SNF_CORRUPT=${CORRUPT:-100} SNF_CORPORA=${CORPORA:-} SNF_LAYOUTS=${LAYOUTS:-} SNF_WINDOWS=${WINDOWS:-100}

child='' stopped=''

# stop ends the part that runs, which removes what it made; the next ones do not start.
stop() {
    stopped=1
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || :
}
trap stop INT TERM HUP

# run PART runs a part to its end, also past an interrupt.
run() {
    local package=tests/vm test=^TestTorture${1^}\$ status=0 update=()
    case $1 in
        systems|cloud) [ -z "${UPDATE:-}" ] || update=(-update);;
        cluster) package=tests/ganeti test=.;;
        wine)    package=internal/guest/windows/script test=^TestWineInVM\$;;
    esac
    # Not below "go test", which does not pass signals on. A session of its own: an
    # interrupt from the keyboard reaches it once, through stop.
    (
        cd "$package"
        exec setsid "$logs/${package##*/}.test" -test.v -test.run "$test" -test.timeout "$((LIMIT + 900))s" "${update[@]}"
    ) >"$logs/$1.log" 2>&1 &
    child=$!
    [ -z "$stopped" ] || stop
    while :; do
        status=0
        wait "$child" || status=$?
        kill -0 "$child" 2>/dev/null || break
    done
    child=''
    return "$status"
}

# tell PART STATUS prints how a part ended and what to look at.
tell() {
    local log=$logs/$1.log ended=passed
    if [ "$2" != 0 ]; then ended="FAILED ($2)"; fi
    echo "== $1: $ended in $SECONDS s"
    if [ "$1" = cluster ]; then
        echo "   $(grep -cE '^ *--- PASS' "$log" || :) tests passed, $(grep -cE '^ *--- FAIL' "$log" || :) failed"
    fi
    sed -n 's/^torture: /   /p' "$log"
    [ "$2" = 0 ] || { grep -E '^ *--- FAIL|to repeat it: make|left behind' "$log" || :; echo "   to repeat it: make torture PARTS=$1 SEED=$SEED; see $log"; }
}

main() {
    local part package failed summary told status
    mkdir -p "$logs"
    for package in tests/vm tests/ganeti internal/guest/windows/script; do
        go test -c -o "$logs/${package##*/}.test" "./$package"
    done
    echo "SEED=$SEED, at most $LIMIT s for each of: $*"
    failed=0 summary=''
    for part; do
        if [ -n "$stopped" ]; then
            summary+="== $part: FAILED, not run"$'\n' failed=1
            continue
        fi
        SECONDS=0 status=0
        run "$part" || status=$?
        [ "$status" = 0 ] || failed=1
        told=$(tell "$part" "$status")
        echo "$told"
        summary+=$told$'\n'
    done
    [ $# = 1 ] || printf '\nSummary, SEED=%s\n%s' "$SEED" "$summary"
    exit "$failed"
}

main "$@"

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For the cases, in the guest.  A case prints what it sees and ends with 0 (as expected), 77 (not
# on this kernel) or anything else.
set -u

fail() {
    echo "unexpected: $*"
    exit 1
}

# start_tap DEVICE PROTOCOL [OPTION...] - sets $tap_pid once the tap listens
start_tap() {
    [ -p tap-fifo ] || mkfifo tap-fifo
    zcprobe tap "$@" >tap-fifo &
    read -r tap_line <tap-fifo || fail "the tap did not start"
    tap_pid=${tap_line#TAP pid=}
}

stop_tap() {
    kill "$tap_pid"
    wait "$tap_pid" 2>/dev/null || : # killed, as it should be
}

# expect_zc y|n|m - sends 32 MiB by zero-copy to the host
expect_zc() {
    sent=$(zcprobe send "$LAB_PEER" 9000 zc 262144 33554432) || fail "zcprobe send failed"
    echo "$sent"
    [ "${sent##*zc=}" = "$1" ] || fail "zc=${sent##*zc=} instead of $1"
}

# expect_diagnosis VERDICT [PATTERN] - the doctor's, and a line that must be among its findings
expect_diagnosis() {
    diagnosis=$(zcprobe diagnose "$LAB_PEER") || {
        [ $? -ne 77 ] || exit 77 # built without libnl
        fail "zcprobe diagnose failed"
    }
    echo "$diagnosis"
    echo "$diagnosis" | grep -q "^VERDICT $1 " || fail "the verdict is not $1"
    [ $# -lt 2 ] || echo "$diagnosis" | grep -q "$2" || fail "no finding matches '$2'"
}

# Whether the list of unbound taps is one for all namespaces: before about 6.18.
taps_are_global() {
    case $(uname -r) in
    [1-5].* | 6.[0-9].* | 6.1[0-7].*) return 0 ;;
    *) return 1 ;;
    esac
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The runs of tests/lab/well-known-experiment, in its order.
run() {
    echo "COST run=$1 engine=$2 tap=$3 mib=256"
    zcprobe count "$1" zcmig bench "tcp:$LAB_PEER:9000" --engines="$2" --chunks=64K --bytes=256M \
        --runs=1 --selftest-format || fail "zcmig bench: exit code $?"
}

run plain copy no
start_tap eth0 3
run tap zerocopy yes
stop_tap
run no-tap zerocopy no
run again zerocopy no

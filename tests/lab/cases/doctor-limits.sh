# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Limits and features as the doctor sees them: which it names, with the arithmetic and a remedy, and
# what a burst meets under them.

# diagnosis CODE PATTERN... -- COMMAND...: a line that matches each pattern
diagnosis() {
    expected=$1
    shift
    patterns=
    while [ "$1" != -- ]; do
        patterns="$patterns$1
"
        shift
    done
    shift
    status=0
    "$@" >report 2>&1 || status=$?
    cat report
    [ $status -eq "$expected" ] || fail "exit code $status instead of $expected"
    echo "$patterns" | while read -r pattern; do
        grep -q "$pattern" report || fail "no line matches '$pattern'"
    done || exit 1
}

nobody() {
    busybox su nobody -s /bb/sh -c "LD_LIBRARY_PATH=/lib /bin/zcmig $*"
}

diagnosis 0 'note .*RLIMIT_MEMLOCK does not bind' 'CAP_IPC_LOCK' -- zcmig doctor "$LAB_PEER"

# 20480 bytes of option memory are 23 to 26 calls; the link of 10 GiB/s and 10 ms holds more.
echo 20480 >/proc/sys/net/core/optmem_max
diagnosis 0 'limits .*optmem_max lets each socket have 1[1-3].* less than the link holds' \
    '10 GiB/s with a round trip of 10 ms needs 102.40 MiB in flight' 'do: .*optmem_max=1048576' -- \
    zcmig doctor "$LAB_PEER" --bandwidth=10G/s --rtt=10
echo 1048576 >/proc/sys/net/core/optmem_max
diagnosis 0 'note .*optmem_max lets each socket have' -- \
    zcmig doctor "$LAB_PEER" --bandwidth=10G/s --rtt=10

# 8 MiB for a user are 15 calls of 512 KiB, all sockets together; 64 KiB hold small calls; 8 KiB none.
ulimit -l 8192 # shellcheck disable=SC3045
diagnosis 0 'note .*all sockets of the user together have 7.50 MiB in flight' -- \
    nobody doctor "$LAB_PEER"
diagnosis 0 'limits .*have 7.50 MiB in flight, which is too little' 'do: .*LimitMEMLOCK=' -- \
    nobody doctor "$LAB_PEER" --bandwidth=10G/s --rtt=10
diagnosis 0 'the probe agrees: the kernel copied none of 64 calls' -- \
    nobody doctor --probe "tcp:$LAB_PEER:9000"
ulimit -l 64 # shellcheck disable=SC3045
diagnosis 0 'limits .*have 56 KiB in flight, which is too little' 'the probe agrees' -- \
    nobody doctor --probe "tcp:$LAB_PEER:9000"
ulimit -l 8 # shellcheck disable=SC3045
diagnosis 5 'copies .*too small for a single zero-copy call' \
    'copies .*the probe sent by copy: RLIMIT_MEMLOCK is too small' -- \
    nobody doctor --probe "tcp:$LAB_PEER:9000"
ulimit -l unlimited # shellcheck disable=SC3045

# A kernel feature that is switched off, where there is a switch.
diagnosis 0 'zero-copy for TCP over IPv4, TCP over IPv6, UDP' 'io_uring: SENDMSG_ZC' -- \
    zcmig doctor "$LAB_PEER"
if [ -e /proc/sys/kernel/io_uring_disabled ]; then
    echo 2 >/proc/sys/kernel/io_uring_disabled
    diagnosis 0 'note .*io_uring cannot be used' 'io_uring_disabled is 2' \
        'do: .*kernel.io_uring_disabled=0' -- zcmig doctor "$LAB_PEER"
    echo 0 >/proc/sys/kernel/io_uring_disabled
fi
diagnosis 5 'copies .*AF_UNIX has no zero-copy here' -- zcmig doctor unix:/tmp/x
diagnosis 5 'copies .*packets stay on this host' -- zcmig doctor "$(
    /bin/ip -4 -o addr show dev eth0 | sed 's/.* inet \([0-9.]*\).*/\1/')"
exit 0

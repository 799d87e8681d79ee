# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154 # tap_pid is start_tap's
# doctor --probe where TCP zero-copy is real: it agrees on a clean path and with a tap, does not
# believe the notes with scatter-gather off, decides what a user without rights cannot see, and a
# veth that a bridge joins to the NIC is not called a copy.

# probe CODE PATTERN...: of the JSON of a probe of the host; $run runs it
probe() {
    expected=$1
    shift
    status=0
    # shellcheck disable=SC2086 # words
    $run zcmig doctor --probe "tcp:$LAB_PEER:9000" --json >report || status=$?
    cat report
    [ $status -eq "$expected" ] || fail "exit code $status instead of $expected"
    for pattern in "$@"; do
        grep -q "$pattern" report || fail "no '$pattern'"
    done
}

run=
nobody="busybox su nobody -s /bb/sh -c"

probe 0 'the probe agrees: the kernel copied none' '"copied-max":0'
start_tap eth0 3
probe 5 'the probe agrees: the kernel copied all' "\"pid\":$tap_pid,"
stop_tap

ethtool -K eth0 sg off >/dev/null
probe 5 '"cause":"scatter-gather-off"' '"cause":"probe"'
ethtool -K eth0 sg on tso on >/dev/null

# A user sees a tap, but not whether it ignores what is sent: unknown, until a probe decides.
start_tap eth0 3 ignore-outgoing
status=0
$nobody "LD_LIBRARY_PATH=/lib /bin/zcmig doctor $LAB_PEER" >report || status=$?
cat report
[ $status -eq 1 ] || fail "exit code $status without rights"
grep -q 'missing: CAP_SYS_PTRACE' report || fail "the missing right is not named"
$nobody "LD_LIBRARY_PATH=/lib /bin/zcmig doctor --probe tcp:$LAB_PEER:9000" >report || fail "exit code $?"
cat report
grep -q 'the probe decides: the kernel copied none' report || fail "the probe does not decide"
stop_tap

# A namespace whose veth a bridge joins to the NIC: forwarded as it is.  /bin/ip: busybox has its own.
start_tap any 0x88cc netns
holder=$tap_pid
/bin/ip link add br0 type bridge || exit 77
/bin/ip addr flush dev eth0
/bin/ip link set eth0 master br0
/bin/ip link set br0 up
/bin/ip link add v0 type veth peer name v1
/bin/ip link set v1 netns $holder
/bin/ip link set v0 master br0
/bin/ip link set v0 up
run="nsenter -t $holder -n"
$run /bin/ip addr add 10.77.0.2/24 dev v1
$run /bin/ip link set v1 up
status=0
(
    $run zcmig doctor "$LAB_PEER" --json >report && fail "exit code 0 of a bridged veth"
    cat report
    grep -q '"effect":"unknown","cause":"bridged-peer"' report || fail "no bridged-peer"
    probe 0 'the probe decides: the kernel copied none'
    start_tap eth0 3 # in the host's namespace
    probe 5 'copied all' "\"pid\":$tap_pid,"
    stop_tap
) || status=1
/bin/ip link del br0
/bin/ip link del v0
/bin/ip addr add 10.77.0.2/24 dev eth0
kill $holder
exit $status

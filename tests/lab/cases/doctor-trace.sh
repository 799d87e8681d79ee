# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Where the kernel copies is shown, and named, for each cause whose copy it makes in another place;
# afterwards nothing is left of the trace, whichever way it ended.
tracing=/sys/kernel/tracing
[ -e $tracing/kprobe_events ] || exit 77

nothing_left() {
    [ -z "$(ls $tracing/instances)" ] || fail "$1: an instance is left"
    [ -z "$(cat $tracing/kprobe_events)" ] || fail "$1: probes are left"
}

# The probe on releases is the last that is made.
until_tracing() {
    until grep -q release $tracing/kprobe_events; do :; done
}

# expect_trace EXIT DEST EVENT CAUSE FUNCTION...: that way is among the stacks, and no tap where
# there is none
expect_trace() {
    expected=$1 dest=$2 event=$3 cause=$4
    shift 4
    status=0
    zcmig doctor --trace "$dest" --json >report || status=$?
    cat report
    [ $status -eq "$expected" ] || fail "$cause: exit code $status"
    pattern="\"event\":\"$event\",\"hits\":[1-9][0-9]*,\"cause\":\"$cause\",[^]]*"
    for function in "$@"; do
        pattern="$pattern\"$function\"[^]]*"
    done
    grep -q "$pattern" report || fail "no stack '$pattern'"
    [ "$cause" = packet-tap ] || ! grep -q '"cause":"packet-tap"' report || fail "$cause: a tap?"
    nothing_left "$cause"
}

zcmig bench --sink=tcp:127.0.0.1:9 >sink.log &
sink=$!
trap 'kill $sink 2>/dev/null' EXIT
until grep -q listening sink.log; do :; done
dest=tcp:$LAB_PEER:9000

# A clean path: no copy anywhere, and packets let go of the pages so.
zcmig doctor --trace "$dest" --json >report 2>report.err || {
    grep -q 'without libtracefs' report.err && exit 77
    cat report report.err
    fail "exit code on a clean path"
}
cat report
grep -q '"stacks":\[\],"releases":{"copied":0,"not-copied":[1-9]' report || fail "not clean"
nothing_left "clean path"

start_tap eth0 3
expect_trace 5 "$dest" copy packet-tap skb_copy_ubufs dev_queue_xmit_nit
stop_tap

ethtool -K eth0 tx off >/dev/null
expect_trace 5 "$dest" pull tx-checksum-off __pskb_pull_tail skb_segment validate_xmit_skb
ethtool -K eth0 tx on sg on tso on >/dev/null

# The notes deny most of it, and yet the doctor says what happens.
ethtool -K eth0 sg off >/dev/null
expect_trace 5 "$dest" segment software-segmentation skb_segment validate_xmit_skb
ethtool -K eth0 sg on tso on >/dev/null

expect_trace 5 127.0.0.1 copy loopback skb_copy_ubufs __netif_receive_skb_core process_backlog

# Without DEST: what others do meanwhile.
start_tap eth0 3
zcmig doctor --trace --duration=3 >report &
tracer=$!
until_tracing
zcprobe send "$LAB_PEER" 9000 zc 262144 8388608
status=0
wait $tracer || status=$?
stop_tap
cat report
[ $status -eq 5 ] || fail "exit code $status with a tap and without DEST"
grep -q 'copy .* times: a packet tap gets a clone' report || fail "a sender's copies are not seen"
grep -q 'release .* [1-9][0-9]* times copied' report || fail "a sender's packets are not counted"
nothing_left "without DEST"

# A signal ends it in order.
zcmig doctor --trace --duration=60 >/dev/null 2>&1 &
tracer=$!
until_tracing
kill -TERM $tracer
status=0
wait $tracer || status=$?
[ $status -eq 4 ] || fail "exit code $status after SIGTERM"
nothing_left SIGTERM

# Who was killed cannot tidy up; the next one does it.
zcmig doctor --trace --duration=60 >/dev/null 2>&1 &
tracer=$!
until_tracing
kill -KILL $tracer
wait $tracer 2>/dev/null
[ -n "$(cat $tracing/kprobe_events)" ] || fail "nothing was left to tidy up"
zcmig doctor --trace --duration=1 >/dev/null || fail "exit code $? on a clean machine"
nothing_left SIGKILL

# No right, no trace, and a word about it.
status=0
busybox su nobody -s /bb/sh -c 'PATH=/bin:/bb LD_LIBRARY_PATH=/lib zcmig doctor --trace' >report 2>&1 || status=$?
cat report
[ $status -eq 1 ] || fail "exit code $status without rights"
grep -q 'cannot trace: .*root' report || fail "the missing right is not named"
exit 0

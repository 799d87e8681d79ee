# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The kernel's own stacks: who called the copying function, for each cause.  A packet without
# checksum offload is copied where skb_copy_ubufs does not show it.
tracing=/sys/kernel/tracing
[ -e $tracing/kprobe_events ] || exit 77
case $(uname -r) in
6.1.*) stack=stacktrace ;;
*) stack=common_stacktrace ;;
esac
printf 'p:zc/copy skb_copy_ubufs\np:zc/pull __pskb_pull_tail\n' >$tracing/kprobe_events

# traced ADDRESS PORT CHUNK TOTAL - sends with both functions traced; the stacks are in files of the events' names
traced() {
    for event in copy pull; do
        echo "hist:keys=$stack" >$tracing/events/zc/$event/trigger
    done
    zcprobe send "$1" "$2" zc "$3" "$4" || fail "zcprobe send failed"
    for event in copy pull; do
        grep -v '^#' $tracing/events/zc/$event/hist >$event
        echo "!hist:keys=$stack" >$tracing/events/zc/$event/trigger
    done
}

# stack_shows EVENT FUNCTION - prints the first stack; one of them must have it
stack_shows() {
    # The first one of the file, innermost function first, without the probe itself.
    echo "STACK $1: $(sed '/hitcount/q' "$1" | sed -n 's/^ *\([a-z_][a-zA-Z0-9_.]*\)+0x.*/\1/p' |
        grep -v kprobe | tr '\n' ' ')"
    grep -q " $2+0x" "$1" || fail "$2 is in no stack of $1"
}

traced "$LAB_PEER" 9000 262144 4194304
[ "$(grep -c hitcount copy)" = 0 ] || fail "skb_copy_ubufs was called on a clean path: $(cat copy)"

start_tap eth0 3
traced "$LAB_PEER" 9000 262144 4194304
stack_shows copy dev_queue_xmit_nit
stop_tap

zcprobe sink 9000 0 >sink &
traced 127.0.0.1 9000 262144 4194304
stack_shows copy process_backlog

# One packet of one segment is made linear for its checksum, larger ones where they are cut up.
ethtool -K eth0 tx off >/dev/null
traced "$LAB_PEER" 9000 1024 1024
[ "$(grep -c hitcount copy)" = 0 ] || fail "skb_copy_ubufs shows it: $(cat copy)"
stack_shows pull skb_checksum_help
traced "$LAB_PEER" 9000 262144 4194304
[ "$(grep -c hitcount copy)" = 0 ] || fail "skb_copy_ubufs shows it: $(cat copy)"
stack_shows pull skb_segment
ethtool -K eth0 tx on sg on tso on >/dev/null
echo >$tracing/kprobe_events

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

# expect_torn copy|zc none|some - overwrites 4 MiB at once after the call that sent them
expect_torn() {
    torn=$(zcprobe torn "$LAB_PEER" 9001 "$1" 4194304) || fail "zcprobe torn failed"
    echo "$torn"
    case $2:${torn##*overwritten=} in
    none:0) ;;
    some:0 | none:*) fail "overwritten=${torn##*overwritten=}, expected $2" ;;
    esac
}

# make_image - 32 MiB in $image, no page of zeros and none like its neighbours; once per boot
image=$PWD/image
make_image() {
    [ -e $image ] && return
    head -c 4194304 /dev/urandom >part
    for _ in 1 2 3 4 5 6 7 8; do
        cat part
    done >$image
    rm part
}

# start_recv [OPTION...] - a zcmig recv on the host, at $address
start_recv() {
    [ -p order ] || mkfifo order answer
    nc "$LAB_PEER" 9002 <order >answer &
    exec 8<>order 9<>answer # an open that waits would be interrupted by a child that ends
    echo "recv $*" >&8
    read -r line <&9 || fail "no zcmig recv on the host"
    address=$(echo "$line" | sed -n 's/.*"address":"\([^"]*\)".*/\1/p')
    [ -n "$address" ] || fail "the receiver says: $line"
}

# end_recv - its report is in the file "received"; it must have ended well
end_recv() {
    : >received
    while read -r line <&9; do
        case $line in
        "RECV-END "*) break ;;
        *) echo "$line" >>received ;;
        esac
    done
    exec 8>&- 9<&-
    [ "$line" = "RECV-END 0" ] || fail "the receiver: $line, $(cat received)"
}

# field NAME - of the only channel in the file "sent"
field() {
    sed -n 's/.*"channels":.*"'"$1"'":\("[^"]*"\|[0-9]*\).*/\1/p' sent | tr -d '"'
}

# What the notes amount to, as zcmig bench says it: one of several calls speaks for its first.
zc_of_notes() {
    if [ "$(field completed)" = 0 ]; then
        echo -
    elif [ "$(field min)" -gt 0 ]; then
        if [ "$(field max)" -lt "$(field completed)" ]; then echo m; else echo n; fi
    else
        if [ "$(field max)" -lt "$(field completed)" ]; then echo y; else echo '?'; fi
    fi
}

# said WHAT - prints and checks the report in the file "sent": all pages compared, all calls noted
said() {
    echo "MOVED $1: zc=$(zc_of_notes) engine=$(field engine) state=$(field state)" \
        "calls=$(field calls) copied=$(field min)..$(field max) copy-bytes=$(field copy-bytes)" \
        "splice-calls=$(field splice-calls) enobufs-optmem=$(field enobufs-optmem)" \
        "enobufs-memlock=$(field enobufs-memlock) split=$(field packets-split)" \
        "by-copy=$(field packets-by-copy) reason='$(field reason)$(field engine-reason)'"
    [ "$(field calls)" = "$(field completed)" ] || fail "$(field completed) calls completed"
    verified=$(sed -n 's/.*"verified-pages":\([0-9]*\).*/\1/p' sent)
    [ "$verified" = 8192 ] || fail "$verified pages of 8192 were compared: $(cat sent)"
}

# move [OPTION...] - the image to the host by zcmig, every page compared by its digest; the report is
# in the file "sent".  $as: a command in front of it
as=
move() {
    make_image
    start_recv
    # shellcheck disable=SC2086 # a command is words
    $as zcmig send $image "$address" --json --quiet --channels=1 "$@" >sent ||
        fail "zcmig send: exit code $?: $(cat sent)"
    end_recv
    said "${as:+$as }$*"
}

# move_to_stalling COMMAND [OPTION...] - as move, to a receiver that stands still as soon as some of
# the image has come, until the sender has filled its socket with all of it; COMMAND is run at once
move_to_stalling() {
    when_stopped=$1
    shift
    make_image
    start_recv
    [ -p progress ] || mkfifo progress
    # shellcheck disable=SC2086 # a command is words
    $as zcmig send $image "$address" --json --quiet --channels=1 --progress=3 "$@" >sent 3>progress &
    sender=$!
    stopped=no
    while read -r line; do
        transferred=$(echo "$line" | sed -n 's/.*"transferred":\([0-9]*\).*/\1/p')
        if [ $stopped = no ] && [ "${transferred:-0}" -gt 1048576 ]; then
            echo stop >&8
            $when_stopped
            stopped=yes
        fi
        case $stopped:$line in
        yes:*\"remaining\":0,*)
            echo go >&8
            stopped=over
            ;;
        esac
    done <progress
    wait $sender || fail "zcmig send: exit code $?: $(cat sent)"
    end_recv
    [ $stopped = over ] || fail "the receiver never stood still"
    said "${as:+$as }$* (stalled receiver)"
}

# expect_no_page_copied - by our own doing: headers of packets without pages are
expect_no_page_copied() {
    [ "$(field copy-bytes)" -lt 4096 ] || fail "$(field copy-bytes) bytes were sent by copy"
}

# expect FIELD VALUE - in the last report; "zc" is what its notes amount to
expect() {
    if [ "$1" = zc ]; then got=$(zc_of_notes); else got=$(field "$1"); fi
    # shellcheck disable=SC2254 # a pattern
    case $got in
    $2) ;;
    *) fail "$1 is $got instead of $2: $(cat sent)" ;;
    esac
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

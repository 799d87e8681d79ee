# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What tests/lab/cost counts.  Each line "COST ..." belongs to the next two marks.

# cost SENDER ENGINE CHUNK TAP MIB COMMAND... - SENDER is what COMMAND does, for the table
cost() {
    echo "COST sender=$1 engine=$2 chunk=$3 tap=$4 mib=$5"
    shift 5
    "$@" >out 2>&1 || fail "$*: exit code $?: $(cat out)"
    cat out
}

# Sends by a few lines of C, marked around the calls themselves.
probe() {
    name=$1 engine=$2 chunk=$3 mib=$4
    shift 4
    cost "$name" "$engine" "$chunk" "$tap" "$mib" \
        zcprobe send "$LAB_PEER" 9000 "$engine" "$chunk" $((mib << 20)) mark "$@"
}

# bench NAME ENGINE [OPTION...]
# A whole process, twice: its start costs the same both times, and the difference is the data.
bench() {
    name=$1 engine=$2
    shift 2
    for mib in 16 64; do
        cost "$name" "$engine" 524288 "$tap" $mib zcprobe count bench zcmig bench \
            "tcp:$LAB_PEER:9000" --engines="$engine" --chunks=512K --bytes=${mib}M --runs=1 "$@"
    done
}

# transfer NAME MODE PAGES SOURCE [OPTION...] - SOURCE has an @ where the size goes
transfer() {
    name=$1 zerocopy=$2 pages=$3 source=$4
    shift 4
    for mib in 16 64; do
        start_recv --verify=off
        cost "$name" "$zerocopy" $((pages * 4096)) "$tap" $mib zcprobe count send \
            zcmig send "${source%@*}$mib${source#*@}" "$address" --json --quiet --channels=1 \
            --verify=off --zerocopy="$zerocopy" --packet-pages="$pages" "$@"
        end_recv
    done
}

# Linux has no huge pages for a machine of less than 512 MiB, whatever is set.
grep -q '\[always\]\|\[madvise\]' /sys/kernel/mm/transparent_hugepage/enabled ||
    fail "no huge pages in this guest"
if [ ! -e image64 ]; then
    head -c 4194304 /dev/urandom >part
    cat part part part part >image16
    cat image16 image16 image16 image16 >image64
    rm part
fi
# Rounds, so that the median of each is of different moments.
for round in 1 2 3; do
    echo "round $round"
    for tap in no yes; do
        [ $tap = no ] || start_tap eth0 3
        for engine in copy zc; do
            for chunk in 4096 16384 65536 262144 524288 1048576; do
                probe chunk $engine $chunk 16
            done
            # The two ways of calling, packets of 128 pages, and what lies between them.
            probe zcmig $engine 524288 32 same-header
            probe zcmig-header-call $engine 524288 32 header
            probe zcmig-pages $engine 524288 32 same-header pages
            probe qemu $engine 524288 32 header pages late
            # The same from pages of 4 KiB.
            probe chunk-small $engine 524288 32 small
            probe zcmig-small $engine 524288 32 same-header small
            probe qemu-small $engine 524288 32 header pages late small
        done
        for engine in copy zerocopy io_uring splice; do
            bench bench $engine
            bench bench-small $engine --small-pages
        done
        transfer image off 128 image@
        transfer image on 128 image@
        transfer image-no-merge on 128 image@ --no-merge
        transfer guest off 128 guest:@M,dirty=0
        transfer guest on 128 guest:@M,dirty=0
        if [ $tap = no ]; then
            for pages in 4 16 64; do
                transfer image off $pages image@
                transfer image on $pages image@
            done
        else
            stop_tap
        fi
    done
done

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC3045 # busybox has ulimit -l
# A user without CAP_IPC_LOCK, whose RLIMIT_MEMLOCK all its processes share: 8 MiB are 15 packets,
# and zcmig stays below; in 64 KiB only smaller calls fit; when another process of the same user
# holds it all, or nearly, packets are copied, or cut for what that leaves.  It never fails.
chmod 755 .
ulimit -l 8192
as="zcprobe as 60001"
make_image
chmod 644 $image
move --zerocopy=on
expect zc y
expect enobufs-memlock 0
expect_no_page_copied

(
    ulimit -l 64
    move --zerocopy=on
    expect zc y
    expect max 0
    [ "$(field packets-split)" -gt 0 ] || fail "no packet was split"
    expect reason '*RLIMIT_MEMLOCK*'
) || exit 1

as="zcprobe as 60002"
: >flood
ZCPROBE_UID=60002 zcprobe flood "$LAB_PEER" 9001 16384 >flood &
flood=$!
until grep -q HELD flood; do
    [ -d /proc/$flood ] || fail "zcprobe flood failed"
done
move --zerocopy=on
kill $flood 2>/dev/null
[ "$(field enobufs-memlock)" -gt 0 ] || fail "the kernel refused nothing"
[ $(($(field packets-by-copy) + $(field packets-split))) -gt 0 ] || fail "no packet made way"
expect reason '*RLIMIT_MEMLOCK*'

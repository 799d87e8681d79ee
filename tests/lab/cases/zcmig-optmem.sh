# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# optmem_max 20480 and a receiver that stands still: 23 to 26 calls may be in flight, and the socket
# takes more.  zcmig keeps below by itself when it could read the limit, counts the refusals when the limit
# came later, and in neither case fails.
wmem=$(cat /proc/sys/net/ipv4/tcp_wmem)
echo "4096 67108864 67108864" >/proc/sys/net/ipv4/tcp_wmem
small_optmem() {
    echo 20480 >/proc/sys/net/core/optmem_max
}

status=0
(
    small_optmem
    move_to_stalling true --zerocopy=on --max-bandwidth=12M
    expect enobufs-optmem 0
    expect min 0
    [ "$(field packets-by-copy)" -gt 0 ] || fail "no packet was sent by copy"
    expect reason '*optmem_max*'

    echo 131072 >/proc/sys/net/core/optmem_max
    move_to_stalling small_optmem --zerocopy=on --max-bandwidth=12M
    [ "$(field enobufs-optmem)" -gt 0 ] || fail "the kernel refused nothing"
    expect min 0
    expect reason '*optmem_max*'
) || status=1
echo "$wmem" >/proc/sys/net/ipv4/tcp_wmem
exit $status

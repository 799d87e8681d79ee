# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Bridge and bond over the NIC: virtual, and yet nothing is copied; what happens to the device below
# counts.  The network is put back as it was, whatever the result.
check_stack() {
    expect_zc y
    expect_diagnosis works
    start_tap eth0 3
    expect_zc n
    expect_diagnosis copies "cause=packet-tap device=eth0"
    stop_tap
    ethtool -K eth0 tx off >/dev/null
    expect_zc n
    expect_diagnosis copies "cause=tx-checksum-off device=eth0"
    ethtool -K eth0 tx on sg on tso on >/dev/null
    ethtool -K eth0 sg off >/dev/null
    expect_diagnosis copies "cause=scatter-gather-off device=eth0"
    ethtool -K eth0 sg on tso on >/dev/null
    ethtool -K top0 tx on sg on tso on >/dev/null 2>&1
    expect_zc y
}

status=0
for kind in bridge bond; do
    # shellcheck disable=SC2046 # the mode is two words
    ip link add top0 type $kind $([ $kind = bond ] && echo mode active-backup) || exit 77
    ip addr flush dev eth0
    ip link set eth0 down # as bond wants it
    ip link set eth0 master top0
    ip link set eth0 up
    ip addr add 10.77.0.2/24 dev top0
    ip link set top0 up
    (check_stack) || status=1
    ip link del top0
    ip link set eth0 up
    ip addr replace 10.77.0.2/24 dev eth0
done
exit $status

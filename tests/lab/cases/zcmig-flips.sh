# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What makes the kernel copy a transfer, one after the other: "on" keeps asking and every note says
# copied; "auto" stops asking and says why.
flipped() {
    move --zerocopy=on
    expect zc n
    expect reason '*the kernel copied*'
    move --zerocopy=auto
    expect state paused-copied
    expect reason '*the kernel copied*'
}

for device in eth0 any; do
    start_tap $device 3
    flipped
    stop_tap
done

ethtool -K eth0 tx off >/dev/null
flipped
ethtool -K eth0 tx on sg on tso on >/dev/null

start_tap any 3 netns
if taps_are_global; then
    flipped
else
    move --zerocopy=on
    expect zc y
fi
stop_tap

# Below a bridge, which alone would not copy.
ip link add br0 type bridge || exit 77
ip addr flush dev eth0
ip link set eth0 master br0
ip addr add 10.77.0.2/24 dev br0
ip link set br0 up
status=0
(
    move --zerocopy=on
    expect zc y
    start_tap eth0 3
    flipped
    stop_tap
) || status=1
ip link del br0
ip addr replace 10.77.0.2/24 dev eth0
[ $status -eq 0 ] || exit 1

move --zerocopy=on
expect zc y

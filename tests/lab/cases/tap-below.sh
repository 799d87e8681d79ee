# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The tap listens on the device below the one that the route names.
ip link add link eth0 name mv0 type macvlan mode bridge || exit 77
start_tap eth0 3
ip addr flush dev eth0
ip addr add 10.77.0.2/24 dev mv0
ip link set mv0 up
status=0
(expect_zc n && expect_diagnosis copies "cause=packet-tap device=eth0") || status=1
stop_tap
(expect_zc y && expect_diagnosis works) || status=1
ip link del mv0
ip addr add 10.77.0.2/24 dev eth0
exit $status

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Checksum offload off copies.  Scatter-gather off copies too, but the kernel's notes deny it in
# part (m, even y), so only the doctor's verdict is held here.
ethtool -K eth0 tx off >/dev/null
expect_zc n
expect_diagnosis copies "cause=tx-checksum-off device=eth0"
ethtool -K eth0 tx on >/dev/null
ethtool -K eth0 sg off >/dev/null
zcprobe send "$LAB_PEER" 9000 zc 262144 8388608
expect_diagnosis copies "cause=scatter-gather-off device=eth0"
ethtool -K eth0 sg on tso on >/dev/null
expect_zc y
# Segmentation offload off is slow, and yet no copy.
ethtool -K eth0 tso off gso off >/dev/null
expect_zc y
expect_diagnosis works "effect=note cause=tso-off device=eth0"
ethtool -K eth0 tso on gso on >/dev/null

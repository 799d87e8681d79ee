# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Taps that see no outgoing packet of this device cost nothing, and the doctor does not cry wolf.
start_tap eth0 0x88cc
start_tap eth0 0x0800
start_tap lo 3
start_tap eth0 3 ignore-outgoing
expect_zc y
expect_diagnosis works

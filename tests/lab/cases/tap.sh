# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154 # tap_pid is start_tap's
# A packet tap makes every call a copy, with or without a filter, bound or not, and the doctor
# names it; without it zero-copy is back.
for device in eth0 any; do
    for option in "" reject; do
        # shellcheck disable=SC2086 # an empty option is none
        start_tap $device 3 $option
        expect_zc n
        expect_diagnosis copies "cause=packet-tap .*process=zcprobe pid=$tap_pid own-netns=1"
        stop_tap
    done
done
expect_zc y

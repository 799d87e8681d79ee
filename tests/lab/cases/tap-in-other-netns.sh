# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154 # tap_pid is start_tap's
# A tap on every interface of a namespace that has none of ours.
start_tap any 3 netns
if taps_are_global; then
    expect_zc n
    expect_diagnosis copies "cause=packet-tap .*process=zcprobe pid=$tap_pid own-netns=0"
else
    expect_zc y
    expect_diagnosis works
fi
stop_tap
expect_zc y

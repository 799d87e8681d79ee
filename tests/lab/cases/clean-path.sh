# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Nothing listens: the kernel sends user pages as they are, and the doctor says so.
zcprobe send "$LAB_PEER" 9000 copy 262144 33554432 || fail "plain send"
expect_zc y
expect_diagnosis works

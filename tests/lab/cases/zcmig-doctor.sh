# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154 # tap_pid is start_tap's
# The command itself, on a path where zero-copy really works, and with a tap on it.
expect_diagnosis works
zcmig doctor "$LAB_PEER" || fail "exit code $? on a clean path"
start_tap eth0 3
status=0
zcmig doctor "$LAB_PEER" --json >report || status=$?
[ $status -eq 5 ] || fail "exit code $status with a tap"
cat report
grep -q "\"cause\":\"packet-tap\",\"device\":\"eth0\".*\"pid\":$tap_pid," report || fail "no PID $tap_pid"

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# 8 MiB of RLIMIT_MEMLOCK are 15 calls of 512 KiB for a user without CAP_IPC_LOCK.
# shellcheck disable=SC3045 # busybox has it
ulimit -l 8192
flood=$(ZCPROBE_UID=65534 zcprobe flood "$LAB_PEER" 9001 524288) || fail "zcprobe flood failed"
echo "$flood"
case $flood in
*calls=15\ *errno=ENOBUFS*then=sent) ;;
*) fail "not 15 calls, ENOBUFS and recovery" ;;
esac

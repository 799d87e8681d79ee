# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# With optmem_max 20480 a socket gets 23 to 26 calls of 512 KiB in flight, then ENOBUFS; the
# doctor's arithmetic gives the same number from what it measured.
echo 20480 >/proc/sys/net/core/optmem_max
flood=$(zcprobe flood "$LAB_PEER" 9001 524288) || fail "zcprobe flood failed"
echo "$flood"
calls=$(echo "$flood" | sed -n 's/.* calls=\([0-9]*\) .*/\1/p')
case $flood in
*errno=ENOBUFS*then=sent) ;;
*) fail "no ENOBUFS, or no recovery after a note" ;;
esac
{ [ "$calls" -ge 20 ] && [ "$calls" -le 30 ]; } || fail "$calls calls"
mib=$(awk "BEGIN { printf \"%.4g\", $calls / 2 }")
zcprobe diagnose "$LAB_PEER" | grep 'cause=optmem' | sed 's/\.\([1-9]\)0 MiB/.\1 MiB/' >optmem-line
cat optmem-line
grep -q "each socket have $mib MiB in flight" optmem-line || fail "the doctor does not say $mib MiB"

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# vsock, within the guest: 6.1 has no zero-copy there and the doctor says so; later kernels have it,
# and a probe agrees.
[ -e /dev/vsock ] || exit 77
mkfifo listening
zcmig bench --sink=vsock:local:1234 >listening &
sink=$!
read -r line <listening
echo "$line"
status=0
zcmig doctor --probe vsock:local:1234 >report || status=$?
kill $sink
cat report
case $(uname -r) in
6.1.*)
    [ $status -eq 5 ] || fail "exit code $status"
    grep -q 'copies .*AF_VSOCK has no zero-copy here' report || fail "the family is not named"
    grep -q 'copies .*the probe sent by copy' report || fail "the probe does not say so"
    ;;
*)
    [ $status -eq 0 ] || fail "exit code $status"
    grep -q 'the probe agrees: the kernel copied none' report || fail "the probe does not agree"
    ;;
esac
exit 0

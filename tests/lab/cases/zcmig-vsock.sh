# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Over vsock, within the guest, the image arrives whole: by zero-copy where the kernel has it, and
# with the reason where it has not (6.1).  That a call there may get several completion numbers is for
# tests/lab/cases/vsock.sh and tests/unit/send-vsock.
[ -e /dev/vsock ] || exit 77
make_image
mkfifo listening
zcmig recv vsock:local:1234 --json --quiet --accept-timeout=30 >listening &
receiver=$!
exec 7<listening
read -r line <&7 || fail "no receiver"
zcmig send $image vsock:local:1234 --json --quiet --channels=1 --zerocopy=on >sent ||
    fail "zcmig send: exit code $?: $(cat sent)"
wait $receiver || fail "zcmig recv: exit code $?: $(cat <&7)"
exec 7<&-
said "vsock --zerocopy=on"
case $(uname -r) in
6.1.*)
    expect state not-supported
    expect zc -
    expect reason '*zero-copy*'
    ;;
*)
    expect engine zerocopy
    [ "$(field calls)" -gt 0 ] || fail "no call by zero-copy"
    ;;
esac

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Over vsock, within the guest, the image arrives whole.  One call there may get several completion
# numbers, so that to know which memory is free takes more than counting calls.
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
expect state not-supported
expect zc -
expect reason "*"

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Every engine moves the image whole, and says which it was.
for engine in copy zerocopy io_uring splice; do
    move --engine=$engine
    expect engine $engine
done
move --engine=io_uring --zerocopy=on
expect zc y
expect min 0
expect_no_page_copied
start_tap eth0 3
move --engine=io_uring --zerocopy=on
# 6.1 reports no use of zero-copy by io_uring, or reports it: never that nothing was copied.
case $(zc_of_notes) in
n | '?') ;;
*) fail "zc=$(zc_of_notes) with a tap" ;;
esac

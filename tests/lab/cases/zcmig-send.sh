# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A whole transfer, digests compared, leaves by zero-copy: no note says copied, nothing is copied.
move --zerocopy=on
expect zc y
expect min 0
expect_no_page_copied
move --zerocopy=auto
expect zc y
expect_no_page_copied
expect state active
expect reason ""
move --zerocopy=off
expect zc -
expect state not-asked

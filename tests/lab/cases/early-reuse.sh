# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Memory that is overwritten right after a zero-copy call arrives overwritten, at a receiver that
# does not read yet: the call returns long before the pages have left.  After a copy never.
expect_torn copy none
expect_torn zc some

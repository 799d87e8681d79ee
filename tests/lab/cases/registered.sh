# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# io_uring with registered memory on kernels that take no vector of it: run by run.
channel-registers-what-is-sent-again

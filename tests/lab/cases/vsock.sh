# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# vsock inside the guest: no byte of memory that a drain has freed is ever read again, also with so
# little credit that calls are cut and what is cut is copied; with enough of it not all is copied.
# That a call gets several numbers needs credit that comes in its middle, so tests/unit/send-vsock
# has the kernel that does it.  Linux 6.1 has no zero-copy there, which the channel says.
for credit in 65536 262144 4194304; do
    for engine in copy zerocopy io_uring; do
        said=$(vsock-channel $engine $credit)
        status=$?
        echo "$said"
        [ $status -ne 77 ] || exit 77
        [ $status -eq 0 ] || fail "vsock-channel $engine $credit ended with $status"
        [ $engine != zerocopy ] || zerocopy_said=$said
        case $(uname -r):$engine:$said in
        6.1.*:copy:*engine=copy*why-not=) ;;
        6.1.*:*engine=copy*"no zero-copy for this socket"*) ;;
        *:copy:*engine=copy*) ;;
        *:$engine:*engine="$engine"\ *) ;;
        *) fail "not by $engine" ;;
        esac
    done
done
case $(uname -r) in
6.1.*) exit 0 ;;
esac
calls=${zerocopy_said##*calls=} copied=${zerocopy_said##*..}
[ "${copied%% *}" -lt "${calls%% *}" ] || fail "all copied although there was credit"

# The bench knows that way.
zcmig bench --ways=vsock --bytes=16M --runs=1 --csv >rows || fail "zcmig bench: exit code $?"
cat rows
for engine in zerocopy io_uring; do
    grep -q "^0,vsock,$engine,$engine,524288,16777216," rows || fail "bench: not by $engine"
done

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What a user without rights cannot see is unknown, with the right that is missing; what the kernel
# tells everybody (the oracle in a namespace of the user's own) is said without rights.
nobody() {
    status=0
    busybox su nobody -s /bb/sh -c "LD_LIBRARY_PATH=/lib /bin/zcmig doctor $*" >report || status=$?
    cat report
}

namespaces=/proc/sys/user/max_user_namespaces
before=$(cat $namespaces)

# Users may make namespaces: the oracle says that no tap anywhere matters, or that one does.
nobody "$LAB_PEER"
[ $status -eq 0 ] || fail "exit code $status on a clean path, with namespaces"
start_tap any 3 netns
nobody "$LAB_PEER"
if taps_are_global; then
    [ $status -eq 5 ] || fail "exit code $status with a hidden tap"
    grep -q 'copies .*a packet tap in a network namespace that cannot be seen' report ||
        grep -q 'copies .*listens to outgoing packets on every interface in another' report ||
        fail "the hidden tap is not named"
    grep -q 'missing: CAP_SYS_PTRACE' report || fail "the missing right is not named"
else
    [ $status -eq 0 ] || fail "exit code $status with a tap that does not matter"
fi
stop_tap

# They may not: nothing tells about other namespaces.
echo 0 >$namespaces
nobody "$LAB_PEER"
echo "$before" >$namespaces
if taps_are_global; then
    [ $status -eq 1 ] || fail "exit code $status without namespaces"
    grep -q 'unknown .*packet taps in other network namespaces cannot be seen' report ||
        fail "what is unknown is not said"
    grep -q 'missing: CAP_SYS_PTRACE and CAP_SYS_ADMIN: run as root' report ||
        fail "the missing right is not named"
else
    [ $status -eq 0 ] || fail "exit code $status on a kernel where no tap elsewhere matters"
fi

# A tap on the way: seen, but not whose it is, nor what it ignores.
start_tap eth0 3
nobody "$LAB_PEER"
[ $status -eq 1 ] || fail "exit code $status with a tap of root's"
grep -q 'unknown .*a process that cannot be seen listens' report || fail "the tap is not named"
grep -q 'user root, socket inode [1-9]' report || fail "what can be seen of it is not said"
nobody --probe "tcp:$LAB_PEER:9000"
[ $status -eq 5 ] || fail "exit code $status of a probe with a tap"
grep -q 'the probe decides: the kernel copied all' report || fail "the probe does not decide"
stop_tap
exit 0

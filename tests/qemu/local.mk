# Real QEMU, and the demo, which runs one.
ZC_QEMU_TESTS = \
	tests/qemu/demo-leaves-nothing-behind \
	tests/qemu/demo-says-what-is-missing \
	tests/qemu/demo-verifies-a-live-guest \
	tests/qemu/fetch-guest-kernel-explains-itself
dist_check_SCRIPTS += $(ZC_QEMU_TESTS) tests/qemu/functions
TESTS += $(ZC_QEMU_TESTS)

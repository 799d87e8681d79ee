# Real QEMU, and the demo, which runs one.
ZC_QEMU_TESTS = \
	tests/qemu/demo-leaves-nothing-behind \
	tests/qemu/demo-says-what-is-missing \
	tests/qemu/demo-verifies-a-live-guest \
	tests/qemu/fetch-guest-kernel-explains-itself
dist_check_SCRIPTS += $(ZC_QEMU_TESTS) tests/qemu/functions \
	tests/qemu/lib/capture-tail tests/qemu/lib/fetch-qemu
TESTS += $(ZC_QEMU_TESTS)
EXTRA_DIST += \
	tests/qemu/fixtures/tail-pc-7.2.gz tests/qemu/fixtures/tail-pc-10.0.gz \
	tests/qemu/fixtures/tail-q35-7.2.gz tests/qemu/fixtures/tail-q35-10.0.gz

# Makes those; not part of the tests.
EXTRA_PROGRAMS += tests/qemu/lib/cut-tail
tests_qemu_lib_cut_tail_LDADD = src/wire/libwire.la src/base/libbase.la $(GLIB_LIBS)
CLEANFILES += tests/qemu/lib/cut-tail

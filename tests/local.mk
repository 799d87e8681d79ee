# One fragment per layer or kind of test; each adds to check_PROGRAMS, dist_check_SCRIPTS and TESTS.
# A skip is exit code 77 with a line that says what is missing.
LOG_COMPILER = $(top_srcdir)/tests/lib/run
dist_check_SCRIPTS += tests/lib/run tests/lib/relay tests/lib/Relay.pm tests/lib/Figures.pm

AM_TESTS_ENVIRONMENT = \
	ZC_SRCDIR='$(abs_top_srcdir)' \
	ZC_BUILDDIR='$(abs_top_builddir)' \
	ZC_REQUIRED_TESTS='$(ZC_REQUIRED_TESTS)' \
	ZCMIG='$(abs_top_builddir)/src/tools/zcmig'; \
	ZC_FAKE_ZCMIG='$(abs_top_builddir)/tests/cli/zcmig'; \
	ZCMIG_LIBEXECDIR='$(abs_top_srcdir)/libexec'; \
	export ZC_SRCDIR ZC_BUILDDIR ZC_REQUIRED_TESTS ZCMIG ZC_FAKE_ZCMIG ZCMIG_LIBEXECDIR;

ZC_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(CHECK_CFLAGS)

# What was recorded from real QEMUs.
check_LTLIBRARIES += tests/lib/libfixture.la
tests_lib_libfixture_la_SOURCES = tests/lib/fixture.c tests/lib/fixture.h
tests_lib_libfixture_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(GIO_CFLAGS)
tests_lib_libfixture_la_LIBADD = $(GIO_LIBS)

include tests/unit/base.mk
include tests/unit/mem.mk
include tests/unit/wire.mk
include tests/unit/net.mk
include tests/unit/doctor.mk
include tests/unit/guest.mk
include tests/unit/send.mk
include tests/unit/recv.mk
include tests/unit/relay.mk
include tests/unit/session.mk
include tests/cli/local.mk
include tests/session/local.mk
include tests/pair/local.mk
include tests/pair/live.mk
include tests/pair/memfd.mk
include tests/pair/pull.mk
include tests/netns/local.mk
include tests/netns/doctor.mk
include tests/kernel/local.mk
include tests/qemu/local.mk
include tests/lab/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/lint/local.mk

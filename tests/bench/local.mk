# Measurements: never part of make check.
noinst_bench = tests/bench/make-image tests/bench/measure
EXTRA_PROGRAMS += $(noinst_bench)
CLEANFILES += $(noinst_bench)
EXTRA_DIST += tests/bench/live tests/bench/run tests/bench/route tests/bench/qemu tests/bench/relay \
	tests/bench/loopback

# BENCHFLAGS: options of tests/bench/run, for example --size=1024 --only=copiers
bench: all $(noinst_bench)
	ZC_BUILDDIR='$(abs_top_builddir)' ZCMIG='$(abs_top_builddir)/src/tools/zcmig' \
	  $(top_srcdir)/tests/bench/loopback $(top_srcdir)/tests/bench/run $(BENCHFLAGS)

# The same BENCHFLAGS, of tests/bench/live: for example --size=4096 --only=campaign, or --quick
bench-live: all tests/bench/track-cost
	ZC_BUILDDIR='$(abs_top_builddir)' ZCMIG='$(abs_top_builddir)/src/tools/zcmig' \
	  $(top_srcdir)/tests/bench/loopback $(top_srcdir)/tests/bench/live $(BENCHFLAGS)

# A QEMU at one end; BENCHFLAGS: options of tests/bench/qemu, for example --size=256 --only=receive
bench-qemu: all
	$(top_srcdir)/tests/qemu/lib/fetch-qemu 10.0 >/dev/null # while there is a network
	ZCMIG='$(abs_top_builddir)/src/tools/zcmig' \
	  $(top_srcdir)/tests/bench/loopback $(top_srcdir)/tests/bench/qemu $(BENCHFLAGS)
.PHONY: bench bench-live bench-qemu soak

# what dirty tracking costs
noinst_bench += tests/bench/track-cost
tests_bench_track_cost_SOURCES = tests/bench/track-cost.c \
	tests/lib/guest-memory.c tests/lib/guest-memory.h
tests_bench_track_cost_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_track_cost_LDADD = src/guest/libguest.la src/mem/libmem.la src/base/libbase.la

# Many short live migrations at random, for a night; a few of them in make check.
# SOAKFLAGS: for example --count=3000 --seed=7
if HAVE_CHECK
check_PROGRAMS += tests/bench/soak
dist_check_SCRIPTS += tests/bench/soak-of-a-few
TESTS += tests/bench/soak-of-a-few
tests_bench_soak_SOURCES = tests/bench/soak.c tests/bench/soak-case.c tests/bench/soak-case.h \
	tests/bench/soak-command.c tests/bench/soak-later.c tests/bench/soak-later.h \
	tests/bench/soak-leaks.c tests/bench/soak-leaks.h
tests_bench_soak_CPPFLAGS = $(ZC_TEST_CPPFLAGS) $(JSON_CFLAGS) $(GIO_CFLAGS)
tests_bench_soak_LDADD = $(ZC_TEST_PAIR_LIBS) $(JSON_LIBS) $(GIO_LIBS)

soak: all tests/bench/soak
	tests/bench/soak --zcmig='$(abs_top_builddir)/src/tools/zcmig' $(SOAKFLAGS)
endif

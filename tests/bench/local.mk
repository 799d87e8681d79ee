# Measurements: never part of make check.
noinst_bench = tests/bench/make-image tests/bench/measure
EXTRA_PROGRAMS += $(noinst_bench)
CLEANFILES += $(noinst_bench)
EXTRA_DIST += tests/bench/run tests/bench/route tests/bench/qemu

# BENCHFLAGS: options of tests/bench/run, for example --size=1024 --only=copiers
bench: all $(noinst_bench)
	ZC_BUILDDIR='$(abs_top_builddir)' ZCMIG='$(abs_top_builddir)/src/tools/zcmig' \
	  $(top_srcdir)/tests/bench/run $(BENCHFLAGS)

# A QEMU at one end; BENCHFLAGS: options of tests/bench/qemu, for example --size=256 --only=receive
bench-qemu: all
	ZCMIG='$(abs_top_builddir)/src/tools/zcmig' $(top_srcdir)/tests/bench/qemu $(BENCHFLAGS)
.PHONY: bench bench-qemu

# what dirty tracking costs
noinst_bench += tests/bench/track-cost
tests_bench_track_cost_SOURCES = tests/bench/track-cost.c \
	tests/lib/guest-memory.c tests/lib/guest-memory.h
tests_bench_track_cost_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_track_cost_LDADD = src/guest/libguest.la src/mem/libmem.la src/base/libbase.la

# Measurements: never part of make check.
noinst_bench = tests/bench/make-image tests/bench/measure
EXTRA_PROGRAMS += $(noinst_bench)
CLEANFILES += $(noinst_bench)
EXTRA_DIST += tests/bench/run

# BENCHFLAGS: options of tests/bench/run, for example --size=1024 --only=copiers
bench: all $(noinst_bench)
	ZC_BUILDDIR='$(abs_top_builddir)' ZCMIG='$(abs_top_builddir)/src/tools/zcmig' \
	  $(top_srcdir)/tests/bench/run $(BENCHFLAGS)
.PHONY: bench

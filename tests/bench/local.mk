# bench

EXTRA_PROGRAMS += tests/bench/track-cost
CLEANFILES += tests/bench/track-cost
tests_bench_track_cost_SOURCES = tests/bench/track-cost.c \
	tests/lib/guest-memory.c tests/lib/guest-memory.h
tests_bench_track_cost_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_track_cost_LDADD = src/guest/libguest.la src/mem/libmem.la src/base/libbase.la

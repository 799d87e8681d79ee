check_LTLIBRARIES += tests/fuzz/libsamples.la
tests_fuzz_libsamples_la_SOURCES = \
	tests/fuzz/samples.c tests/fuzz/samples.h \
	tests/fuzz/stream-trace.c tests/fuzz/stream-trace.h
tests_fuzz_libsamples_la_CPPFLAGS = $(ZC_TEST_CPPFLAGS)

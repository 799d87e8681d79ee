# pair: both ends in one process
if HAVE_CHECK
check_LTLIBRARIES += tests/lib/libpair.la
tests_lib_libpair_la_SOURCES = tests/lib/pair.c tests/lib/pair.h tests/lib/meddler.c \
	tests/lib/peer.c tests/lib/peer.h tests/lib/random.h
tests_lib_libpair_la_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_lib_libpair_la_LIBADD = $(CHECK_LIBS) $(GLIB_LIBS)

ZC_TEST_PAIR_LIBS = tests/lib/libpair.la tests/lib/libunit.la src/session/libsession.la \
	src/recv/librecv.la src/send/libsend.la src/guest/libguest.la src/net/libnet.la \
	src/wire/libwire.la src/mem/libmem.la src/base/libbase.la

ZC_PAIR_TESTS = tests/pair/pair-every-engine tests/pair/pair-interrupted \
	tests/pair/pair-round-trip tests/pair/pair-tampered-page tests/pair/recv-captured-stream \
	tests/pair/recv-stock-source
check_PROGRAMS += $(ZC_PAIR_TESTS)
TESTS += $(ZC_PAIR_TESTS)
tests_pair_pair_every_engine_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pair_every_engine_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_pair_interrupted_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pair_interrupted_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_pair_round_trip_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pair_round_trip_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_pair_tampered_page_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pair_tampered_page_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_recv_captured_stream_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_recv_captured_stream_LDADD = $(ZC_TEST_PAIR_LIBS) tests/lib/libfixture.la
tests_pair_recv_stock_source_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_recv_stock_source_LDADD = $(ZC_TEST_PAIR_LIBS)
endif

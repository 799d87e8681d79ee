if HAVE_CHECK
check_PROGRAMS += tests/unit/recv-acceptor tests/unit/recv-place
TESTS += tests/unit/recv-acceptor tests/unit/recv-place
ZC_TEST_RECV_LIBS = tests/lib/libunit.la src/recv/librecv.la src/guest/libguest.la \
	src/net/libnet.la src/wire/libwire.la src/mem/libmem.la src/base/libbase.la
tests_unit_recv_acceptor_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_recv_acceptor_LDADD = $(ZC_TEST_RECV_LIBS)
tests_unit_recv_place_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_recv_place_LDADD = $(ZC_TEST_RECV_LIBS)
endif

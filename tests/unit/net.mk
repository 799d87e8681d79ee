if HAVE_CHECK
check_PROGRAMS += tests/unit/net-addr
TESTS += tests/unit/net-addr
ZC_TEST_NET_LIBS = tests/lib/libunit.la src/net/libnet.la src/base/libbase.la
tests_unit_net_addr_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_net_addr_LDADD = $(ZC_TEST_NET_LIBS)
endif

# net: unit tests of this layer
if HAVE_CHECK
ZC_TEST_NET = tests/unit/net-addr tests/unit/net-ops
check_PROGRAMS += $(ZC_TEST_NET)
TESTS += $(ZC_TEST_NET)
ZC_TEST_NET_LIBS = tests/lib/libunit.la src/net/libnet.la src/base/libbase.la
tests_unit_net_addr_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_net_addr_LDADD = $(ZC_TEST_NET_LIBS)
tests_unit_net_ops_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_net_ops_LDADD = $(ZC_TEST_NET_LIBS)
endif

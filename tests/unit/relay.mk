if HAVE_CHECK
check_PROGRAMS += tests/unit/relay-flow
TESTS += tests/unit/relay-flow
tests_unit_relay_flow_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_relay_flow_LDADD = tests/lib/libunit.la src/relay/librelay.la src/net/libnet.la \
	src/base/libbase.la
endif

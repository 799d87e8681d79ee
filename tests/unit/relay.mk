# relay: unit tests of this layer
if HAVE_CHECK
ZC_TEST_RELAY = tests/unit/relay-flow tests/unit/relay-hello tests/unit/relay-lobby \
	tests/unit/relay-tap
check_PROGRAMS += $(ZC_TEST_RELAY)
TESTS += $(ZC_TEST_RELAY)
ZC_TEST_RELAY_LIBS = tests/lib/libunit.la src/relay/librelay.la src/net/libnet.la \
	src/wire/libwire.la src/mem/libmem.la src/base/libbase.la
tests_unit_relay_flow_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_relay_flow_LDADD = $(ZC_TEST_RELAY_LIBS)
tests_unit_relay_hello_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_relay_hello_LDADD = $(ZC_TEST_RELAY_LIBS)
tests_unit_relay_lobby_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_relay_lobby_LDADD = $(ZC_TEST_RELAY_LIBS)
tests_unit_relay_tap_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_relay_tap_LDADD = tests/fuzz/libsamples.la $(ZC_TEST_RELAY_LIBS) \
	tests/lib/libfixture.la
endif

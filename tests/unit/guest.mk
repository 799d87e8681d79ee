if HAVE_CHECK
check_PROGRAMS += tests/unit/guest-store
TESTS += tests/unit/guest-store
ZC_TEST_GUEST_LIBS = tests/lib/libunit.la src/guest/libguest.la src/net/libnet.la \
	src/mem/libmem.la src/base/libbase.la
tests_unit_guest_store_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_store_LDADD = $(ZC_TEST_GUEST_LIBS)

# QEMU's monitor
check_PROGRAMS += tests/unit/guest-qmp
TESTS += tests/unit/guest-qmp
tests_unit_guest_qmp_CPPFLAGS = $(ZC_TEST_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_guest_qmp_LDADD = $(ZC_TEST_GUEST_LIBS) $(JSON_LIBS)
endif

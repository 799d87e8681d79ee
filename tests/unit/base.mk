# base, and the library that all unit tests use
if HAVE_CHECK
check_LTLIBRARIES += tests/lib/libunit.la
tests_lib_libunit_la_SOURCES = tests/lib/unit.c tests/lib/unit.h
tests_lib_libunit_la_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_lib_libunit_la_LIBADD = $(CHECK_LIBS) $(GLIB_LIBS)

check_PROGRAMS += tests/unit/base-cause tests/unit/base-clock tests/unit/base-error \
	tests/unit/base-load tests/unit/base-mailbox tests/unit/base-pace tests/unit/base-sigbus tests/unit/base-size
TESTS += tests/unit/base-cause tests/unit/base-clock tests/unit/base-error \
	tests/unit/base-load tests/unit/base-mailbox tests/unit/base-pace tests/unit/base-sigbus tests/unit/base-size
ZC_TEST_BASE_LIBS = tests/lib/libunit.la src/base/libbase.la
tests_unit_base_cause_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_cause_LDADD = $(ZC_TEST_BASE_LIBS)
tests_unit_base_clock_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_clock_LDADD = $(ZC_TEST_BASE_LIBS)
tests_unit_base_error_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_error_LDADD = $(ZC_TEST_BASE_LIBS)
tests_unit_base_load_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_load_LDADD = $(ZC_TEST_BASE_LIBS)
tests_unit_base_mailbox_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_mailbox_LDADD = $(ZC_TEST_BASE_LIBS)
tests_unit_base_pace_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_pace_LDADD = $(ZC_TEST_BASE_LIBS)
tests_unit_base_sigbus_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_sigbus_LDADD = $(ZC_TEST_BASE_LIBS)
tests_unit_base_size_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_base_size_LDADD = $(ZC_TEST_BASE_LIBS)
endif

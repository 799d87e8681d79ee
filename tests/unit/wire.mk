if HAVE_CHECK
ZC_TEST_WIRE_TESTS = tests/unit/wire-extension tests/unit/wire-multifd \
	tests/unit/wire-return-path tests/unit/wire-stream-cut-anywhere \
	tests/unit/wire-stream-layout tests/unit/wire-stream-rejections
check_PROGRAMS += $(ZC_TEST_WIRE_TESTS)
TESTS += $(ZC_TEST_WIRE_TESTS)

ZC_TEST_WIRE_LIBS = tests/lib/libunit.la src/wire/libwire.la src/base/libbase.la
ZC_TEST_SAMPLE_LIBS = tests/lib/libunit.la tests/fuzz/libsamples.la src/wire/libwire.la \
	src/base/libbase.la
tests_unit_wire_extension_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_extension_LDADD = $(ZC_TEST_WIRE_LIBS)
tests_unit_wire_multifd_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_multifd_LDADD = $(ZC_TEST_WIRE_LIBS)
tests_unit_wire_return_path_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_return_path_LDADD = $(ZC_TEST_WIRE_LIBS)
tests_unit_wire_stream_cut_anywhere_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_stream_cut_anywhere_LDADD = $(ZC_TEST_SAMPLE_LIBS)
tests_unit_wire_stream_layout_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_stream_layout_LDADD = $(ZC_TEST_SAMPLE_LIBS)
tests_unit_wire_stream_rejections_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_stream_rejections_LDADD = $(ZC_TEST_SAMPLE_LIBS)

# The device state before RAM is whole, and behind it
check_PROGRAMS += tests/unit/wire-early
TESTS += tests/unit/wire-early
tests_unit_wire_early_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_early_LDADD = $(ZC_TEST_WIRE_LIBS)
check_PROGRAMS += tests/unit/wire-tail
TESTS += tests/unit/wire-tail
tests_unit_wire_tail_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_wire_tail_LDADD = $(ZC_TEST_WIRE_LIBS) tests/lib/libfixture.la
endif

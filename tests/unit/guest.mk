if HAVE_CHECK

# writers and trackers
ZC_TEST_TRACK_LIBS = tests/lib/libunit.la src/guest/libguest.la src/mem/libmem.la \
	src/base/libbase.la
check_PROGRAMS += tests/unit/guest-track
TESTS += tests/unit/guest-track
tests_unit_guest_track_SOURCES = tests/unit/guest-track.c \
	tests/lib/guest-memory.c tests/lib/guest-memory.h
tests_unit_guest_track_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_track_LDADD = $(ZC_TEST_TRACK_LIBS)
endif

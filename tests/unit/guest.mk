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

# the RAM of a QEMU's guest
check_PROGRAMS += tests/unit/guest-qemu
TESTS += tests/unit/guest-qemu
tests_unit_guest_qemu_CPPFLAGS = $(ZC_TEST_CPPFLAGS) $(JSON_CFLAGS)
tests_unit_guest_qemu_LDADD = $(ZC_TEST_GUEST_LIBS) $(JSON_LIBS)

# a guest in a directory
check_PROGRAMS += tests/unit/guest-snapshot
TESTS += tests/unit/guest-snapshot
tests_unit_guest_snapshot_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_snapshot_LDADD = $(ZC_TEST_GUEST_LIBS)

# trackers, and the synthetic guest
check_PROGRAMS += tests/unit/guest-track
TESTS += tests/unit/guest-track
tests_unit_guest_track_SOURCES = tests/unit/guest-track.c \
	tests/lib/guest-memory.c tests/lib/guest-memory.h
tests_unit_guest_track_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_track_LDADD = $(ZC_TEST_GUEST_LIBS)
check_PROGRAMS += tests/unit/guest-synthetic-options
TESTS += tests/unit/guest-synthetic-options
tests_unit_guest_synthetic_options_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_synthetic_options_LDADD = $(ZC_TEST_GUEST_LIBS)
check_PROGRAMS += tests/unit/guest-synthetic-state
TESTS += tests/unit/guest-synthetic-state
tests_unit_guest_synthetic_state_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_synthetic_state_LDADD = $(ZC_TEST_GUEST_LIBS)
check_PROGRAMS += tests/unit/guest-synthetic-pace
TESTS += tests/unit/guest-synthetic-pace
tests_unit_guest_synthetic_pace_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_synthetic_pace_LDADD = $(ZC_TEST_GUEST_LIBS)
check_PROGRAMS += tests/unit/guest-synthetic-check
TESTS += tests/unit/guest-synthetic-check
tests_unit_guest_synthetic_check_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_synthetic_check_LDADD = $(ZC_TEST_GUEST_LIBS)
check_PROGRAMS += tests/unit/guest-synthetic-run
TESTS += tests/unit/guest-synthetic-run
tests_unit_guest_synthetic_run_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_synthetic_run_LDADD = $(ZC_TEST_GUEST_LIBS)

# memory of another process
check_PROGRAMS += tests/unit/guest-shared
TESTS += tests/unit/guest-shared
tests_unit_guest_shared_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_guest_shared_LDADD = $(ZC_TEST_GUEST_LIBS)
endif

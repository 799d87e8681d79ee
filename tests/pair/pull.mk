# pull: the route by which the destination fetches the pages
if HAVE_CHECK
ZC_TEST_PULL = tests/pair/pull-broken-off tests/pair/pull-forbidden tests/pair/pull-lying-source \
	tests/pair/pull-round-trip
check_PROGRAMS += $(ZC_TEST_PULL)
TESTS += $(ZC_TEST_PULL)
tests_pair_pull_broken_off_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pull_broken_off_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_pull_forbidden_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pull_forbidden_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_pull_lying_source_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pull_lying_source_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_pull_round_trip_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_pull_round_trip_LDADD = $(ZC_TEST_PAIR_LIBS)
endif

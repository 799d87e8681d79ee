# pair, of a live guest
if HAVE_CHECK
ZC_TEST_LIVE = tests/pair/live-guest-moves tests/pair/live-interrupted
check_PROGRAMS += $(ZC_TEST_LIVE)
TESTS += $(ZC_TEST_LIVE)
tests_pair_live_guest_moves_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_live_guest_moves_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_live_interrupted_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_live_interrupted_LDADD = $(ZC_TEST_PAIR_LIBS)
endif

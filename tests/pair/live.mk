# pair, of a live guest
if HAVE_CHECK
ZC_TEST_LIVE = tests/pair/live-does-not-converge tests/pair/live-guest-moves tests/pair/live-interrupted \
	tests/pair/live-order-broken tests/pair/live-reconnects tests/pair/live-stranger-reconnects
check_PROGRAMS += $(ZC_TEST_LIVE)
TESTS += $(ZC_TEST_LIVE)
tests_pair_live_guest_moves_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_live_guest_moves_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_live_interrupted_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_live_interrupted_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_live_reconnects_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_live_reconnects_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_live_stranger_reconnects_CPPFLAGS = $(ZC_TEST_CPPFLAGS) $(JSON_CFLAGS)
tests_pair_live_stranger_reconnects_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_live_order_broken_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_live_order_broken_LDADD = $(ZC_TEST_PAIR_LIBS)
# Functions of the test go around these.
tests_pair_live_order_broken_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=zc_tracker_harvest,--wrap=zc_tracker_peek \
	-Wl,--wrap=zc_channel_drain -Wl,--wrap=zc_barrier_arrive -Wl,--wrap=zc_barrier_wait
tests_pair_live_does_not_converge_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_live_does_not_converge_LDADD = $(ZC_TEST_PAIR_LIBS)
endif

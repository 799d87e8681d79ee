# memfd: the route by which the memory itself changes hands
if HAVE_CHECK
ZC_TEST_MEMFD = tests/pair/memfd-cancelled-while-compared tests/pair/memfd-hand-over \
	tests/pair/memfd-lying-source
check_PROGRAMS += $(ZC_TEST_MEMFD)
TESTS += $(ZC_TEST_MEMFD)
tests_pair_memfd_cancelled_while_compared_CPPFLAGS = $(ZC_TEST_CPPFLAGS) $(JSON_CFLAGS)
tests_pair_memfd_cancelled_while_compared_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_memfd_cancelled_while_compared_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=zc_incoming_digest_memory -Wl,--wrap=zc_outgoing_hear_result
tests_pair_memfd_hand_over_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_memfd_hand_over_LDADD = $(ZC_TEST_PAIR_LIBS)
tests_pair_memfd_lying_source_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_pair_memfd_lying_source_LDADD = $(ZC_TEST_PAIR_LIBS)
endif

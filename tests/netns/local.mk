# netns: the real kernel, in a network namespace of the test's own
check_LTLIBRARIES += tests/lib/libnetns.la
tests_lib_libnetns_la_SOURCES = tests/lib/netns.c tests/lib/netns.h
tests_lib_libnetns_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests

ZC_TEST_NETNS = \
	tests/netns/bench-sends-datagrams-by-zero-copy \
	tests/netns/bench-tells-who-copied \
	tests/netns/channel-every-engine-delivers \
	tests/netns/channel-knows-who-copied \
	tests/netns/channel-memory-lives-until-noted \
	tests/netns/channel-registers-what-is-sent-again \
	tests/netns/channel-stalled-peer-times-out \
	tests/netns/channel-unprivileged-memlock
check_PROGRAMS += $(ZC_TEST_NETNS)
TESTS += $(ZC_TEST_NETNS)
EXTRA_DIST += tests/netns/channel-rig-kernel.h
ZC_TEST_NETNS_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
ZC_TEST_NETNS_LIBS = tests/lib/libnetns.la src/send/libsend.la src/net/libnet.la src/base/libbase.la
tests_netns_bench_sends_datagrams_by_zero_copy_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_bench_sends_datagrams_by_zero_copy_LDADD = src/bench/libbench.la src/mem/libmem.la $(ZC_TEST_NETNS_LIBS)
tests_netns_bench_tells_who_copied_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_bench_tells_who_copied_LDADD = src/bench/libbench.la src/mem/libmem.la $(ZC_TEST_NETNS_LIBS)
tests_netns_channel_every_engine_delivers_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_channel_every_engine_delivers_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_netns_channel_knows_who_copied_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_channel_knows_who_copied_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_netns_channel_memory_lives_until_noted_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_channel_memory_lives_until_noted_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_netns_channel_registers_what_is_sent_again_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_channel_registers_what_is_sent_again_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_netns_channel_stalled_peer_times_out_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_channel_stalled_peer_times_out_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_netns_channel_unprivileged_memlock_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_netns_channel_unprivileged_memlock_LDADD = $(ZC_TEST_NETNS_LIBS)

# The real command, as nobody.
ZC_TEST_NETNS_COMMAND = \
	tests/netns/zcmig-doctor-probe-weighs-the-kernels-word \
	tests/netns/zcmig-report-agrees-with-the-kernel \
	tests/netns/zcmig-streams-whatever-the-memlock-limit
TESTS += $(ZC_TEST_NETNS_COMMAND)
dist_check_SCRIPTS += $(ZC_TEST_NETNS_COMMAND) tests/netns/functions

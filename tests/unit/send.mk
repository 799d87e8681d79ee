# send: unit tests of this layer
if HAVE_CHECK
check_LTLIBRARIES += tests/lib/libfake.la
tests_lib_libfake_la_SOURCES = \
	tests/lib/channel-rig.c tests/lib/channel-rig.h \
	tests/lib/fake-kernel.c tests/lib/fake-kernel.h
tests_lib_libfake_la_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_lib_libfake_la_LIBADD = $(CHECK_LIBS) $(GLIB_LIBS)

ZC_TEST_SEND = tests/unit/send-batch tests/unit/send-budget tests/unit/send-channel tests/unit/send-channel-random \
	tests/unit/send-completion tests/unit/send-converge tests/unit/send-errqueue tests/unit/send-image-source \
	tests/unit/send-pause tests/unit/send-route tests/unit/send-sender tests/unit/send-splice tests/unit/send-vsock tests/unit/send-unplaced
check_PROGRAMS += $(ZC_TEST_SEND)
TESTS += $(ZC_TEST_SEND)
ZC_TEST_SEND_LIBS = tests/lib/libfake.la tests/lib/libunit.la src/send/libsend.la \
	src/guest/libguest.la src/net/libnet.la src/wire/libwire.la src/mem/libmem.la \
	src/base/libbase.la
tests_unit_send_batch_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_batch_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_budget_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_budget_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_channel_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_channel_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_channel_random_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_channel_random_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_completion_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_completion_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_converge_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_converge_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_errqueue_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_errqueue_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_image_source_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_image_source_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_sender_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_sender_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_splice_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_splice_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_pause_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_pause_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_vsock_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_vsock_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_route_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_route_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_unplaced_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_unplaced_LDADD = $(ZC_TEST_SEND_LIBS)
endif

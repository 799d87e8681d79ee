# send: unit tests of this layer
if HAVE_CHECK
	$(CHECK_LIBS) \
	$(GLIB_LIBS) \
	$(ZC_TEST_CPPFLAGS) \
	$(ZC_TEST_SEND) \
	$(ZC_TEST_SEND_LIBS) \
	+= \
	= \
	TESTS \
	ZC_TEST_SEND \
	ZC_TEST_SEND_LIBS \
	check_LTLIBRARIES \
	check_PROGRAMS \
	src/base/libbase.la \
	src/guest/libguest.la \
	src/mem/libmem.la \
	src/net/libnet.la \
	src/send/libsend.la \
	tests/lib/channel-rig.c tests/lib/channel-rig.h \
	tests/lib/fake-kernel.c tests/lib/fake-kernel.h \
	tests/lib/libfake.la \
	tests/lib/libunit.la \
	tests/unit/send-batch \
	tests/unit/send-budget \
	tests/unit/send-channel \
	tests/unit/send-channel-random \
	tests/unit/send-completion \
	tests/unit/send-errqueue \
	tests/unit/send-image-source \
	tests/unit/send-pause \
	tests_lib_libfake_la_CPPFLAGS \
	tests_lib_libfake_la_LIBADD \
	tests_lib_libfake_la_SOURCES \
	tests_unit_send_batch_CPPFLAGS \
	tests_unit_send_batch_LDADD \
	tests_unit_send_budget_CPPFLAGS \
	tests_unit_send_budget_LDADD \
	tests_unit_send_channel_CPPFLAGS \
	tests_unit_send_channel_LDADD \
	tests_unit_send_channel_random_CPPFLAGS \
	tests_unit_send_channel_random_LDADD \
	tests_unit_send_completion_CPPFLAGS \
	tests_unit_send_completion_LDADD \
	tests_unit_send_errqueue_CPPFLAGS \
	tests_unit_send_errqueue_LDADD \
	tests_unit_send_image_source_CPPFLAGS \
	tests_unit_send_image_source_LDADD \
	tests_unit_send_pause_CPPFLAGS \
	tests_unit_send_pause_LDADD
endif

# send: unit tests of this layer
if HAVE_CHECK
ZC_TEST_SEND_LIBS = tests/lib/libunit.la src/send/libsend.la src/guest/libguest.la \
	src/mem/libmem.la src/base/libbase.la

check_PROGRAMS += tests/unit/send-batch tests/unit/send-image-source
TESTS += tests/unit/send-batch tests/unit/send-image-source
tests_unit_send_batch_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_batch_LDADD = $(ZC_TEST_SEND_LIBS)
tests_unit_send_image_source_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_send_image_source_LDADD = $(ZC_TEST_SEND_LIBS)
endif

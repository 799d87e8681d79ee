noinst_LTLIBRARIES += src/base/libbase.la
src_base_libbase_la_SOURCES = \
	src/base/cause.c src/base/cause.h \
	src/base/clock.c src/base/clock.h \
	src/base/error.c src/base/error.h \
	src/base/fd.h src/base/iov.h \
	src/base/load.c src/base/load.h \
	src/base/log.c src/base/log.h \
	src/base/mailbox.c src/base/mailbox.h \
	src/base/pace.c src/base/pace.h \
	src/base/sigbus.c src/base/sigbus.h \
	src/base/size.c src/base/size.h
src_base_libbase_la_LIBADD = $(GLIB_LIBS) -lm

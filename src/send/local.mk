noinst_LTLIBRARIES += src/send/libsend.la
src_send_libsend_la_SOURCES = \
	src/send/batch.c src/send/batch.h \
	src/send/budget.c src/send/budget.h \
	src/send/channel-call.c \
	src/send/channel-internal.h \
	src/send/channel-wait.c \
	src/send/channel.c src/send/channel.h \
	src/send/completion.c src/send/completion.h \
	src/send/converge.c src/send/converge.h \
	src/send/engine.h \
	src/send/engine-io-uring.c \
	src/send/engine-splice.c \
	src/send/engine-zerocopy.c \
	src/send/errqueue.c src/send/errqueue.h \
	src/send/harvest.c src/send/harvest.h \
	src/send/iterate.c src/send/iterate.h \
	src/send/pause.c src/send/pause.h \
	src/send/plain.c src/send/plain.h \
	src/send/route.c src/send/route.h \
	src/send/sender.c src/send/sender.h \
	src/send/tally.c src/send/tally.h \
	src/send/uring-buffers.c src/send/uring-buffers.h \
	src/send/unplaced.c src/send/unplaced.h
src_send_libsend_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBURING_CFLAGS)
src_send_libsend_la_LIBADD = $(LIBURING_LIBS) $(GLIB_LIBS)

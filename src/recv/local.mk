noinst_LTLIBRARIES += src/recv/librecv.la
src_recv_librecv_la_SOURCES = \
	src/recv/acceptor.c src/recv/acceptor.h \
	src/recv/barrier.c src/recv/barrier.h \
	src/recv/input.c src/recv/input.h \
	src/recv/place.c src/recv/place.h \
	src/recv/pull.c src/recv/pull.h \
	src/recv/reader.c src/recv/reader.h \
	src/recv/stall.c src/recv/stall.h \
	src/recv/verify.c src/recv/verify.h
src_recv_librecv_la_LIBADD = $(GLIB_LIBS)

noinst_LTLIBRARIES += src/net/libnet.la
src_net_libnet_la_SOURCES = \
	src/net/addr.c src/net/addr.h \
	src/net/io.c src/net/io.h \
	src/net/ops.c src/net/ops.h
src_net_libnet_la_LIBADD = $(GLIB_LIBS)

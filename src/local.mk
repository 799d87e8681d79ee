# libzcmig: the layers, bottom up, behind the public headers.
zcmigincludedir = $(includedir)/zcmig
zcmiginclude_HEADERS = src/include/zcmig/bench.h src/include/zcmig/doctor.h src/include/zcmig/error.h src/include/zcmig/relay.h src/include/zcmig/zcmig.h

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = src/libzcmig.pc

EXTRA_DIST += src/README.md src/libzcmig.sym

lib_LTLIBRARIES += libzcmig.la
libzcmig_la_SOURCES = src/libzcmig.c
libzcmig_la_LIBADD = \
	src/session/libsession.la \
	src/recv/librecv.la \
	src/bench/libbench.la \
	src/relay/librelay.la \
	src/doctor/libdoctor.la \
	src/send/libsend.la \
	src/guest/libguest.la \
	src/net/libnet.la \
	src/wire/libwire.la \
	src/mem/libmem.la \
	src/base/libbase.la
libzcmig_la_LDFLAGS = $(AM_LDFLAGS) $(ZC_NO_UNDEFINED) -no-undefined \
	-version-info $(ZCMIG_LIBVERSION) \
	-export-symbols $(top_srcdir)/src/libzcmig.sym
EXTRA_libzcmig_la_DEPENDENCIES = src/libzcmig.sym

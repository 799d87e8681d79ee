noinst_LTLIBRARIES += src/guest/libguest.la
src_guest_libguest_la_SOURCES = \
	src/guest/guest.h \
	src/guest/image-source.c \
	src/guest/source.c
src_guest_libguest_la_LIBADD = $(GLIB_LIBS)

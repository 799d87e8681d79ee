noinst_LTLIBRARIES += src/guest/libguest.la
src_guest_libguest_la_SOURCES = \
	src/guest/guest.c src/guest/guest.h \
	src/guest/image-source.c \
	src/guest/image-store.c \
	src/guest/memory-store.c \
	src/guest/source.c
src_guest_libguest_la_LIBADD = $(GLIB_LIBS)

# QEMU's monitor.
src_guest_libguest_la_SOURCES += src/guest/qmp.c src/guest/qmp.h
src_guest_libguest_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
src_guest_libguest_la_LIBADD += $(JSON_LIBS)

# guest: where RAM comes from and where it goes
noinst_LTLIBRARIES += src/guest/libguest.la
src_guest_libguest_la_SOURCES = src/guest/guest.h
src_guest_libguest_la_LIBADD = $(GLIB_LIBS)

src_guest_libguest_la_SOURCES += \
	src/guest/track.c src/guest/track.h \
	src/guest/track-bitmap.c \
	src/guest/track-fault.c \
	src/guest/track-scan.c \
	src/guest/track-uffd.c src/guest/track-uffd.h

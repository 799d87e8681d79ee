# guest: where RAM comes from and where it goes
noinst_LTLIBRARIES += src/guest/libguest.la
src_guest_libguest_la_SOURCES = src/guest/guest.h
src_guest_libguest_la_LIBADD = $(GLIB_LIBS) -lm

src_guest_libguest_la_SOURCES += \
	src/guest/track.c src/guest/track.h \
	src/guest/track-bitmap.c \
	src/guest/track-fault.c \
	src/guest/track-scan.c \
	src/guest/track-uffd.c src/guest/track-uffd.h

src_guest_libguest_la_SOURCES += \
	src/guest/synthetic.c src/guest/synthetic.h \
	src/guest/synthetic-check.c \
	src/guest/synthetic-options.c \
	src/guest/synthetic-page.c src/guest/synthetic-page.h \
	src/guest/synthetic-state.c \
	src/guest/synthetic-timeline.c \
	src/guest/synthetic-writer.c src/guest/synthetic-writer.h

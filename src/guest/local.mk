noinst_LTLIBRARIES += src/guest/libguest.la
src_guest_libguest_la_SOURCES = \
	src/guest/guest.c src/guest/guest.h \
	src/guest/image-source.c \
	src/guest/image-store.c \
	src/guest/memory-store.c \
	src/guest/source.c
src_guest_libguest_la_LIBADD = $(GLIB_LIBS)

# Memory of another process.
src_guest_libguest_la_SOURCES += \
	src/guest/shared.c src/guest/shared.h \
	src/guest/shared-store.c

# QEMU's monitor.
src_guest_libguest_la_SOURCES += src/guest/qmp.c src/guest/qmp.h
src_guest_libguest_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
src_guest_libguest_la_LIBADD += $(JSON_LIBS)

# A guest of QEMU's that stands still.
src_guest_libguest_la_SOURCES += \
	src/guest/qemu.h \
	src/guest/qemu-pmemsave.c src/guest/qemu-pmemsave.h \
	src/guest/qemu-process.c src/guest/qemu-process.h \
	src/guest/qemu-source.c \
	src/guest/qemu-status.c \
	src/guest/qemu-text.c src/guest/qemu-text.h

# A guest in a directory.
src_guest_libguest_la_SOURCES += \
	src/guest/snapshot.c src/guest/snapshot.h \
	src/guest/snapshot-source.c \
	src/guest/snapshot-store.c

# Who writes to RAM, and who knows of it.
src_guest_libguest_la_LIBADD += -lm
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

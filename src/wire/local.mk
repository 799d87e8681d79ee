noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_SOURCES = \
	src/wire/bytes.h \
	src/wire/early.c src/wire/early.h \
	src/wire/extension.c src/wire/extension.h \
	src/wire/multifd.c src/wire/multifd.h \
	src/wire/return-path.c \
	src/wire/stream.h src/wire/stream-format.h src/wire/stream-decode.h \
	src/wire/stream-configuration.c \
	src/wire/stream-decode.c \
	src/wire/stream-encode.c \
	src/wire/stream-ram.c
src_wire_libwire_la_LIBADD = $(GLIB_LIBS)

# The device state behind RAM.
src_wire_libwire_la_SOURCES += \
	src/wire/tail-json.c src/wire/tail-json.h \
	src/wire/tail.c src/wire/tail.h

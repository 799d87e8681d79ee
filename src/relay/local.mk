# relay: connections of a migration, passed on
noinst_LTLIBRARIES += src/relay/librelay.la
src_relay_librelay_la_SOURCES = \
	src/relay/flow.c src/relay/flow.h \
	src/relay/hello.c src/relay/hello.h \
	src/relay/link.c src/relay/link.h \
	src/relay/lobby.c src/relay/lobby.h \
	src/relay/relay-session.c src/relay/relay-session.h \
	src/relay/relay.c \
	src/relay/tap.c src/relay/tap.h \
	src/relay/watch.h
src_relay_librelay_la_LIBADD = $(GLIB_LIBS)

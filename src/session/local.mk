noinst_LTLIBRARIES += src/session/libsession.la
src_session_libsession_la_SOURCES = \
	src/session/digest.c src/session/digest.h \
	src/session/guest-check.c src/session/guest-check.h \
	src/session/incoming-devices.c \
	src/session/incoming-guest.c \
	src/session/incoming-proof.c \
	src/session/incoming-ram.c \
	src/session/incoming-reconnect.c \
	src/session/incoming-route.c \
	src/session/incoming-stream.c \
	src/session/incoming-words.c \
	src/session/incoming.c src/session/incoming.h \
	src/session/manifest.c \
	src/session/outgoing-route.c \
	src/session/outgoing-snapshot.c \
	src/session/outgoing-stream.c \
	src/session/outgoing.c src/session/outgoing.h \
	src/session/precopy-costs.c \
	src/session/precopy-pages.c \
	src/session/precopy-reconnect.c \
	src/session/precopy-switch.c \
	src/session/precopy.c src/session/precopy.h \
	src/session/return-path.c src/session/return-path.h \
	src/session/session.c src/session/session.h \
	src/session/watch.c src/session/watch.h
src_session_libsession_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS)
src_session_libsession_la_LIBADD = $(GLIB_LIBS)

# doctor: why zero-copy works or does not
noinst_LTLIBRARIES += src/doctor/libdoctor.la
src_doctor_libdoctor_la_SOURCES = \
	src/doctor/burst.c src/doctor/burst.h \
	src/doctor/diagnose.c src/doctor/diagnose.h \
	src/doctor/doctor.c \
	src/doctor/facts.c src/doctor/facts.h \
	src/doctor/limit.c src/doctor/limit.h \
	src/doctor/link.c src/doctor/link.h \
	src/doctor/netns.c src/doctor/netns.h \
	src/doctor/oracle.c src/doctor/oracle.h \
	src/doctor/owner.c \
	src/doctor/findings.c src/doctor/findings.h \
	src/doctor/rule-burst.c src/doctor/rule-device.c src/doctor/rule-device.h \
	src/doctor/rule-limit.c src/doctor/rule-peer.c src/doctor/rule-tap.c \
	src/doctor/rules.c src/doctor/rules.h \
	src/doctor/stack.c src/doctor/stack.h \
	src/doctor/tap.c src/doctor/tap.h \
	src/doctor/trace.c src/doctor/trace.h
src_doctor_libdoctor_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBNL_ROUTE_CFLAGS) $(LIBTRACEFS_CFLAGS) $(LIBURING_CFLAGS)
src_doctor_libdoctor_la_LIBADD = $(LIBNL_ROUTE_LIBS) $(LIBTRACEFS_LIBS) $(LIBURING_LIBS) $(GLIB_LIBS)

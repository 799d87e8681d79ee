# The zcmig command.  Everything but main() is one library, so that tests/cli can link the same
# code with a libzcmig that does what a test asks for.
noinst_LTLIBRARIES += src/tools/libtools.la
src_tools_libtools_la_SOURCES = \
	src/tools/bench-plot.c \
	src/tools/bench-report.c src/tools/bench-report.h \
	src/tools/cli.c src/tools/cli.h \
	src/tools/cmd-bench.c \
	src/tools/cmd-digest.c \
	src/tools/cmd-doctor.c \
	src/tools/cmd-recv.c \
	src/tools/cmd-relay.c \
	src/tools/cmd-send.c \
	src/tools/cmd-show.c \
	src/tools/cmd-verify.c \
	src/tools/options.c src/tools/options.h \
	src/tools/progress.c src/tools/progress.h \
	src/tools/relay-report.c src/tools/relay-report.h \
	src/tools/report.c src/tools/report.h \
	src/tools/report-json.c \
	src/tools/report-live.c src/tools/report-live.h \
	src/tools/report-source.c src/tools/report-source.h \
	src/tools/run.c src/tools/run.h \
	src/tools/signals.c src/tools/signals.h
src_tools_libtools_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_CFLAGS) \
	-DZC_LIBEXECDIR='"$(pkglibexecdir)"'
src_tools_libtools_la_LIBADD = $(JSON_LIBS) $(GLIB_LIBS) -lm

bin_PROGRAMS += src/tools/zcmig
src_tools_zcmig_SOURCES = src/tools/main.c
src_tools_zcmig_LDADD = src/tools/libtools.la libzcmig.la src/base/libbase.la \
	$(JSON_LIBS) $(GLIB_LIBS)

# The demo: a guest of its own, and the helper that finds a kernel for it.
src_tools_libtools_la_SOURCES += \
	src/tools/child.c src/tools/child.h \
	src/tools/cmd-demo.c \
	src/tools/demo-ends.c src/tools/demo-ends.h \
	src/tools/demo-files.c src/tools/demo-files.h \
	src/tools/demo-guest.c src/tools/demo-guest.h \
	src/tools/demo-image.c src/tools/demo-image.h \
	src/tools/demo-initramfs.c src/tools/demo-initramfs.h \
	src/tools/demo-live.c src/tools/demo-live.h \
	src/tools/demo-live-report.c src/tools/demo-live-report.h \
	src/tools/demo-pair.c src/tools/demo-pair.h \
	src/tools/demo-report.c src/tools/demo-report.h \
	src/tools/demo-wake.c src/tools/demo-wake.h \
	src/tools/lines.c src/tools/lines.h
src_tools_libtools_la_CPPFLAGS += $(GIO_CFLAGS)
src_tools_libtools_la_LIBADD += $(GIO_LIBS)
dist_pkglibexec_SCRIPTS = libexec/fetch-guest-kernel

# The command alone, with a library that does what the test asks for.
check_PROGRAMS += tests/cli/zcmig
tests_cli_zcmig_SOURCES = src/tools/main.c tests/cli/fake-libzcmig.c tests/cli/fake-doctor.c tests/cli/fake-bench.c tests/cli/fake-relay.c
tests_cli_zcmig_LDADD = src/tools/libtools.la src/base/libbase.la $(JSON_LIBS) $(GLIB_LIBS)

ZC_CLI_TESTS = \
	tests/cli/bad-command-lines-exit-2 \
	tests/cli/bench-in-all-forms \
	tests/cli/demo-checks-its-options \
	tests/cli/doctor-exits-by-verdict \
	tests/cli/errors-are-one-harmless-line \
	tests/cli/manifests-are-compared \
	tests/cli/options-reach-the-library \
	tests/cli/progress-goes-to-a-descriptor \
	tests/cli/recv-says-where-it-listens \
	tests/cli/relay-in-all-forms \
	tests/cli/report-in-both-forms \
	tests/cli/signals-cancel-then-kill
dist_check_SCRIPTS += $(ZC_CLI_TESTS) tests/cli/functions
TESTS += $(ZC_CLI_TESTS)

if HAVE_CHECK
check_PROGRAMS += tests/cli/progress-line-fits
TESTS += tests/cli/progress-line-fits
tests_cli_progress_line_fits_SOURCES = tests/cli/progress-line-fits.c tests/cli/fake-libzcmig.c tests/cli/fake-doctor.c tests/cli/fake-bench.c tests/cli/fake-relay.c
tests_cli_progress_line_fits_CPPFLAGS = $(ZC_TEST_CPPFLAGS) $(JSON_CFLAGS)
tests_cli_progress_line_fits_LDADD = src/tools/libtools.la tests/lib/libunit.la \
	src/base/libbase.la $(JSON_LIBS) $(GLIB_LIBS)
endif

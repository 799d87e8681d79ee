# What can be said of the sources without running them.
ZC_LINT_TESTS = \
	tests/lint/completion \
	tests/lint/layers \
	tests/lint/man-options \
	tests/lint/man-pages \
	tests/lint/names \
	tests/lint/outside \
	tests/lint/shell \
	tests/lint/sleeps \
	tests/lint/spdx \
	tests/lint/symbols
dist_check_SCRIPTS += $(ZC_LINT_TESTS) tests/lint/Lint.pm
TESTS += $(ZC_LINT_TESTS)

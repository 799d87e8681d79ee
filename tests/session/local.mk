# The real command at both ends.
ZC_SESSION_TESTS = \
	tests/session/bench-over-every-way \
	tests/session/command-streams-an-image \
	tests/session/failure-names-its-cause \
	tests/session/signal-ends-both-ends
TESTS += $(ZC_SESSION_TESTS)
dist_check_SCRIPTS += $(ZC_SESSION_TESTS) tests/session/functions

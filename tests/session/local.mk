# The real command at both ends.
ZC_SESSION_TESTS = \
	tests/session/bench-over-every-way \
	tests/session/command-streams-an-image \
	tests/session/demo-moves-a-live-guest \
	tests/session/failure-names-its-cause \
	tests/session/killed-end-is-noticed \
	tests/session/live-guest-between-processes \
	tests/session/live-guest-survives-a-cut \
	tests/session/missing-resource-is-named \
	tests/session/null-output-keeps-no-page \
	tests/session/page-changed-after-its-digest-is-a-mismatch \
	tests/session/relay-between-send-and-recv \
	tests/session/relay-ends-as-its-ends-do \
	tests/session/relay-holds-little \
	tests/session/relay-outlives-a-cut \
	tests/session/relay-passes-a-session-on \
	tests/session/relay-tells-connections-apart \
	tests/session/signal-ends-both-ends \
	tests/session/wrong-peer-is-told-apart
TESTS += $(ZC_SESSION_TESTS)
dist_check_SCRIPTS += $(ZC_SESSION_TESTS) tests/session/functions tests/session/peer

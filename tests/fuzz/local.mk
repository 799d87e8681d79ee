# Fuzz targets, one a parser.  tests/fuzz/TARGET.c is linked twice: with replay.c, a test that runs
# the committed corpus, and, with --enable-fuzzing, with libFuzzer.
#   make fuzz [FUZZ_SECONDS=30]   fuzzes each target; new inputs and crashes go to tests/fuzz/found
#   make update-corpus            writes the seeds again, after a wanted change of the bytes
FUZZ_SECONDS = 30
ZC_FUZZ_TARGETS = address early extension manifest monitor multifd return-path stream tail tap

check_LTLIBRARIES += tests/fuzz/libsamples.la
tests_fuzz_libsamples_la_SOURCES = \
	tests/fuzz/samples.c tests/fuzz/samples.h \
	tests/fuzz/stream-trace.c tests/fuzz/stream-trace.h
tests_fuzz_libsamples_la_CPPFLAGS = $(ZC_TEST_CPPFLAGS)

ZC_FUZZ_LIBS = tests/fuzz/libsamples.la src/net/libnet.la src/wire/libwire.la src/mem/libmem.la \
	src/base/libbase.la $(GLIB_LIBS)
ZC_FUZZ_MONITOR_LIBS = src/guest/libguest.la $(ZC_FUZZ_LIBS) $(JSON_LIBS)
ZC_FUZZ_TAP_LIBS = src/relay/librelay.la $(ZC_FUZZ_LIBS)
ZC_REPLAY_FILES = tests/fuzz/replay.c tests/fuzz/fuzz.h
ZC_REPLAY_CPPFLAGS = $(ZC_TEST_CPPFLAGS) -DZC_FUZZ_SRCDIR='"$(abs_top_srcdir)"'
ZC_REPLAY_TESTS = \
	tests/fuzz/replay-address \
	tests/fuzz/replay-early \
	tests/fuzz/replay-extension \
	tests/fuzz/replay-manifest \
	tests/fuzz/replay-monitor \
	tests/fuzz/replay-multifd \
	tests/fuzz/replay-return-path \
	tests/fuzz/replay-stream \
	tests/fuzz/replay-tail \
	tests/fuzz/replay-tap
check_PROGRAMS += $(ZC_REPLAY_TESTS) tests/fuzz/seeds
TESTS += $(ZC_REPLAY_TESTS) tests/fuzz/corpus-is-current
dist_check_SCRIPTS += tests/fuzz/corpus-is-current
EXTRA_DIST += tests/fuzz/corpus

tests_fuzz_seeds_SOURCES = tests/fuzz/seeds.c tests/fuzz/fuzz.h \
	tests/fuzz/captured.c tests/fuzz/captured.h
tests_fuzz_seeds_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_seeds_LDADD = tests/lib/libfixture.la $(ZC_FUZZ_LIBS)

tests_fuzz_replay_address_SOURCES = tests/fuzz/address.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_address_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"address"'
tests_fuzz_replay_address_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_early_SOURCES = tests/fuzz/early.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_early_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"early"'
tests_fuzz_replay_early_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_extension_SOURCES = tests/fuzz/extension.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_extension_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"extension"'
tests_fuzz_replay_extension_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_manifest_SOURCES = tests/fuzz/manifest.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_manifest_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"manifest"'
tests_fuzz_replay_manifest_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_monitor_SOURCES = tests/fuzz/monitor.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_monitor_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) $(JSON_CFLAGS) -DZC_FUZZ_TARGET='"monitor"'
tests_fuzz_replay_monitor_LDADD = $(ZC_FUZZ_MONITOR_LIBS)
tests_fuzz_replay_multifd_SOURCES = tests/fuzz/multifd.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_multifd_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"multifd"'
tests_fuzz_replay_multifd_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_return_path_SOURCES = tests/fuzz/return-path.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_return_path_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"return-path"'
tests_fuzz_replay_return_path_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_stream_SOURCES = tests/fuzz/stream.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_stream_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"stream"'
tests_fuzz_replay_stream_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_tail_SOURCES = tests/fuzz/tail.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_tail_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"tail"'
tests_fuzz_replay_tail_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_replay_tap_SOURCES = tests/fuzz/tap.c $(ZC_REPLAY_FILES)
tests_fuzz_replay_tap_CPPFLAGS = $(ZC_REPLAY_CPPFLAGS) -DZC_FUZZ_TARGET='"tap"'
tests_fuzz_replay_tap_LDADD = $(ZC_FUZZ_TAP_LIBS)

if ENABLE_FUZZING
ZC_LINK_FUZZER = $(AM_LDFLAGS) -fsanitize=fuzzer
noinst_PROGRAMS += \
	tests/fuzz/fuzz-address \
	tests/fuzz/fuzz-early \
	tests/fuzz/fuzz-extension \
	tests/fuzz/fuzz-manifest \
	tests/fuzz/fuzz-monitor \
	tests/fuzz/fuzz-multifd \
	tests/fuzz/fuzz-return-path \
	tests/fuzz/fuzz-stream \
	tests/fuzz/fuzz-tail \
	tests/fuzz/fuzz-tap
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/address.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_address_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_address_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_address_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_early_SOURCES = tests/fuzz/early.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_early_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_early_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_early_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_extension_SOURCES = tests/fuzz/extension.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_extension_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_extension_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_extension_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_manifest_SOURCES = tests/fuzz/manifest.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_manifest_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_manifest_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_manifest_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_monitor_SOURCES = tests/fuzz/monitor.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_monitor_CPPFLAGS = $(ZC_TEST_CPPFLAGS) $(JSON_CFLAGS)
tests_fuzz_fuzz_monitor_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_monitor_LDADD = $(ZC_FUZZ_MONITOR_LIBS)
tests_fuzz_fuzz_multifd_SOURCES = tests/fuzz/multifd.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_multifd_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_multifd_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_multifd_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_return_path_SOURCES = tests/fuzz/return-path.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_return_path_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_return_path_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_return_path_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_stream_SOURCES = tests/fuzz/stream.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_stream_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_stream_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_stream_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_tail_SOURCES = tests/fuzz/tail.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_tail_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_tail_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_tail_LDADD = $(ZC_FUZZ_LIBS)
tests_fuzz_fuzz_tap_SOURCES = tests/fuzz/tap.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_tap_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_fuzz_fuzz_tap_LDFLAGS = $(ZC_LINK_FUZZER)
tests_fuzz_fuzz_tap_LDADD = $(ZC_FUZZ_TAP_LIBS)
endif

.PHONY: fuzz update-corpus
if ENABLE_FUZZING
fuzz: $(noinst_PROGRAMS) tests/fuzz/libsamples.la
	@set -e; for target in $(ZC_FUZZ_TARGETS); do \
	    found=tests/fuzz/found/$$target; \
	    $(MKDIR_P) $$found; \
	    echo "fuzz-$$target, $(FUZZ_SECONDS) s"; \
	    tests/fuzz/fuzz-$$target -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 \
	        -print_final_stats=1 -artifact_prefix=$$found- \
	        $$found $(srcdir)/tests/fuzz/corpus/$$target; \
	done
else
fuzz:
	@echo "make fuzz needs: configure CC=clang --enable-fuzzing" >&2; exit 1
endif

update-corpus: tests/fuzz/seeds
	ZC_SRCDIR='$(abs_top_srcdir)' tests/fuzz/seeds $(srcdir)/tests/fuzz/corpus

clean-local: clean-fuzz
clean-fuzz:
	rm -rf tests/fuzz/found

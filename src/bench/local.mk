# bench: engines side by side on the channel core
noinst_LTLIBRARIES += src/bench/libbench.la
src_bench_libbench_la_SOURCES = \
	src/bench/bench.c \
	src/bench/datagram.c src/bench/datagram.h \
	src/bench/run.c src/bench/run.h \
	src/bench/sink.c src/bench/sink.h \
	src/bench/way.c src/bench/way.h
src_bench_libbench_la_LIBADD = $(GLIB_LIBS)

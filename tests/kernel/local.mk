# kernel

check_PROGRAMS += tests/kernel/track-uffd-semantics
TESTS += tests/kernel/track-uffd-semantics
tests_kernel_track_uffd_semantics_LDADD = src/guest/libguest.la src/mem/libmem.la \
	src/base/libbase.la

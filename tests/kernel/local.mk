# kernel: what the code believes of the kernel, a program a fact
ZC_TEST_KERNEL = \
	tests/kernel/calls-are-numbered-when-they-succeed \
	tests/kernel/copied-bit-of-merged-note-is-the-first \
	tests/kernel/flag-without-option-is-ignored \
	tests/kernel/memlock-charge-of-a-call \
	tests/kernel/no-note-while-the-peer-stalls \
	tests/kernel/optmem-of-a-call \
	tests/kernel/small-control-buffer-loses-the-note
check_PROGRAMS += $(ZC_TEST_KERNEL)
TESTS += $(ZC_TEST_KERNEL)
EXTRA_DIST += tests/kernel/fact.h tests/lib/rights.h
tests_kernel_calls_are_numbered_when_they_succeed_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_kernel_calls_are_numbered_when_they_succeed_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_kernel_copied_bit_of_merged_note_is_the_first_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_kernel_copied_bit_of_merged_note_is_the_first_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_kernel_flag_without_option_is_ignored_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_kernel_flag_without_option_is_ignored_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_kernel_memlock_charge_of_a_call_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_kernel_memlock_charge_of_a_call_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_kernel_no_note_while_the_peer_stalls_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_kernel_no_note_while_the_peer_stalls_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_kernel_optmem_of_a_call_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_kernel_optmem_of_a_call_LDADD = $(ZC_TEST_NETNS_LIBS)
tests_kernel_small_control_buffer_loses_the_note_CPPFLAGS = $(ZC_TEST_NETNS_CPPFLAGS)
tests_kernel_small_control_buffer_loses_the_note_LDADD = $(ZC_TEST_NETNS_LIBS)

check_PROGRAMS += tests/kernel/track-uffd-semantics
TESTS += tests/kernel/track-uffd-semantics
tests_kernel_track_uffd_semantics_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_kernel_track_uffd_semantics_LDADD = src/guest/libguest.la src/mem/libmem.la \
	src/base/libbase.la

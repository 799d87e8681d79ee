# doctor against the kernel, in network namespaces
if HAVE_CHECK
check_PROGRAMS += tests/netns/doctor-agrees-with-the-kernel
TESTS += tests/netns/doctor-agrees-with-the-kernel
tests_netns_doctor_agrees_with_the_kernel_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_netns_doctor_agrees_with_the_kernel_LDADD = $(ZC_TEST_DOCTOR_LIBS)
endif

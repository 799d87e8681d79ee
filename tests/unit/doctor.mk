# doctor: its rules on made-up facts
if HAVE_CHECK
ZC_TEST_DOCTOR = tests/unit/doctor-burst tests/unit/doctor-devices tests/unit/doctor-limits \
	tests/unit/doctor-stacks tests/unit/doctor-taps
check_PROGRAMS += $(ZC_TEST_DOCTOR)
TESTS += $(ZC_TEST_DOCTOR)
ZC_TEST_DOCTOR_LIBS = tests/lib/libunit.la src/doctor/libdoctor.la src/send/libsend.la \
	src/net/libnet.la src/base/libbase.la
tests_unit_doctor_burst_SOURCES = tests/unit/doctor-burst.c tests/unit/doctor-facts.h
tests_unit_doctor_burst_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_burst_LDADD = $(ZC_TEST_DOCTOR_LIBS)
tests_unit_doctor_devices_SOURCES = tests/unit/doctor-devices.c tests/unit/doctor-facts.h
tests_unit_doctor_devices_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_devices_LDADD = $(ZC_TEST_DOCTOR_LIBS)
tests_unit_doctor_limits_SOURCES = tests/unit/doctor-limits.c tests/unit/doctor-facts.h
tests_unit_doctor_limits_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_limits_LDADD = $(ZC_TEST_DOCTOR_LIBS)
tests_unit_doctor_stacks_SOURCES = tests/unit/doctor-stacks.c
tests_unit_doctor_stacks_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_stacks_LDADD = $(ZC_TEST_DOCTOR_LIBS)
tests_unit_doctor_taps_SOURCES = tests/unit/doctor-taps.c tests/unit/doctor-facts.h
tests_unit_doctor_taps_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_taps_LDADD = $(ZC_TEST_DOCTOR_LIBS)
endif

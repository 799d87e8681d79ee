# doctor: its rules on made-up facts
if HAVE_CHECK
check_PROGRAMS += tests/unit/doctor-devices tests/unit/doctor-limits tests/unit/doctor-taps
TESTS += tests/unit/doctor-devices tests/unit/doctor-limits tests/unit/doctor-taps
ZC_TEST_DOCTOR_LIBS = tests/lib/libunit.la src/doctor/libdoctor.la src/base/libbase.la
tests_unit_doctor_devices_SOURCES = tests/unit/doctor-devices.c tests/unit/doctor-facts.h
tests_unit_doctor_devices_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_devices_LDADD = $(ZC_TEST_DOCTOR_LIBS)
tests_unit_doctor_limits_SOURCES = tests/unit/doctor-limits.c tests/unit/doctor-facts.h
tests_unit_doctor_limits_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_limits_LDADD = $(ZC_TEST_DOCTOR_LIBS)
tests_unit_doctor_taps_SOURCES = tests/unit/doctor-taps.c tests/unit/doctor-facts.h
tests_unit_doctor_taps_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_doctor_taps_LDADD = $(ZC_TEST_DOCTOR_LIBS)
endif

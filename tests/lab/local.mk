# guest kernels and rigs in which zero-copy really happens; "make lab" runs every case on every kernel
check_PROGRAMS += tests/lab/zcprobe
tests_lab_zcprobe_CPPFLAGS = $(AM_CPPFLAGS)
tests_lab_zcprobe_LDADD = src/doctor/libdoctor.la src/send/libsend.la \
	src/net/libnet.la src/base/libbase.la

check_PROGRAMS += tests/lab/vsock-channel
tests_lab_vsock_channel_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_lab_vsock_channel_LDADD = tests/lib/libnetns.la src/send/libsend.la src/net/libnet.la src/base/libbase.la

dist_check_SCRIPTS += tests/lab/run tests/lab/fetch-kernel tests/lab/make-initramfs
EXTRA_DIST += tests/lab/init tests/lab/guest-functions.sh \
	tests/lab/cases/clean-path.sh \
	tests/lab/cases/doctor-limits.sh \
	tests/lab/cases/doctor-probe.sh \
	tests/lab/cases/doctor-rights.sh \
	tests/lab/cases/doctor-trace.sh \
	tests/lab/cases/features-off.sh \
	tests/lab/cases/harmless-taps.sh \
	tests/lab/cases/memlock.sh \
	tests/lab/cases/optmem.sh \
	tests/lab/cases/stacked-devices.sh \
	tests/lab/cases/tap.sh \
	tests/lab/cases/tap-below.sh \
	tests/lab/cases/tap-in-other-netns.sh \
	tests/lab/cases/registered.sh \
	tests/lab/cases/vsock.sh \
	tests/lab/cases/zcmig-doctor.sh

# The short form: one boot.
dist_check_SCRIPTS += tests/lab/zero-copy-happens-in-a-guest
TESTS += tests/lab/zero-copy-happens-in-a-guest

.PHONY: lab
lab: all $(check_PROGRAMS)
	ZC_BUILDDIR='$(abs_top_builddir)' $(srcdir)/tests/lab/run

# Two rigs on the host itself, without a guest.
check_PROGRAMS += tests/lab/tapfwd tests/lab/xdppass
tests_lab_tapfwd_SOURCES = tests/lab/tapfwd.c
tests_lab_xdppass_SOURCES = tests/lab/xdppass.c
dist_check_SCRIPTS += tests/lab/rigs/lo-xdp tests/lab/rigs/macvtap tests/lab/rigs-give-zero-copy
TESTS += tests/lab/rigs-give-zero-copy
dist_check_SCRIPTS += tests/lab/doctor-is-right-on-the-honest-rig
TESTS += tests/lab/doctor-is-right-on-the-honest-rig

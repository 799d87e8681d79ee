# guest kernels and rigs in which zero-copy really happens; "make lab" runs every case on every kernel,
# LABFLAGS='-k 6.1 tap' one on one
check_PROGRAMS += tests/lab/zcprobe
tests_lab_zcprobe_SOURCES = tests/lab/zcprobe.c tests/lab/zcprobe-peer.c tests/lab/zcprobe.h \
	tests/lab/mark.h
tests_lab_zcprobe_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_lab_zcprobe_LDADD = src/doctor/libdoctor.la src/send/libsend.la \
	src/net/libnet.la src/mem/libmem.la src/base/libbase.la

check_PROGRAMS += tests/lab/vsock-channel
tests_lab_vsock_channel_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_lab_vsock_channel_LDADD = tests/lib/libnetns.la src/send/libsend.la src/net/libnet.la src/base/libbase.la

dist_check_SCRIPTS += tests/lab/run tests/lab/host-recv tests/lab/fetch-kernel tests/lab/make-initramfs
EXTRA_DIST += tests/lab/init tests/lab/guest-functions.sh \
	tests/lab/cases/clean-path.sh \
	tests/lab/cases/doctor-limits.sh \
	tests/lab/cases/doctor-probe.sh \
	tests/lab/cases/doctor-rights.sh \
	tests/lab/cases/doctor-trace.sh \
	tests/lab/cases/doctor-vsock.sh \
	tests/lab/cases/early-reuse.sh \
	tests/lab/cases/features-off.sh \
	tests/lab/cases/harmless-taps.sh \
	tests/lab/cases/memlock.sh \
	tests/lab/cases/optmem.sh \
	tests/lab/cases/registered.sh \
	tests/lab/cases/stacked-devices.sh \
	tests/lab/cases/tap.sh \
	tests/lab/cases/tap-below.sh \
	tests/lab/cases/tap-in-other-netns.sh \
	tests/lab/cases/vsock.sh \
	tests/lab/cases/who-copies.sh \
	tests/lab/cases/zcmig-doctor.sh \
	tests/lab/cases/zcmig-engines.sh \
	tests/lab/cases/zcmig-flips.sh \
	tests/lab/cases/zcmig-memlock.sh \
	tests/lab/cases/zcmig-optmem.sh \
	tests/lab/cases/zcmig-send.sh \
	tests/lab/cases/zcmig-vsock.sh

# The short form: one boot.
dist_check_SCRIPTS += tests/lab/zero-copy-happens-in-a-guest
TESTS += tests/lab/zero-copy-happens-in-a-guest

.PHONY: lab
lab: all $(check_PROGRAMS)
	ZC_BUILDDIR='$(abs_top_builddir)' $(srcdir)/tests/lab/run $(LABFLAGS)

# Instructions of the guest, counted: the cost that noise does not touch.
check_LTLIBRARIES += tests/lab/insn-count.la
tests_lab_insn_count_la_SOURCES = tests/lab/insn-count.c
tests_lab_insn_count_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(libdir)
dist_check_SCRIPTS += tests/lab/cost-of-zero-copy tests/lab/well-known-experiment
EXTRA_DIST += tests/lab/Counted.pm tests/lab/cost/cost.sh tests/lab/cost/experiment.sh

.PHONY: lab-cost lab-experiment honest-cost
lab-cost: all $(check_PROGRAMS) $(check_LTLIBRARIES)
	ZC_BUILDDIR='$(abs_top_builddir)' $(srcdir)/tests/lab/cost-of-zero-copy $(LABFLAGS)
lab-experiment: all $(check_PROGRAMS) $(check_LTLIBRARIES)
	ZC_BUILDDIR='$(abs_top_builddir)' $(srcdir)/tests/lab/well-known-experiment $(LABFLAGS)

# What zero-copy saves a whole sender, on a rig of the host.
dist_check_SCRIPTS += tests/lab/honest-cost
honest-cost: all $(check_PROGRAMS)
	ZC_BUILDDIR='$(abs_top_builddir)' $(srcdir)/tests/lab/honest-cost $(LABFLAGS)

# Two rigs on the host itself, without a guest.
check_PROGRAMS += tests/lab/tapfwd tests/lab/xdppass
tests_lab_tapfwd_SOURCES = tests/lab/tapfwd.c
tests_lab_xdppass_SOURCES = tests/lab/xdppass.c
dist_check_SCRIPTS += tests/lab/rigs/lo-xdp tests/lab/rigs/macvtap tests/lab/rigs-give-zero-copy
TESTS += tests/lab/rigs-give-zero-copy
dist_check_SCRIPTS += tests/lab/doctor-is-right-on-the-honest-rig
TESTS += tests/lab/doctor-is-right-on-the-honest-rig

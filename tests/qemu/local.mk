# Real QEMU, and the demo, which runs one.
ZC_QEMU_TESTS = \
	tests/qemu/demo-leaves-nothing-behind \
	tests/qemu/demo-says-what-is-missing \
	tests/qemu/demo-verifies-a-live-guest \
	tests/qemu/digest-of-a-paused-guest \
	tests/qemu/digest-proves-an-arrival \
	tests/qemu/digest-with-memory-devices \
	tests/qemu/fetch-guest-kernel-explains-itself \
	tests/qemu/guest-notices-a-lost-page \
	tests/qemu/linux-guest-moves-live-and-back \
	tests/qemu/page-changed-on-the-way-is-found \
	tests/qemu/qemu-10.0-writes-while-it-moves-in-every-mode \
	tests/qemu/qemu-7.2-loses-pages-and-zcmig-finds-them \
	tests/qemu/qemu-7.2-rests-while-it-moves-in-every-mode \
	tests/qemu/qemu-guest-moves-without-rights \
	tests/qemu/qemu-guest-survives-a-failed-move \
	tests/qemu/qemu-moves-through-a-relay \
	tests/qemu/qemu-moves-to-a-snapshot-and-back \
	tests/qemu/qemu-refused-capabilities \
	tests/qemu/qemu-with-memory-of-several-kinds
dist_check_SCRIPTS += $(ZC_QEMU_TESTS) tests/qemu/functions tests/qemu/machines tests/qemu/matrix \
	tests/qemu/lib/await tests/qemu/lib/proxy tests/qemu/lib/qmp \
	tests/qemu/lib/capture-stream tests/qemu/lib/capture-tail tests/qemu/lib/fetch-qemu
TESTS += $(ZC_QEMU_TESTS)
EXTRA_DIST += \
	tests/qemu/fixtures/stream-7.2-plain.main.gz \
	tests/qemu/fixtures/stream-7.2-plain.manifest \
	tests/qemu/fixtures/stream-7.2-multifd.main.gz \
	tests/qemu/fixtures/stream-7.2-multifd.channel-0.gz \
	tests/qemu/fixtures/stream-7.2-multifd.channel-1.gz \
	tests/qemu/fixtures/stream-7.2-multifd.manifest \
	tests/qemu/fixtures/stream-10.0-plain.main.gz \
	tests/qemu/fixtures/stream-10.0-plain.manifest \
	tests/qemu/fixtures/stream-10.0-multifd.main.gz \
	tests/qemu/fixtures/stream-10.0-multifd.channel-0.gz \
	tests/qemu/fixtures/stream-10.0-multifd.channel-1.gz \
	tests/qemu/fixtures/stream-10.0-multifd.manifest \
	tests/qemu/fixtures/stream-10.0-multifd-pc-7.2.main.gz \
	tests/qemu/fixtures/stream-10.0-multifd-pc-7.2.channel-0.gz \
	tests/qemu/fixtures/stream-10.0-multifd-pc-7.2.channel-1.gz \
	tests/qemu/fixtures/stream-10.0-multifd-pc-7.2.manifest \
	tests/qemu/fixtures/tail-pc-7.2.gz tests/qemu/fixtures/tail-pc-10.0.gz \
	tests/qemu/fixtures/tail-q35-7.2.gz tests/qemu/fixtures/tail-q35-10.0.gz

# Makes those; not part of the tests.
EXTRA_PROGRAMS += tests/qemu/lib/cut-tail
tests_qemu_lib_cut_tail_LDADD = src/wire/libwire.la src/base/libbase.la $(GLIB_LIBS)
CLEANFILES += tests/qemu/lib/cut-tail

# A guest without a system: 32-bit, freestanding, for the multiboot loader of QEMU's -kernel.
ZC_GUEST_FILES = tests/qemu/guest/guest.c tests/qemu/guest/guest.ld tests/qemu/guest/head.S
EXTRA_DIST += $(ZC_GUEST_FILES)
CLEANFILES += tests/qemu/guest/guest.elf
check_DATA = tests/qemu/guest/guest.elf
tests/qemu/guest/guest.elf: $(ZC_GUEST_FILES)
	$(AM_V_GEN)$(MKDIR_P) tests/qemu/guest && $(CC) -m32 -march=i686 -O2 -Wall -Wextra -Werror \
	  -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -mno-sse \
	  -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-T,$(srcdir)/tests/qemu/guest/guest.ld \
	  -o $@ $(srcdir)/tests/qemu/guest/head.S $(srcdir)/tests/qemu/guest/guest.c || \
	  { rm -f $@; echo "no 32-bit guest: the compiler refused"; }

# For a guest with a system: one static program and an init.
EXTRA_DIST += tests/qemu/guest/dirtier.c tests/qemu/guest/init
CLEANFILES += tests/qemu/guest/dirtier
check_DATA += tests/qemu/guest/dirtier
tests/qemu/guest/dirtier: tests/qemu/guest/dirtier.c
	$(AM_V_GEN)$(MKDIR_P) tests/qemu/guest && $(CC) -O2 -Wall -Wextra -Werror -static -o $@ \
	  $(srcdir)/tests/qemu/guest/dirtier.c || \
	  { rm -f $@; echo "no static program for a guest: the compiler refused"; }

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real guest to take RAM from: a Debian kernel under QEMU (TCG, so no
 * privilege is needed) that works in memory.  Its RAM is a file on tmpfs which
 * QEMU maps shared, so a dump is a copy of that file while the guest is paused.
 *
 *     start --> wait_ready --> dump --> prove_alive --> free
 *
 * Whatever happens, free ends QEMU and removes what start made; should this
 * process die first, the kernel kills QEMU.  One thread only.
 */
#ifndef ZC_TOOLS_DEMO_GUEST_H
#define ZC_TOOLS_DEMO_GUEST_H

#include <stdint.h>

#include <glib.h>

#define ZC_DEMO_MEMORY_MIN_MIB 128u
#define ZC_DEMO_MEMORY_MAX_MIB 2048u /* below the PCI hole: RAM stays one piece */

struct zc_demo_guest;

struct zc_demo_guest_options {
    uint64_t memory_mib;
    const char *kernel;    /* path of a bzImage */
    const char *directory; /* exists, private, best on tmpfs; holds the guest's files */
    int wake_fd;           /* readable ends every wait with ZCMIG_ERROR_CANCELLED */
};

struct zc_demo_dump {
    int64_t paused_us;   /* how long the guest stood still */
    uint64_t ram_bytes;  /* length of the image */
    uint64_t data_bytes; /* of them in pages that are not zero */
};

/*
 * Starts QEMU.  Errors: ZCMIG_ERROR_UNSUPPORTED with the package to install, ZCMIG_ERROR_USAGE
 * (memory out of range), ZCMIG_ERROR_FAILED.
 */
struct zc_demo_guest *zc_demo_guest_start(const struct zc_demo_guest_options *options,
                                          GError **error);

/* Waits until the guest's data is in place.  Errors: what zc_lines_next gives, with QEMU's words.
 */
gboolean zc_demo_guest_wait_ready(struct zc_demo_guest *guest, unsigned int timeout_s,
                                  GError **error);

/* Pauses the guest, copies its RAM to the new file @path (zero pages are holes), resumes it. */
gboolean zc_demo_guest_dump(struct zc_demo_guest *guest, const char *path,
                            struct zc_demo_dump *dump_out, GError **error);

/* Waits for ticks that only a guest which still runs can print, each one more than the last. */
gboolean zc_demo_guest_prove_alive(struct zc_demo_guest *guest, uint64_t *tick_out, GError **error);

void zc_demo_guest_free(struct zc_demo_guest *guest); /* accepts NULL */

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QEMU that is asked through its monitor: how its migration goes, and what is
 * in the RAM of its guest while that stands still.
 *
 *     qmp:SOCKET[,way=WAY][,pid=PID]
 *
 * Nothing of it is changed: the guest is neither stopped nor continued.
 */
#ifndef ZC_GUEST_QEMU_H
#define ZC_GUEST_QEMU_H

#include "guest/guest.h"
#include "guest/qmp.h"

#define ZC_QEMU_SCHEME "qmp:"
#define ZC_QEMU_ANSWER_MS 20000 /* a QEMU that stops its guest may take its time */

/* How RAM is read. */
enum zc_qemu_way {
    ZC_QEMU_AUTO,    /* each block by the first of these that can */
    ZC_QEMU_FILE,    /* its memory file: memfd or file backend, share=on */
    ZC_QEMU_PROCESS, /* the memory of QEMU's process */
    ZC_QEMU_MONITOR, /* pmemsave: only what the guest can address */
};
#define ZC_QEMU_N_WAYS 4

struct zc_qemu_address {
    char *path;           /* of the monitor's UNIX socket */
    enum zc_qemu_way way; /* of reading RAM */
    int pid;              /* of QEMU; 0: whoever made the socket */
};

/* Takes SOCKET[,way=WAY][,pid=PID] apart.  ZCMIG_ERROR_USAGE. */
bool zc_qemu_address_parse(const char *text, struct zc_qemu_address *address, GError **error);
void zc_qemu_address_clear(struct zc_qemu_address *address);

/* ---- qemu-status.c */

/*
 * Whether the guest's RAM stands still: it is paused, and no migration comes in.  @doing is for the
 * message.  ZCMIG_ERROR_SOURCE: it does not, and what it does; or what zc_qmp_execute says.
 */
bool zc_qemu_check_still(struct zc_qmp *qmp, const char *doing, GError **error);

/* What query-migrate tells, in bytes and milliseconds; what it leaves out is 0. */
struct zc_qemu_progress {
    char status[32];  /* "active", "completed", ..., "none" */
    char reason[256]; /* of a failure, in QEMU's words, or "" */
    uint64_t total_bytes, remaining_bytes, transferred_bytes;
    uint64_t iteration; /* dirty-sync-count */
    uint64_t dirty_pages_per_s;
    uint64_t expected_downtime_ms, downtime_ms;
};

bool zc_qemu_query_progress(struct zc_qmp *qmp, zc_deadline deadline,
                            struct zc_qemu_progress *progress_out, GError **error);

/* The same of what query-migrate returned: pure. */
void zc_qemu_read_progress(JsonNode *returned, struct zc_qemu_progress *progress_out);

/* ---- qemu-source.c */

/*
 * The RAM of @qmp's guest, which must stand still, as a source that can only be digested (its ops
 * have digest).  @qmp is borrowed until free.  The source's way says how its blocks are read, its
 * partial that some pages cannot be.  Its check fails when the guest ran meanwhile.  Errors:
 * ZCMIG_ERROR_SOURCE (the guest runs; nothing of its RAM can be read; not by that way), those of
 * zc_qmp_execute, those of qemu-text.h.
 */
struct zc_source *zc_qemu_source_new(struct zc_qmp *qmp, const struct zc_qemu_address *address,
                                     GError **error);

/* The same with a connection of its own. */
struct zc_source *zc_qemu_source_open(const char *uri, const char *rest, GError **error);

#endif

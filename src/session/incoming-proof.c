/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proof for a source that knows nothing of zcmig: its guest stands still once
 * all of its RAM has come, so its own memory is digested, through its monitor,
 * and compared with the digests recorded at arrival.
 *
 * Design: with verify=before that happens while the source waits for SHUT, and
 * a difference is answered with SHUT 1: its guest runs on.  That takes a return
 * path, without which the source waits for nothing, so its absence is an error
 * before the RAM moves.  With verify=after the source has heard SHUT 0, and
 * stays as it is; a difference then costs the output, and the guest is still
 * there to be continued.
 */
#include "config.h"

#include "base/error.h"
#include "base/log.h"
#include "session/incoming.h"

bool zc_incoming_check_proof(struct zc_incoming *in, GError **error)
{
    if (!in->watch) {
        return true;
    }
    if (atomic_load(&in->session.peer_is_zcmig)) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "the source is a zcmig, which sends a proof of its own: source-qmp is for "
                        "a QEMU");
    }
    return in->has_return_path || in->options.verify != ZCMIG_VERIFY_BEFORE ||
           zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                    "verify=before needs a source that waits for its verdict, and it has migration "
                    "capability return-path off");
}

bool zc_incoming_is_proven(const struct zc_incoming *in)
{
    return in->watch && in->options.verify != ZCMIG_VERIFY_OFF;
}

static uint64_t count_pages(const struct zc_manifest *expected, const struct zc_manifest *arrival)
{
    return zc_manifest_pages(expected) - zc_manifest_uncompared(expected, arrival);
}

bool zc_incoming_prove(struct zc_incoming *in)
{
    GArray *runs = in->session.mismatches;
    g_autofree char *way = NULL;
    GError *error = NULL;

    zc_watch_stop(in->watch);
    struct zc_manifest *expected = zc_watch_digest(in->watch, &way, &error);
    if (!expected) {
        return zc_incoming_fail(in, error);
    }
    uint64_t n_wrong = zc_manifest_compare(expected, in->place.arrival, runs, ZC_VERIFY_RUNS_MAX);
    uint64_t n_compared = count_pages(expected, in->place.arrival);
    zc_manifest_free(expected);
    atomic_store(&in->session.verified_pages, n_compared);
    atomic_store(&in->session.mismatched_pages, n_wrong);
    g_mutex_lock(&in->lock);
    g_strlcpy(in->way, way, sizeof(in->way));
    g_mutex_unlock(&in->lock);
    zc_debug("%" G_GUINT64_FORMAT " pages compared with the source's, by %s", n_compared, way);
    if (n_wrong == 0) {
        return true;
    }
    g_autofree char *first = zc_mismatch_format(&g_array_index(runs, struct zc_mismatch, 0));
    zc_error(&error, ZCMIG_ERROR_MISMATCH,
             "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
             " pages are not here as the source has them: %s",
             n_wrong, n_compared, first);
    return zc_incoming_fail(in, error);
}

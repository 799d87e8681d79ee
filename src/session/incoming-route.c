/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The destination's part in a route that is no socket's.
 *
 * Design: by the route memfd the store is made of what the source passed
 * (guest/shared.h).  It is mapped when RAM is announced, while the guest still
 * runs at the source, and can only be read until RUN.  No page is read in the
 * downtime, unless the manifest is to be compared before the guest runs.
 */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "session/digest.h"
#include "session/incoming.h"

static bool fail(struct zc_incoming *in, enum zcmig_error_code code, const char *text)
{
    return zc_incoming_fail(in, g_error_new_literal(ZCMIG_ERROR, (gint)code, text));
}

static bool open_pull(struct zc_incoming *in, const struct zc_extension *message)
{
    GError *error = NULL;

    if (message->session.n_channels == 0) {
        return fail(in, ZCMIG_ERROR_PROTOCOL, "SESSION: got the route pull without channels");
    }
    return zc_pull_open(&in->pull, in->main_fd, message->session.bases, message->session.n_bases,
                        &error) ||
           zc_incoming_fail(in, error);
}

static bool open_memfd(struct zc_incoming *in, const struct zc_extension *message)
{
    if (message->session.n_channels != 0) {
        return fail(in, ZCMIG_ERROR_PROTOCOL, "SESSION: got channels by the route memfd");
    }
    if (!message->session.live) {
        return fail(in, ZCMIG_ERROR_PROTOCOL,
                    "SESSION: got the route memfd, allowed is a guest that goes on in its memory");
    }
    /* It takes none of ours.  What is announced has to be there: the descriptors' lengths say so.
     */
    if (!in->options.max_ram_bytes) {
        zc_stream_decoder_allow_ram(in->decoder, INT64_MAX);
    }
    return true;
}

bool zc_incoming_open_route(struct zc_incoming *in, const struct zc_extension *message)
{
    in->peer.session.bases = NULL; /* they lie in the input */
    atomic_store(&in->session.route, (int)message->session.route);
    switch (message->session.route) {
    case ZC_SESSION_ROUTE_PULL:
        return open_pull(in, message);
    case ZC_SESSION_ROUTE_MEMFD:
        return open_memfd(in, message);
    default:
        return true;
    }
}

bool zc_incoming_take_memory(struct zc_incoming *in, const struct zc_extension *message)
{
    GError *error = NULL;

    if (!zc_incoming_shares_memory(in) || in->memory.memory.n_blocks || in->ram.n_blocks) {
        return fail(in, ZCMIG_ERROR_PROTOCOL,
                    "got MEMORY, allowed is one by the route memfd, before RAM");
    }
    if (in->input.n_fds != message->memory.n_blocks || in->input.lost_fds) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "MEMORY: got %u descriptors%s, allowed are those of %u blocks", in->input.n_fds,
                 in->input.lost_fds ? " and more" : "", message->memory.n_blocks);
        return zc_incoming_fail(in, error);
    }
    in->memory = *message;
    zc_store_free(in->store);
    in->store = zc_shared_store_new(in->input.fds, in->input.n_fds);
    in->input.n_fds = 0;
    return true;
}

bool zc_incoming_check_memory(struct zc_incoming *in)
{
    struct zc_extension mapped = { .type = ZC_EXTENSION_MAPPED };
    struct zc_shared_identity identity;
    GError *error = NULL;

    mapped.memory.n_blocks = in->ram.n_blocks;
    for (uint32_t i = 0; i < in->ram.n_blocks; i++) {
        const struct zc_memory_identity *said = &in->memory.memory.blocks[i];
        if (!zc_shared_store_identify(in->store, i, &identity, &error)) {
            return zc_incoming_fail(in, error);
        }
        if (identity.device != said->device || identity.inode != said->inode) {
            zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                     "the route memfd: got other memory for block '%s' than that which the guest "
                     "runs in, by what the source says of it",
                     in->ram.blocks[i].name);
            return zc_incoming_fail(in, error);
        }
        mapped.memory.blocks[i] = (struct zc_memory_identity){ identity.device, identity.inode };
    }
    atomic_store(&in->session.same_memory, true);
    zc_incoming_put_extension(in, &mapped);
    return zc_incoming_answer(in);
}

bool zc_incoming_digest_memory(struct zc_incoming *in)
{
    int64_t begin_ns = zc_clock_now_ns();
    GError *error = NULL;

    zc_manifest_free(in->place.arrival); /* of a switchover that was cut */
    in->place.arrival = zc_digest_ram(&in->ram, zc_digest_threads(), &error);
    in->verify_ns += zc_clock_now_ns() - begin_ns;
    return (in->place.arrival && zc_shared_store_check(in->store, &error)) ||
           zc_incoming_fail(in, error);
}

bool zc_incoming_unlock_memory(struct zc_incoming *in)
{
    int ret = zc_shared_store_make_writable(in->store);
    GError *error = NULL;

    return ret == 0 || (zc_error_errno(&error, ZCMIG_ERROR_LIMIT, ret,
                                       "cannot make the guest's memory writable"),
                        zc_incoming_fail(in, error));
}

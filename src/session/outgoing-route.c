/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's part in the choice of a route.
 *
 * Design: by the route pull the destination reads our memory.  Who may do that
 * is the kernel's decision, and it is asked at each read; all that is done
 * here is to name the destination's process where Yama wants it named.  That is
 * one entry of the whole process, so it is taken back with the session.
 */
#include "config.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/log.h"
#include "session/outgoing.h"

G_STATIC_ASSERT((int)ZCMIG_ROUTE_SOCKET == (int)ZC_SESSION_ROUTE_SOCKET &&
                (int)ZCMIG_ROUTE_PULL == (int)ZC_SESSION_ROUTE_PULL);
G_STATIC_ASSERT(ZC_EXTENSION_BASES_MAX >= ZC_BLOCKS_MAX);

bool zc_outgoing_check_route(const struct zc_outgoing *out, GError **error)
{
    enum zcmig_route route = out->options.route;

    if (route > ZCMIG_ROUTE_PULL) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "route: got %d, allowed are 0 to %d", (int)route,
                        ZCMIG_ROUTE_PULL);
    }
    if (route == ZCMIG_ROUTE_PULL && out->destination.kind != ZC_ADDR_UNIX) {
        g_autofree char *uri = zc_addr_format(&out->destination);
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "route pull: got destination '%s', allowed is unix:PATH: the destination "
                        "reads this process's memory",
                        uri);
    }
    if (route == ZCMIG_ROUTE_PULL && out->options.plain) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "route pull: got a plain stream, allowed are channels: they name the "
                        "pages to read");
    }
    return true;
}

const struct zc_route *zc_outgoing_route(const struct zc_outgoing *out)
{
    return out->options.route == ZCMIG_ROUTE_PULL ? &zc_route_pull : &zc_route_socket;
}

/* For Yama, mode 1; anywhere else it says EINVAL and nothing is needed. */
static void name_destination(struct zc_outgoing *out)
{
    struct ucred peer = { .pid = 0 };
    socklen_t length = sizeof(peer);

    if (getsockopt(out->main_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid > 0 &&
        prctl(PR_SET_PTRACER, (unsigned long)peer.pid, 0, 0, 0) == 0) {
        out->has_ptracer = true;
        zc_debug("process %d may read this one's memory until the session ends", (int)peer.pid);
    }
}

void zc_outgoing_end_route(struct zc_outgoing *out)
{
    if (out->has_ptracer) {
        prctl(PR_SET_PTRACER, 0, 0, 0, 0);
        out->has_ptracer = false;
    }
}

bool zc_outgoing_put_session(struct zc_outgoing *out)
{
    const struct zc_ram *ram = &out->source->ram;
    struct zc_extension message = { .type = ZC_EXTENSION_SESSION };
    uint64_t bases[ZC_EXTENSION_BASES_MAX];

    memcpy(message.session.uuid, out->uuid, sizeof(out->uuid));
    message.session.n_channels = (uint16_t)out->options.channels;
    message.session.verify = (uint8_t)out->options.verify;
    message.session.exact_bytes = out->source->exact_bytes;
    message.session.live = out->source->live != NULL;
    message.session.route = (uint8_t)out->options.route;
    if (out->options.route == ZCMIG_ROUTE_PULL) {
        for (uint32_t i = 0; i < ram->n_blocks; i++) {
            bases[i] = GUINT64_TO_BE((uint64_t)(uintptr_t)ram->blocks[i].host);
        }
        message.session.n_bases = ram->n_blocks;
        message.session.bases = (const uint8_t *)bases;
        name_destination(out);
    }
    zc_outgoing_put_extension(out, &message);
    return zc_outgoing_flush(out);
}

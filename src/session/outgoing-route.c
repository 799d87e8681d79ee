/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's part in the choice of a route.
 *
 * Design: by the route pull the destination reads our memory.  Who may do that
 * is the kernel's decision, and it is asked at each read; all that is done
 * here is to name the destination's process where Yama wants it named.  That is
 * one entry of the whole process, so it is taken back with the session.
 *
 * By the route memfd it gets the memory itself, with SCM_RIGHTS.  There is
 * nothing to take back: who has a descriptor keeps it.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/log.h"
#include "guest/shared.h"
#include "net/io.h"
#include "session/outgoing.h"

G_STATIC_ASSERT((int)ZCMIG_ROUTE_SOCKET == (int)ZC_SESSION_ROUTE_SOCKET &&
                (int)ZCMIG_ROUTE_PULL == (int)ZC_SESSION_ROUTE_PULL &&
                (int)ZCMIG_ROUTE_MEMFD == (int)ZC_SESSION_ROUTE_MEMFD);
G_STATIC_ASSERT(ZC_EXTENSION_BASES_MAX >= ZC_BLOCKS_MAX);
G_STATIC_ASSERT(ZC_EXTENSION_MEMORY_MAX <= ZC_IO_FDS_MAX);

bool zc_outgoing_check_route(const struct zc_outgoing *out, GError **error)
{
    enum zcmig_route route = out->options.route;
    bool is_memfd = route == ZCMIG_ROUTE_MEMFD;

    if ((unsigned int)route > ZCMIG_ROUTE_MEMFD) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "route: got %d, allowed are 0 to %d", (int)route,
                        ZCMIG_ROUTE_MEMFD);
    }
    if (route == ZCMIG_ROUTE_SOCKET) {
        return true;
    }
    if (out->destination.kind != ZC_ADDR_UNIX &&
        !(is_memfd && out->destination.kind == ZC_ADDR_FD)) {
        g_autofree char *uri = zc_addr_format(&out->destination);
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "route %s: got destination '%s', allowed is unix:PATH: the destination "
                        "%s this process's memory",
                        zcmig_route_name(route), uri, is_memfd ? "gets" : "reads");
    }
    if (out->options.plain) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "route %s: got a plain stream, allowed %s",
                        zcmig_route_name(route),
                        is_memfd ? "is none: no page moves"
                                 : "are channels: they name the pages to read");
    }
    if (is_memfd && out->options.channels) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "route memfd: got %u channels, allowed is 0: no page moves",
                        out->options.channels);
    }
    return true;
}

/* What is handed over is the RAM of a guest that goes on in it. */
static bool check_memory(const struct zc_outgoing *out, GError **error)
{
    struct zc_source *source = out->source;

    if (!source->live) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "route memfd: got '%s', allowed is guest:SIZE,memory=memfd: a guest that "
                        "goes on in the memory it is in; an image is copied by the routes socket "
                        "and pull",
                        source->uri);
    }
    if (source->ram.n_blocks > ZC_EXTENSION_MEMORY_MAX) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "route memfd: got RAM of %u blocks, allowed are %d", source->ram.n_blocks,
                        ZC_EXTENSION_MEMORY_MAX);
    }
    for (uint32_t i = 0; i < source->ram.n_blocks; i++) {
        if (!source->live->memory_fd || source->live->memory_fd(source, i) < 0) {
            return zc_error(error, ZCMIG_ERROR_USAGE,
                            "route memfd: got '%s', whose RAM is private to this process; allowed "
                            "are a guest with memory=memfd, or --route=pull, which copies each "
                            "page once",
                            source->uri);
        }
    }
    return true;
}

bool zc_outgoing_check_source(const struct zc_outgoing *out, GError **error)
{
    if (out->source->ops->digest) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "'%s' can be digested, but not sent: let QEMU migrate to zcmig recv",
                        out->source->uri);
    }
    if (out->options.reconnect_ms && !out->source->live) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "reconnect: got '%s', allowed is a live guest: an image is sent anew",
                        out->source->uri);
    }
    if (out->options.reconnect_ms && out->destination.kind >= ZC_ADDR_FD) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "reconnect: got an inherited connection or none, allowed is an address to "
                        "connect to again");
    }
    if (zc_outgoing_shares_memory(out)) {
        return check_memory(out, error);
    }
    if (out->source->live && out->options.channels == 0) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "a live guest needs channels, and %s is one connection",
                        out->options.plain ? "a plain stream" : "fd:");
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

/* Of what the guest's RAM is a mapping here. */
static bool identify(const struct zc_outgoing *out, struct zc_extension *memory_out, GError **error)
{
    const struct zc_ram *ram = &out->source->ram;
    struct zc_shared_identity identity;

    *memory_out = (struct zc_extension){ .type = ZC_EXTENSION_MEMORY };
    memory_out->memory.n_blocks = ram->n_blocks;
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        const struct zc_block *block = &ram->blocks[i];
        if (!zc_shared_identify(block->host, block->used_bytes, &identity, error)) {
            return false;
        }
        memory_out->memory.blocks[i] =
            (struct zc_memory_identity){ identity.device, identity.inode };
    }
    return true;
}

static bool is_unix(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t length = sizeof(domain);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

/* MEMORY, and the descriptors with it. */
static bool send_memory(struct zc_outgoing *out)
{
    struct zc_source *source = out->source;
    int fds[ZC_EXTENSION_MEMORY_MAX];
    struct zc_extension memory;
    GError *error = NULL;

    if (!is_unix(out->main_fd)) {
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "the route memfd needs a UNIX socket, by which descriptors can be passed");
    } else if (identify(out, &memory, &error)) {
        zc_outgoing_put_extension(out, &memory);
        for (uint32_t i = 0; i < source->ram.n_blocks; i++) {
            fds[i] = source->live->memory_fd(source, i);
        }
        int ret =
            zc_io_write_fds(out->main_fd, out->out->data, out->out->len, fds, source->ram.n_blocks,
                            zc_outgoing_stall_deadline(out), out->session.cause.wake_fd);
        atomic_fetch_add(&out->main_bytes, out->out->len);
        g_byte_array_set_size(out->out, 0);
        if (ret == 0 || ret == -ECANCELED) {
            return ret == 0;
        }
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, ret,
                       "cannot pass the descriptors of the RAM");
    }
    zc_outgoing_fail(out, error);
    return false;
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
    return zc_outgoing_flush(out) && (!zc_outgoing_shares_memory(out) || send_memory(out));
}

/* ------------------------------------------------------- of the route memfd */

bool zc_outgoing_check_mapped(struct zc_outgoing *out)
{
    struct zc_extension mapped, own;
    GError *error = NULL;

    if (!zc_return_path_wait_extension(out->return_path, ZC_EXTENSION_MAPPED,
                                       zc_outgoing_stall_deadline(out), &mapped)) {
        return false;
    }
    if (!identify(out, &own, &error)) {
        zc_outgoing_fail(out, error);
        return false;
    }
    if (mapped.memory.n_blocks != own.memory.n_blocks ||
        memcmp(mapped.memory.blocks, own.memory.blocks,
               own.memory.n_blocks * sizeof(own.memory.blocks[0])) != 0) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "the destination mapped other memory than that which the guest runs in");
        zc_outgoing_fail(out, error);
        return false;
    }
    atomic_store(&out->session.same_memory, true);
    return true;
}

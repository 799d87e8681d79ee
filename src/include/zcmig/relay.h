/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A relay: takes a migration in and sends it out as it arrives, to another
 * address or over another transport.  The bytes are spliced from socket to
 * socket, and never seen, unless a manifest is asked for.
 *
 *     struct zcmig_relay_options options;
 *     zcmig_relay_options_init(&options);
 *     options.listen = "unix:/run/guest.sock";
 *     options.destination = "tcp:192.0.2.2:4444";
 *     g_autoptr(zcmig_relay) relay = zcmig_relay_new(&options, &error);
 *     bool ok = relay && zcmig_relay_run(relay, &error);
 *
 * One session at a time.  The source may be a QEMU or a zcmig, with any number
 * of channels; the relay connects to the destination main stream first, then
 * the channels in the order of their numbers, as QEMU before 8.0 needs it.
 */
#ifndef ZCMIG_RELAY_H
#define ZCMIG_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include <zcmig/zcmig.h>

G_BEGIN_DECLS

#define ZCMIG_RELAY_CONNECTIONS_MAX (1 + ZCMIG_CHANNELS_MAX)

enum zcmig_relay_order {
    ZCMIG_RELAY_MAIN_FIRST, /* told apart by their first bytes; others are turned away */
    ZCMIG_RELAY_ARRIVAL,    /* whatever comes, in the order in which it comes */
};

struct zcmig_relay_options {
    const char *listen;      /* URI; fd:N is the main stream of the one session there is */
    const char *destination; /* URI; fd:N takes a main stream only */
    enum zcmig_relay_order order;
    bool splice;             /* false: copy, to compare */
    uint64_t buffer_bytes;   /* a connection may hold for the destination; 0: the kernel's choice */
    const char *manifest;    /* file: a digest of each page that passed; NULL: nothing is looked at */
    bool allow_wildcard;
    int64_t accept_timeout_ms;  /* for a source to connect; -1: for ever */
    int64_t connect_timeout_ms;
    int64_t stall_timeout_ms;   /* nothing moved for so long; -1: for ever */
};

/* Of one connection. */
struct zcmig_relay_connection {
    int channel;            /* -1: the main stream */
    bool ended;             /* both ends said so */
    uint64_t bytes;         /* source to destination */
    uint64_t return_bytes;  /* destination to source */
    uint64_t spliced_bytes; /* of both */
    uint64_t copied_bytes;
    uint64_t lost_bytes;    /* that the destination said when the source had left */
    uint64_t calls;         /* that passed something on */
    const char *why_copied; /* "" when nothing was */
};

struct zcmig_relay_stats {
    enum zcmig_state state;
    unsigned int session; /* from 1 */
    int64_t wait_ns;      /* for a source */
    int64_t transfer_ns;  /* from then on */
    int64_t cpu_ns;       /* of the relay's thread in that time */
    uint64_t bytes;
    uint64_t return_bytes;
    uint64_t spliced_bytes;
    uint64_t copied_bytes;
    uint64_t manifest_pages; /* that were recorded */
    unsigned int n_connections;
    struct zcmig_relay_connection connections[ZCMIG_RELAY_CONNECTIONS_MAX];
};

typedef struct zcmig_relay zcmig_relay;

void zcmig_relay_options_init(struct zcmig_relay_options *options);

/* Listens.  Errors: USAGE, CONNECT, UNSUPPORTED. */
zcmig_relay *zcmig_relay_new(const struct zcmig_relay_options *options, GError **error);
void zcmig_relay_free(zcmig_relay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zcmig_relay, zcmig_relay_free)

/* The URI to connect to, with the real port.  The relay's own. */
const char *zcmig_relay_get_address(const zcmig_relay *relay);

/*
 * Relays one session, and may be called again for the next.  Blocks.  True: every connection was
 * ended by both its ends, and all that the source said was passed on.  Whether the migration
 * succeeded is between the ends.  After an error both ends' connections have been reset.
 * Errors: CONNECT (the destination), DISCONNECTED (which end broke off), TIMEOUT (who stalled),
 * CANCELLED, LIMIT (too many connections); of the manifest, after all has been passed on: OUTPUT,
 * PROTOCOL, UNSUPPORTED.
 */
bool zcmig_relay_run(zcmig_relay *relay, GError **error);

/* Async-signal-safe; for good. */
void zcmig_relay_cancel(zcmig_relay *relay);

/* Figures of the present or last session, a tenth of a second old at most.  Any thread. */
void zcmig_relay_get_stats(zcmig_relay *relay, struct zcmig_relay_stats *stats);

G_END_DECLS

#endif

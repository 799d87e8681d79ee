/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay of the fake library: a session that passed, or failed, or waits to be cancelled. */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <zcmig/relay.h>

struct zcmig_relay {
    int wake_fd;
    struct zcmig_relay_stats stats;
};

void zcmig_relay_options_init(struct zcmig_relay_options *options)
{
    *options = (struct zcmig_relay_options){ .splice = true, .accept_timeout_ms = -1 };
}

zcmig_relay *zcmig_relay_new(const struct zcmig_relay_options *options, GError **error)
{
    zcmig_relay *relay = g_new0(zcmig_relay, 1);

    (void)error;
    if (g_getenv("ZC_FAKE_ECHO")) {
        fprintf(stderr,
                "listen=%s destination=%s order=%d splice=%d buffer_bytes=%" G_GUINT64_FORMAT
                " manifest=%s wildcard=%d accept_timeout_ms=%" G_GINT64_FORMAT
                " connect_timeout_ms=%" G_GINT64_FORMAT " stall_timeout_ms=%" G_GINT64_FORMAT "\n",
                options->listen, options->destination, (int)options->order, options->splice,
                options->buffer_bytes, options->manifest ? options->manifest : "(none)",
                options->allow_wildcard, options->accept_timeout_ms, options->connect_timeout_ms,
                options->stall_timeout_ms);
    }
    relay->wake_fd = eventfd(0, EFD_CLOEXEC);
    return relay;
}

void zcmig_relay_free(zcmig_relay *relay)
{
    if (relay) {
        close(relay->wake_fd);
        g_free(relay);
    }
}

const char *zcmig_relay_get_address(const zcmig_relay *relay)
{
    (void)relay;
    return "unix:/fake";
}

void zcmig_relay_cancel(zcmig_relay *relay)
{
    eventfd_write(relay->wake_fd, 1);
}

static const struct zcmig_relay_stats passed = {
    .state = ZCMIG_STATE_COMPLETED,
    .transfer_ns = 2000000000,
    .cpu_ns = 500000000,
    .bytes = 1u << 30,
    .return_bytes = 12,
    .spliced_bytes = 1u << 30,
    .copied_bytes = 12,
    .n_connections = 2,
    .connections = { { .channel = -1, .ended = true, .bytes = 1000, .return_bytes = 12,
                       .copied_bytes = 1012, .calls = 3, .why_copied = "no pipe could be had" },
                     { .channel = 0, .ended = true, .bytes = (1u << 30) - 1000,
                       .spliced_bytes = (1u << 30) - 1000, .calls = 1025, .why_copied = "" } },
};

bool zcmig_relay_run(zcmig_relay *relay, GError **error)
{
    const char *fate = g_getenv("ZC_FAKE_RELAY");
    unsigned int session = relay->stats.session + 1;

    relay->stats = passed;
    relay->stats.session = session;
    if (g_strcmp0(fate, "wait") == 0) {
        struct pollfd wake = { .fd = relay->wake_fd, .events = POLLIN };
        while (poll(&wake, 1, -1) < 0) {
        }
        relay->stats = (struct zcmig_relay_stats){ .state = ZCMIG_STATE_CANCELLED };
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "cancelled");
        return false;
    }
    if (g_strcmp0(fate, "fail") == 0 && session == 1) {
        relay->stats.state = ZCMIG_STATE_FAILED;
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, "destination: channel 0 broke off");
        return false;
    }
    return true;
}

void zcmig_relay_get_stats(zcmig_relay *relay, struct zcmig_relay_stats *stats)
{
    *stats = relay->stats;
}

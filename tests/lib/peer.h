/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source that says what a test scripts: it speaks as any QEMU would, or as
 * zcmig, or wrongly.  One thread; sockets block, but for no longer than
 * ZC_PEER_PATIENCE_S.  What cannot be sent because the receiver went away is
 * thrown away, so that a test looks at the receiver's verdict alone.
 */
#ifndef ZC_TESTS_PEER_H
#define ZC_TESTS_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "wire/multifd.h"
#include "wire/stream.h"

#define ZC_PEER_PATIENCE_S 20
#define ZC_PEER_CHANNELS_MAX 8
#define ZC_PEER_SECTION 2

struct zc_peer {
    int main_fd;
    int fds[ZC_PEER_CHANNELS_MAX];
    unsigned int n_channels;
    GByteArray *out;     /* main stream, until zc_peer_flush */
    int64_t budget;      /* bytes that may still go out on all connections; then all are cut */
    uint64_t sent;
    uint64_t n_packets;
};

int zc_peer_dial(const char *address); /* one connection, nothing sent */

/* Connects main and @n_channels channels, with their init packets. */
void zc_peer_start(struct zc_peer *peer, const char *address, unsigned int n_channels,
                   const uint8_t uuid[16]);

/* One channel more, as zc_peer_start makes them. */
void zc_peer_join(struct zc_peer *peer, const char *address, const uint8_t uuid[16]);
void zc_peer_stop(struct zc_peer *peer); /* closes all */

void zc_peer_flush(struct zc_peer *peer);

/* Header, configuration and, @return_path, OPEN_RETURN_PATH and PING 1. */
void zc_peer_head(struct zc_peer *peer, bool return_path);

/* RAM START with one block "pc.ram"; the caller ends the section. */
void zc_peer_ram_start(struct zc_peer *peer, uint64_t bytes);
void zc_peer_ram_section(struct zc_peer *peer, enum zc_section_type type);
void zc_peer_section_end(struct zc_peer *peer); /* EOS and footer */
void zc_peer_page(struct zc_peer *peer, uint64_t page, uint8_t fill); /* on the main stream */

/* A packet of @n_normal pages from @first on, each filled with @fill, and the zero page @zero. */
void zc_peer_packet(struct zc_peer *peer, unsigned int channel, uint32_t flags, uint64_t first,
                    uint32_t n_normal, uint8_t fill, int64_t zero);
void zc_peer_sync(struct zc_peer *peer); /* on every channel, and FLUSH */
void zc_peer_send(struct zc_peer *peer, int fd, const void *bytes, size_t length);

/* Reads the return path to its end; the value of the SHUT in it, -1 when there was none. */
int64_t zc_peer_wait_shut(struct zc_peer *peer);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/peer.h"
#include "net/addr.h"

#define PAGE 4096u
#define BLOCK "pc.ram"

int zc_peer_dial(const char *address)
{
    const struct timeval patience = { .tv_sec = ZC_PEER_PATIENCE_S };
    struct zc_addr addr;
    GError *error = NULL;

    ck_assert(zc_addr_parse(address, &addr, NULL));
    int fd = zc_addr_connect(&addr, zc_deadline_in(ZC_PEER_PATIENCE_S * 1000), -1, &error);
    ck_assert_msg(fd >= 0, "%s", error ? error->message : "");
    zc_addr_clear(&addr);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
    return fd;
}

static void cut(struct zc_peer *peer)
{
    shutdown(peer->main_fd, SHUT_RDWR);
    for (unsigned int i = 0; i < peer->n_channels; i++) {
        shutdown(peer->fds[i], SHUT_RDWR);
    }
}

void zc_peer_send(struct zc_peer *peer, int fd, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    bool cut_here = (int64_t)length > peer->budget;
    size_t left = cut_here ? (size_t)peer->budget : length;

    peer->budget -= (int64_t)left;
    peer->sent += left;
    while (left > 0) {
        ssize_t n = send(fd, at, left, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* the receiver has its reasons; the test looks at them */
        }
        at += n;
        left -= (size_t)n;
    }
    if (cut_here) {
        cut(peer);
    }
}

void zc_peer_join(struct zc_peer *peer, const char *address, const uint8_t uuid[16])
{
    struct zc_multifd_init init = { .channel = (uint8_t)peer->n_channels };
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];
    int fd = zc_peer_dial(address);

    if (uuid) {
        memcpy(init.uuid, uuid, sizeof(init.uuid));
    }
    zc_multifd_init_encode(&init, bytes);
    peer->fds[peer->n_channels++] = fd;
    zc_peer_send(peer, fd, bytes, sizeof(bytes));
}

void zc_peer_start(struct zc_peer *peer, const char *address, unsigned int n_channels,
                   const uint8_t uuid[16])
{
    *peer = (struct zc_peer){ .budget = INT64_MAX };
    peer->out = g_byte_array_new();
    peer->main_fd = zc_peer_dial(address);
    while (peer->n_channels < n_channels) {
        zc_peer_join(peer, address, uuid);
    }
}

void zc_peer_stop(struct zc_peer *peer)
{
    close(peer->main_fd);
    for (unsigned int i = 0; i < peer->n_channels; i++) {
        close(peer->fds[i]);
    }
    g_byte_array_unref(peer->out);
}

void zc_peer_flush(struct zc_peer *peer)
{
    zc_peer_send(peer, peer->main_fd, peer->out->data, peer->out->len);
    g_byte_array_set_size(peer->out, 0);
}

void zc_peer_head(struct zc_peer *peer, bool return_path)
{
    const uint32_t one = GUINT32_TO_BE(1);

    zc_stream_put_header(peer->out);
    zc_stream_put_configuration(peer->out, "pc-i440fx-7.2");
    if (return_path) {
        zc_stream_put_command(peer->out, ZC_COMMAND_OPEN_RETURN_PATH, NULL, 0);
        zc_stream_put_command(peer->out, ZC_COMMAND_PING, &one, sizeof(one));
    }
}

void zc_peer_ram_start(struct zc_peer *peer, uint64_t bytes)
{
    zc_stream_put_section_start(peer->out, ZC_PEER_SECTION, "ram", 0, 4);
    zc_stream_put_ram_size(peer->out, bytes);
    zc_stream_put_ram_block(peer->out, BLOCK, bytes);
}

void zc_peer_ram_section(struct zc_peer *peer, enum zc_section_type type)
{
    if (type == ZC_SECTION_PART) {
        zc_stream_put_section_part(peer->out, ZC_PEER_SECTION);
    } else {
        zc_stream_put_section_end(peer->out, ZC_PEER_SECTION);
    }
}

void zc_peer_section_end(struct zc_peer *peer)
{
    zc_stream_put_ram_eos(peer->out);
    zc_stream_put_section_footer(peer->out, ZC_PEER_SECTION);
}

void zc_peer_page(struct zc_peer *peer, uint64_t page, uint8_t fill)
{
    uint8_t content[PAGE];

    memset(content, fill, sizeof(content));
    zc_stream_put_ram_page(peer->out, BLOCK, page * PAGE);
    g_byte_array_append(peer->out, content, sizeof(content));
}

void zc_peer_packet(struct zc_peer *peer, unsigned int channel, uint32_t flags, uint64_t first,
                    uint32_t n_normal, uint8_t fill, int64_t zero)
{
    struct zc_multifd_packet packet = { .flags = flags,
                                        .n_normal = n_normal,
                                        .n_zero = zero >= 0,
                                        .packet_num = peer->n_packets++ };
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];
    g_autofree uint8_t *payload = g_malloc(n_normal * PAGE + 1);

    if (n_normal || zero >= 0) {
        g_strlcpy(packet.block, BLOCK, sizeof(packet.block));
    }
    for (uint32_t i = 0; i < n_normal; i++) {
        packet.offsets[i] = (first + i) * PAGE;
    }
    if (zero >= 0) {
        packet.offsets[n_normal] = (uint64_t)zero * PAGE;
    }
    memset(payload, fill, n_normal * PAGE);
    zc_multifd_packet_encode(&packet, bytes);
    zc_peer_send(peer, peer->fds[channel], bytes, sizeof(bytes));
    zc_peer_send(peer, peer->fds[channel], payload, n_normal * PAGE);
}

void zc_peer_sync(struct zc_peer *peer)
{
    for (unsigned int i = 0; i < peer->n_channels; i++) {
        zc_peer_packet(peer, i, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    }
    zc_stream_put_ram_flush(peer->out);
}

int64_t zc_peer_wait_shut(struct zc_peer *peer)
{
    uint8_t buffer[4096];
    size_t have = 0, used = 0;
    struct zc_return_message message;
    ssize_t n;

    while ((n = recv(peer->main_fd, buffer + have, sizeof(buffer) - have, 0)) > 0) {
        have += (size_t)n;
        while (zc_return_decode(buffer, have, &used, &message, NULL) == ZC_STREAM_GOT) {
            if (message.type == ZC_RETURN_SHUT) {
                return message.value;
            }
            have -= used;
            memmove(buffer, buffer + used, have);
        }
    }
    return -1;
}

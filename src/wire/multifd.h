/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The packets of a multifd channel.  All integers big-endian.
 *
 *     init packet, once per channel, source to destination, 64 bytes
 *          0 magic  4 version  8 uuid[16]  24 channel id  25 reserved[39]
 *     packet header, 320 + 8 * 128 = 1344 bytes, always whole
 *          0 magic  4 version  8 flags  12 pages_alloc  16 normal_pages  20 next_packet_size
 *         24 packet_num  32 zero_pages  36 reserved[28]  64 block name[256]  320 offsets[128]
 *     then the normal pages back to back, in the order of their offsets
 *
 * Layout verified against QEMU 7.2.22, 10.0.2 and 11.1.3.  What differs by version, and what a
 * decoder must not trust, is said at the functions.
 */
#ifndef ZC_WIRE_MULTIFD_H
#define ZC_WIRE_MULTIFD_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define ZC_MULTIFD_MAGIC UINT32_C(0x11223344)
#define ZC_MULTIFD_VERSION UINT32_C(1)
#define ZC_MULTIFD_INIT_BYTES 64
#define ZC_MULTIFD_PAGES 128 /* in a packet at most: 512 KiB of 4 KiB pages */
#define ZC_MULTIFD_HEADER_BYTES (320 + 8 * ZC_MULTIFD_PAGES)
#define ZC_MULTIFD_NAME_BYTES 256

enum zc_multifd_flags {
    ZC_MULTIFD_SYNC = 0x01,
    /* Ours, far from QEMU's: no payload follows; the receiver fetches the normal pages itself. */
    ZC_MULTIFD_PULL = 0x40000000,
};

/*
 * What the receiver answers on the channel, one byte, to a SYNC of this route when it has fetched all
 * pages that the channel listed since the last one; to a SYNC without any it answers nothing.
 */
#define ZC_MULTIFD_PULL_ACK UINT8_C(0x06)

struct zc_multifd_init {
    uint8_t uuid[16];
    uint8_t channel;
};

struct zc_multifd_packet {
    uint32_t flags; /* of enum zc_multifd_flags */
    uint32_t n_normal;
    uint32_t n_zero;
    uint64_t packet_num;
    char block[ZC_MULTIFD_NAME_BYTES];  /* "" when the packet has no pages */
    uint64_t offsets[ZC_MULTIFD_PAGES]; /* bytes in the block; n_normal normal ones, then n_zero */
};

void zc_multifd_init_encode(const struct zc_multifd_init *init,
                            uint8_t out[static ZC_MULTIFD_INIT_BYTES]);

/* Error ZCMIG_ERROR_PROTOCOL: magic or version; names what was got and what is allowed. */
bool zc_multifd_init_decode(const uint8_t in[static ZC_MULTIFD_INIT_BYTES],
                            struct zc_multifd_init *init_out, GError **error);

/* Writes all ZC_MULTIFD_HEADER_BYTES.  n_normal + n_zero <= ZC_MULTIFD_PAGES. */
void zc_multifd_packet_encode(const struct zc_multifd_packet *packet,
                              uint8_t out[static ZC_MULTIFD_HEADER_BYTES]);

/*
 * Decodes any version's header.  QEMU before 9.0 puts SYNC on a packet with data, and leaves stale
 * next_packet_size, names and offsets in packets without any, so the payload's size is taken from
 * normal_pages alone.  Errors: ZCMIG_ERROR_PROTOCOL (magic, version, counts, unknown flags, a name
 * without NUL, offsets that are no multiple of a page), ZCMIG_ERROR_UNSUPPORTED (compression by
 * its name, device state).  Pure; no allocation on success; *@packet_out is undefined on failure.
 */
bool zc_multifd_packet_decode(const uint8_t in[static ZC_MULTIFD_HEADER_BYTES],
                              struct zc_multifd_packet *packet_out, GError **error);

/*
 * The same in a session whose route is pull: every packet with normal pages has ZC_MULTIFD_PULL,
 * and no other has.  zc_multifd_packet_decode refuses that flag.
 */
bool zc_multifd_packet_decode_pull(const uint8_t in[static ZC_MULTIFD_HEADER_BYTES],
                                   struct zc_multifd_packet *packet_out, GError **error);

/* Whether every offset of @packet is that of a whole page in a block of @used_bytes. */
bool zc_multifd_packet_check(const struct zc_multifd_packet *packet, uint64_t used_bytes,
                             GError **error);

#endif

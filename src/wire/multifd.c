/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: fixed layouts, so fields are read at their offsets instead of
 * through a packed struct.  The decoder trusts nothing that older versions
 * leave stale: without pages, the name and the offsets are not even looked at,
 * and next_packet_size is never used.
 */
#include "config.h"

#include "base/error.h"
#include "wire/bytes.h"
#include "wire/multifd.h"

enum {
    INIT_UUID = 8,
    INIT_CHANNEL = 24,

    PACKET_FLAGS = 8,
    PACKET_PAGES_ALLOC = 12,
    PACKET_NORMAL_PAGES = 16,
    PACKET_NEXT_PACKET_SIZE = 20,
    PACKET_NUM = 24,
    PACKET_ZERO_PAGES = 32,
    PACKET_NAME = 64,
    PACKET_OFFSETS = 320,
};

static const struct {
    uint32_t flag;
    const char *name;
} refused_flags[] = {
    { 0x02, "multifd-compression zlib" },   { 0x04, "multifd-compression zstd" },
    { 0x08, "multifd-compression qpl" },    { 0x10, "multifd-compression uadk" },
    { 0x20, "multifd-compression qatzip" }, { 0x40, "device state (VFIO)" },
};

static void put_magic(uint8_t *out)
{
    zc_set_u32(out, ZC_MULTIFD_MAGIC);
    zc_set_u32(out + 4, ZC_MULTIFD_VERSION);
}

static bool check_magic(const uint8_t *in, const char *what, GError **error)
{
    uint32_t magic = zc_get_u32(in);
    uint32_t version = zc_get_u32(in + 4);

    if (magic != ZC_MULTIFD_MAGIC) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "multifd %s: got magic 0x%08x, allowed is 0x%08x", what, magic,
                        ZC_MULTIFD_MAGIC);
    }
    if (version != ZC_MULTIFD_VERSION) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "multifd %s: got version %u, allowed is %u",
                        what, version, ZC_MULTIFD_VERSION);
    }
    return true;
}

void zc_multifd_init_encode(const struct zc_multifd_init *init,
                            uint8_t out[static ZC_MULTIFD_INIT_BYTES])
{
    memset(out, 0, ZC_MULTIFD_INIT_BYTES);
    put_magic(out);
    memcpy(out + INIT_UUID, init->uuid, sizeof(init->uuid));
    out[INIT_CHANNEL] = init->channel;
}

bool zc_multifd_init_decode(const uint8_t in[static ZC_MULTIFD_INIT_BYTES],
                            struct zc_multifd_init *init_out, GError **error)
{
    if (!check_magic(in, "init packet", error)) {
        return false;
    }
    memcpy(init_out->uuid, in + INIT_UUID, sizeof(init_out->uuid));
    init_out->channel = in[INIT_CHANNEL];
    return true;
}

void zc_multifd_packet_encode(const struct zc_multifd_packet *packet,
                              uint8_t out[static ZC_MULTIFD_HEADER_BYTES])
{
    g_assert(packet->n_normal <= ZC_MULTIFD_PAGES &&
             packet->n_zero <= ZC_MULTIFD_PAGES - packet->n_normal);
    uint32_t n_pages = packet->n_normal + packet->n_zero;

    memset(out, 0, ZC_MULTIFD_HEADER_BYTES);
    put_magic(out);
    zc_set_u32(out + PACKET_FLAGS, packet->flags);
    /* as QEMU 9.0 and later: 0 in a packet that is only a SYNC */
    zc_set_u32(out + PACKET_PAGES_ALLOC, n_pages ? ZC_MULTIFD_PAGES : 0);
    zc_set_u32(out + PACKET_NORMAL_PAGES, packet->n_normal);
    zc_set_u32(out + PACKET_NEXT_PACKET_SIZE, packet->n_normal * ZC_WIRE_PAGE_BYTES);
    zc_set_u64(out + PACKET_NUM, packet->packet_num);
    zc_set_u32(out + PACKET_ZERO_PAGES, packet->n_zero);
    if (n_pages == 0) {
        return;
    }
    memcpy(out + PACKET_NAME, packet->block, strnlen(packet->block, ZC_MULTIFD_NAME_BYTES - 1));
    for (uint32_t i = 0; i < n_pages; i++) {
        zc_set_u64(out + PACKET_OFFSETS + 8 * (size_t)i, packet->offsets[i]);
    }
}

static bool check_flags(uint32_t flags, uint32_t allowed, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refused_flags); i++) {
        if (flags & refused_flags[i].flag) {
            return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                            "multifd packet: %s is not supported (flags 0x%x)",
                            refused_flags[i].name, flags);
        }
    }
    if (flags & ~allowed) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "multifd packet: got flags 0x%x, allowed are 0x%x", flags, allowed);
    }
    return true;
}

static bool check_counts(const uint8_t *in, GError **error)
{
    uint32_t pages_alloc = zc_get_u32(in + PACKET_PAGES_ALLOC);
    uint32_t n_normal = zc_get_u32(in + PACKET_NORMAL_PAGES);
    uint32_t n_zero = zc_get_u32(in + PACKET_ZERO_PAGES);

    if (pages_alloc > ZC_MULTIFD_PAGES) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "multifd packet: got room for %u pages, allowed are %u", pages_alloc,
                        ZC_MULTIFD_PAGES);
    }
    if (n_normal > pages_alloc) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "multifd packet: got %u normal pages, allowed are %u", n_normal,
                        pages_alloc);
    }
    if (n_zero > pages_alloc - n_normal) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "multifd packet: got %u zero pages after %u normal ones, allowed are %u",
                        n_zero, n_normal, pages_alloc - n_normal);
    }
    return true;
}

static bool decode(const uint8_t *in, uint32_t allowed_flags, struct zc_multifd_packet *packet_out,
                   GError **error)
{
    if (!check_magic(in, "packet", error) ||
        !check_flags(zc_get_u32(in + PACKET_FLAGS), allowed_flags, error) ||
        !check_counts(in, error)) {
        return false;
    }
    memset(packet_out, 0, sizeof(*packet_out));
    packet_out->flags = zc_get_u32(in + PACKET_FLAGS);
    packet_out->n_normal = zc_get_u32(in + PACKET_NORMAL_PAGES);
    packet_out->n_zero = zc_get_u32(in + PACKET_ZERO_PAGES);
    packet_out->packet_num = zc_get_u64(in + PACKET_NUM);

    uint32_t n_pages = packet_out->n_normal + packet_out->n_zero;
    if (n_pages == 0) {
        return true;
    }
    if (!zc_name_copy(packet_out->block, in + PACKET_NAME,
                      strnlen((const char *)in + PACKET_NAME, ZC_MULTIFD_NAME_BYTES))) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "multifd packet: block name: allowed are 1 to %u printable characters and "
                        "a NUL",
                        ZC_MULTIFD_NAME_BYTES - 1);
    }
    for (uint32_t i = 0; i < n_pages; i++) {
        uint64_t offset = zc_get_u64(in + PACKET_OFFSETS + 8 * (size_t)i);
        if (offset % ZC_WIRE_PAGE_BYTES != 0) {
            return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                            "multifd packet: page %u of block '%s': got offset "
                            "0x%" G_GINT64_MODIFIER "x, allowed are multiples of %u",
                            i, packet_out->block, offset, ZC_WIRE_PAGE_BYTES);
        }
        packet_out->offsets[i] = offset;
    }
    return true;
}

bool zc_multifd_packet_decode(const uint8_t in[static ZC_MULTIFD_HEADER_BYTES],
                              struct zc_multifd_packet *packet_out, GError **error)
{
    return decode(in, ZC_MULTIFD_SYNC, packet_out, error);
}

bool zc_multifd_packet_decode_pull(const uint8_t in[static ZC_MULTIFD_HEADER_BYTES],
                                   struct zc_multifd_packet *packet_out, GError **error)
{
    if (!decode(in, ZC_MULTIFD_SYNC | ZC_MULTIFD_PULL, packet_out, error)) {
        return false;
    }
    bool is_pull = packet_out->flags & ZC_MULTIFD_PULL;
    if (is_pull != (packet_out->n_normal > 0)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "multifd packet: got %u normal pages with flags 0x%x; by the route pull, "
                        "packets that have some must have 0x%x, and no others",
                        packet_out->n_normal, packet_out->flags, ZC_MULTIFD_PULL);
    }
    return true;
}

bool zc_multifd_packet_check(const struct zc_multifd_packet *packet, uint64_t used_bytes,
                             GError **error)
{
    uint32_t n_pages = packet->n_normal + packet->n_zero;

    for (uint32_t i = 0; i < n_pages; i++) {
        if (packet->offsets[i] % ZC_WIRE_PAGE_BYTES != 0 || used_bytes < ZC_WIRE_PAGE_BYTES ||
            packet->offsets[i] > used_bytes - ZC_WIRE_PAGE_BYTES) {
            return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                            "multifd packet: page %u of block '%s': got offset "
                            "0x%" G_GINT64_MODIFIER "x, allowed are pages of 0x%" G_GINT64_MODIFIER
                            "x bytes",
                            i, packet->block, packet->offsets[i], used_bytes);
        }
    }
    return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "send/batch.h"
#include "send/plain.h"
#include "wire/stream.h"

struct zc_plain {
    struct zc_channel *channel;
    struct zc_source *source;
    struct zc_manifest *manifest;
    struct zc_batch batch;
    GByteArray *records; /* grows to its largest use once */
    struct iovec iovs[ZC_CHANNEL_IOVS_MAX];
};

struct zc_plain *zc_plain_new(struct zc_channel *channel, struct zc_source *source,
                              struct zc_manifest *manifest)
{
    struct zc_plain *plain = g_new0(struct zc_plain, 1);

    plain->channel = channel;
    plain->source = source;
    plain->manifest = manifest;
    plain->records = g_byte_array_sized_new(ZC_CHANNEL_HEADER_BYTES_MAX);
    return plain;
}

void zc_plain_free(struct zc_plain *plain)
{
    if (plain) {
        g_byte_array_unref(plain->records);
        g_free(plain);
    }
}

/*
 * Record headers into @slot, and iovecs that alternate between them and the pages.  The first
 * record names the block, the others say that it is the same.
 */
static unsigned int build(struct zc_plain *plain, uint8_t *slot)
{
    const struct zc_multifd_packet *packet = &plain->batch.packet;
    GByteArray *records = plain->records;
    unsigned int n_iovs = 0;
    size_t begin = 0;

    g_byte_array_set_size(records, 0);
    for (uint32_t i = 0; i < packet->n_normal; i++) {
        zc_stream_put_ram_page(records, i ? NULL : packet->block, packet->offsets[i]);
        plain->iovs[n_iovs++] = (struct iovec){ slot + begin, records->len - begin };
        plain->iovs[n_iovs++] = plain->batch.pages[i];
        begin = records->len;
    }
    for (uint32_t i = 0; i < packet->n_zero; i++) {
        zc_stream_put_ram_zero(records, packet->n_normal || i ? NULL : packet->block,
                               packet->offsets[packet->n_normal + i]);
    }
    if (records->len > begin) {
        plain->iovs[n_iovs++] = (struct iovec){ slot + begin, records->len - begin };
    }
    g_assert(records->len <= ZC_CHANNEL_HEADER_BYTES_MAX);
    memcpy(slot, records->data, records->len);
    return n_iovs;
}

int zc_plain_send(struct zc_plain *plain, const struct zc_range *range, zc_deadline deadline,
                  uint32_t *n_normal, uint32_t *n_zero)
{
    uint8_t *slot;

    g_assert(range->n_pages <= ZC_PLAIN_PAGES_MAX);
    zc_batch_fill(&plain->batch, &plain->source->ram, range, false, plain->manifest);
    int ret = zc_channel_header(plain->channel, &slot, deadline);
    if (ret == 0) {
        ret = zc_channel_send(plain->channel, 0, plain->iovs, build(plain, slot), deadline);
    }
    if (ret == 0) {
        *n_normal += plain->batch.packet.n_normal;
        *n_zero += plain->batch.packet.n_zero;
    }
    return ret;
}

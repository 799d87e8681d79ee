/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "mem/block.h"

void zc_ram_init(struct zc_ram *ram)
{
    ram->blocks = NULL;
    ram->n_blocks = 0;
}

void zc_ram_clear(struct zc_ram *ram)
{
    g_free(ram->blocks);
    zc_ram_init(ram);
}

int zc_ram_add(struct zc_ram *ram, const char *name, uint8_t *host, uint64_t used_bytes,
               GError **error)
{
    size_t length = strlen(name);

    if (ram->n_blocks == ZC_BLOCKS_MAX) {
        zc_error(error, ZCMIG_ERROR_LIMIT, "block '%s' is one too many, allowed are %u", name,
                 ZC_BLOCKS_MAX);
        return -1;
    }
    if (length == 0 || length >= ZC_BLOCK_NAME_BYTES) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "block name: got %zu characters, allowed are 1 to %u", length,
                 ZC_BLOCK_NAME_BYTES - 1);
        return -1;
    }
    if (zc_ram_find(ram, name) >= 0) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL, "block '%s' is named twice", name);
        return -1;
    }
    if (used_bytes == 0 || used_bytes % ZC_PAGE_BYTES != 0 ||
        used_bytes > INT64_MAX - zc_ram_bytes(ram)) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "block '%s': got a length of %" G_GUINT64_FORMAT
                 " bytes, allowed are multiples of %u",
                 name, used_bytes, ZC_PAGE_BYTES);
        return -1;
    }
    ram->blocks = g_renew(struct zc_block, ram->blocks, ram->n_blocks + 1);
    struct zc_block *block = &ram->blocks[ram->n_blocks];
    memset(block, 0, sizeof(*block));
    memcpy(block->name, name, length);
    block->host = host;
    block->used_bytes = used_bytes;
    return (int)ram->n_blocks++;
}

int zc_ram_find(const struct zc_ram *ram, const char *name)
{
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        if (strcmp(ram->blocks[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

uint64_t zc_ram_bytes(const struct zc_ram *ram)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        total += ram->blocks[i].used_bytes;
    }
    return total;
}

uint64_t zc_ram_pages(const struct zc_ram *ram)
{
    return zc_ram_bytes(ram) / ZC_PAGE_BYTES;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: one array of 64-bit digests a block, index = page number.  Comparing
 * walks two arrays of the same length; everything else here is the file form,
 * whose parser trusts no count: each is checked against the bytes at hand
 * before anything is allocated.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "mem/manifest.h"

#define FILE_MAGIC "ZCMIGMAN"
#define FILE_VERSION 1u
#define FILE_VERSION_PARTIAL 2u
#define FILE_HEADER_BYTES (8 + 4 + 4 + 8)
#define FILE_CHECK_BYTES 8
#define DIGEST_BYTES sizeof(uint64_t)

/* Takes a block in; false when its entries cannot be had. */
static bool add_block(struct zc_manifest *manifest, const char *name, size_t name_length,
                      uint64_t n_pages, GError **error)
{
    struct zc_manifest_block *block = &manifest->blocks[manifest->n_blocks];

    block->digests = g_try_new0(uint64_t, n_pages);
    if (!block->digests && n_pages) {
        return zc_error_errno(error, ZCMIG_ERROR_LIMIT, ENOMEM,
                              "cannot keep the digests of %" G_GUINT64_FORMAT " pages", n_pages);
    }
    memcpy(block->name, name, name_length);
    block->n_pages = n_pages;
    manifest->n_blocks++;
    return true;
}

struct zc_manifest *zc_manifest_new(const struct zc_ram *ram, GError **error)
{
    struct zc_manifest *manifest = g_new0(struct zc_manifest, 1);

    manifest->blocks = g_new0(struct zc_manifest_block, ram->n_blocks);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        const struct zc_block *block = &ram->blocks[i];
        if (!add_block(manifest, block->name, strlen(block->name), zc_block_pages(block), error)) {
            zc_manifest_free(manifest);
            return NULL;
        }
    }
    return manifest;
}

void zc_manifest_free(struct zc_manifest *manifest)
{
    if (!manifest) {
        return;
    }
    for (uint32_t i = 0; i < manifest->n_blocks; i++) {
        g_free(manifest->blocks[i].digests);
    }
    g_free(manifest->blocks);
    g_free(manifest);
}

uint64_t zc_manifest_pages(const struct zc_manifest *manifest)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < manifest->n_blocks; i++) {
        total += manifest->blocks[i].n_pages;
    }
    return total;
}

uint64_t zc_manifest_unknown(const struct zc_manifest *manifest)
{
    uint64_t n = 0;

    for (uint32_t i = 0; manifest->partial && i < manifest->n_blocks; i++) {
        for (uint64_t page = 0; page < manifest->blocks[i].n_pages; page++) {
            n += manifest->blocks[i].digests[page] == ZC_DIGEST_NONE;
        }
    }
    return n;
}

void zc_manifest_digest_range(struct zc_manifest *manifest, const struct zc_ram *ram,
                              const struct zc_range *range)
{
    uint64_t *digests = manifest->blocks[range->block].digests + range->first_page;
    const uint8_t *page = ram->blocks[range->block].host + range->first_page * ZC_PAGE_BYTES;

    for (uint32_t i = 0; i < range->n_pages; i++, page += ZC_PAGE_BYTES) {
        digests[i] = range->known_zero || zc_page_is_zero(page) ? ZC_DIGEST_ZERO_PAGE
                                                                : zc_digest_page(page);
    }
}

/* --------------------------------------------------------------- comparing */

/* Appends one wrong page, or makes the last run longer by it. */
static void add_wrong(GArray *runs, uint32_t max_runs, enum zc_mismatch_kind kind,
                      const char *block, uint64_t first_page, uint64_t n_pages)
{
    if (runs->len) {
        struct zc_mismatch *last = &g_array_index(runs, struct zc_mismatch, runs->len - 1);
        if (last->kind == kind && last->first_page + last->n_pages == first_page &&
            strcmp(last->block, block) == 0) {
            last->n_pages += n_pages;
            return;
        }
    }
    if (runs->len < max_runs) {
        struct zc_mismatch mismatch = { .kind = kind, .first_page = first_page,
                                        .n_pages = n_pages };
        g_strlcpy(mismatch.block, block, sizeof(mismatch.block));
        g_array_append_val(runs, mismatch);
    }
}

static bool is_unknown(const struct zc_manifest *manifest, uint64_t digest)
{
    return manifest->partial && digest == ZC_DIGEST_NONE;
}

/* A QEMU does not send memory that is not plugged in; what is never written is zero. */
static bool is_same(uint64_t wanted, uint64_t got)
{
    uint64_t content = wanted == ZC_DIGEST_NONE ? ZC_DIGEST_ZERO_PAGE : wanted;

    return content == (got == ZC_DIGEST_NONE ? ZC_DIGEST_ZERO_PAGE : got);
}

static const struct zc_manifest_block *find_block(const struct zc_manifest *manifest,
                                                  const char *name)
{
    for (uint32_t i = 0; i < manifest->n_blocks; i++) {
        if (strcmp(manifest->blocks[i].name, name) == 0) {
            return &manifest->blocks[i];
        }
    }
    return NULL;
}

/* Block @mine of @expected with @other of @got, which is as long. */
static uint64_t compare_block(const struct zc_manifest *expected,
                              const struct zc_manifest_block *mine, const struct zc_manifest *got,
                              const struct zc_manifest_block *other, GArray *runs,
                              uint32_t max_runs)
{
    uint64_t n_wrong = 0;

    for (uint64_t page = 0; page < mine->n_pages; page++) {
        if (is_same(mine->digests[page], other->digests[page]) ||
            is_unknown(expected, mine->digests[page]) || is_unknown(got, other->digests[page])) {
            continue;
        }
        add_wrong(runs, max_runs,
                  other->digests[page] == ZC_DIGEST_NONE ? ZC_MISMATCH_MISSING
                                                         : ZC_MISMATCH_DIFFERS,
                  mine->name, page, 1);
        n_wrong++;
    }
    return n_wrong;
}

uint64_t zc_manifest_compare(const struct zc_manifest *expected, const struct zc_manifest *got,
                             GArray *runs, uint32_t max_runs)
{
    uint64_t n_wrong = 0;

    for (uint32_t i = 0; i < expected->n_blocks; i++) {
        const struct zc_manifest_block *block = &expected->blocks[i];
        const struct zc_manifest_block *other = find_block(got, block->name);
        if (other && other->n_pages == block->n_pages) {
            n_wrong += compare_block(expected, block, got, other, runs, max_runs);
        } else {
            add_wrong(runs, max_runs, ZC_MISMATCH_SHAPE, block->name, 0, block->n_pages);
            n_wrong += block->n_pages;
        }
    }
    for (uint32_t i = 0; i < got->n_blocks; i++) {
        const struct zc_manifest_block *block = &got->blocks[i];
        if (!find_block(expected, block->name)) {
            add_wrong(runs, max_runs, ZC_MISMATCH_SHAPE, block->name, 0, block->n_pages);
            n_wrong += block->n_pages;
        }
    }
    if (!n_wrong && expected->exact_bytes && got->exact_bytes &&
        expected->exact_bytes != got->exact_bytes) {
        /* As many pages, and equal: the shorter image ends inside of the last one. */
        const struct zc_manifest_block *last = &expected->blocks[expected->n_blocks - 1];
        add_wrong(runs, max_runs, ZC_MISMATCH_SHAPE, last->name, last->n_pages - 1, 1);
        n_wrong++;
    }
    return n_wrong;
}

uint64_t zc_manifest_uncompared(const struct zc_manifest *expected, const struct zc_manifest *got)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < expected->n_blocks; i++) {
        const struct zc_manifest_block *mine = &expected->blocks[i];
        const struct zc_manifest_block *other = find_block(got, mine->name);
        for (uint64_t page = 0; other && page < MIN(mine->n_pages, other->n_pages); page++) {
            n += is_unknown(expected, mine->digests[page]) || is_unknown(got, other->digests[page]);
        }
    }
    return n;
}

char *zc_mismatch_format(const struct zc_mismatch *mismatch)
{
    if (mismatch->kind == ZC_MISMATCH_SHAPE) {
        return g_strdup_printf("block '%s' is not there on both sides with the same length",
                               mismatch->block);
    }
    return g_strdup_printf("block '%s': %" G_GUINT64_FORMAT " page%s from offset 0x%" G_GINT64_MODIFIER
                           "x %s",
                           mismatch->block, mismatch->n_pages, mismatch->n_pages == 1 ? "" : "s",
                           mismatch->first_page * ZC_PAGE_BYTES,
                           mismatch->kind == ZC_MISMATCH_MISSING ? "never arrived" : "differ");
}

/* --------------------------------------------------------------- file form */

static uint8_t *put(uint8_t *at, const void *bytes, size_t length)
{
    memcpy(at, bytes, length);
    return at + length;
}

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    return put(at, &value, sizeof(value));
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    return put(at, &value, sizeof(value));
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    value = GUINT16_TO_BE(value);
    return put(at, &value, sizeof(value));
}

static size_t file_bytes(const struct zc_manifest *manifest)
{
    size_t bytes = FILE_HEADER_BYTES + FILE_CHECK_BYTES;

    for (uint32_t i = 0; i < manifest->n_blocks; i++) {
        const struct zc_manifest_block *block = &manifest->blocks[i];
        bytes += 2 + strlen(block->name) + 8 + block->n_pages * DIGEST_BYTES;
    }
    return bytes;
}

bool zc_manifest_save(const struct zc_manifest *manifest, const char *path, GError **error)
{
    size_t length = file_bytes(manifest);
    g_autofree uint8_t *bytes = g_try_malloc(length);
    g_autoptr(GError) cause = NULL;

    if (!bytes || length > G_MAXSSIZE) {
        return zc_error_errno(error, ZCMIG_ERROR_LIMIT, ENOMEM, "cannot write manifest '%s'", path);
    }
    uint8_t *at = put(bytes, FILE_MAGIC, strlen(FILE_MAGIC));
    at = put_u32(at, manifest->partial ? FILE_VERSION_PARTIAL : FILE_VERSION);
    at = put_u32(at, manifest->n_blocks);
    at = put_u64(at, manifest->exact_bytes);
    for (uint32_t i = 0; i < manifest->n_blocks; i++) {
        const struct zc_manifest_block *block = &manifest->blocks[i];
        at = put_u16(at, (uint16_t)strlen(block->name));
        at = put(at, block->name, strlen(block->name));
        at = put_u64(at, block->n_pages);
    }
    for (uint32_t i = 0; i < manifest->n_blocks; i++) {
        for (uint64_t page = 0; page < manifest->blocks[i].n_pages; page++) {
            at = put_u64(at, manifest->blocks[i].digests[page]);
        }
    }
    put_u64(at, zc_digest_bytes(bytes, length - FILE_CHECK_BYTES));
    if (!g_file_set_contents_full(path, (const char *)bytes, (gssize)length,
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0666, &cause)) {
        return zc_error(error, ZCMIG_ERROR_OUTPUT, "cannot write manifest '%s': %s", path,
                        cause->message);
    }
    return true;
}

/* What is left of the bytes to parse. */
struct cursor {
    const uint8_t *at;
    size_t left;
};

/* The next @length bytes, or NULL when there are not so many. */
static const uint8_t *take(struct cursor *cursor, uint64_t length)
{
    const uint8_t *at = cursor->at;

    if (length > cursor->left) {
        return NULL;
    }
    cursor->at += length;
    cursor->left -= length;
    return at;
}

static uint64_t get_be(const uint8_t *at, size_t length)
{
    uint64_t value = 0;

    for (size_t i = 0; i < length; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static bool not_one(GError **error, const char *what)
{
    return zc_error(error, ZCMIG_ERROR_PROTOCOL, "not a manifest: %s", what);
}

static bool parse_blocks(struct cursor *cursor, struct zc_manifest *manifest, uint32_t n_blocks,
                         GError **error)
{
    uint64_t n_pages_total = 0;

    for (uint32_t i = 0; i < n_blocks; i++) {
        const uint8_t *at = take(cursor, 2);
        size_t name_length = at ? get_be(at, 2) : 0;
        const uint8_t *name = at ? take(cursor, name_length) : NULL;
        at = name ? take(cursor, 8) : NULL;
        if (!at || name_length == 0 || name_length >= ZC_BLOCK_NAME_BYTES ||
            memchr(name, '\0', name_length) || !g_utf8_validate((const char *)name,
                                                               (gssize)name_length, NULL)) {
            return not_one(error, "bad block name");
        }
        uint64_t n_pages = get_be(at, 8);
        if (__builtin_add_overflow(n_pages_total, n_pages, &n_pages_total) ||
            n_pages_total > cursor->left / DIGEST_BYTES) {
            return not_one(error, "more pages announced than digests there");
        }
        if (!add_block(manifest, (const char *)name, name_length, n_pages, error)) {
            return false;
        }
        if (find_block(manifest, manifest->blocks[i].name) != &manifest->blocks[i]) {
            return not_one(error, "a block is named twice");
        }
    }
    if (cursor->left != n_pages_total * DIGEST_BYTES) {
        return not_one(error, "length and number of pages do not agree");
    }
    return true;
}

static bool parse(struct cursor *cursor, struct zc_manifest *manifest, uint32_t n_blocks,
                  GError **error)
{
    manifest->blocks = g_new0(struct zc_manifest_block, n_blocks);
    if (!parse_blocks(cursor, manifest, n_blocks, error)) {
        return false;
    }
    for (uint32_t i = 0; i < n_blocks; i++) {
        struct zc_manifest_block *block = &manifest->blocks[i];
        for (uint64_t page = 0; page < block->n_pages; page++) {
            block->digests[page] = get_be(take(cursor, DIGEST_BYTES), DIGEST_BYTES);
        }
    }
    if (manifest->exact_bytes &&
        (n_blocks != 1 || manifest->exact_bytes > manifest->blocks[0].n_pages * ZC_PAGE_BYTES)) {
        return not_one(error, "size of the image and number of pages do not agree");
    }
    return true;
}

struct zc_manifest *zc_manifest_parse(const uint8_t *bytes, size_t length, GError **error)
{
    if (length < FILE_HEADER_BYTES + FILE_CHECK_BYTES ||
        memcmp(bytes, FILE_MAGIC, strlen(FILE_MAGIC)) != 0) {
        not_one(error, "it does not begin with " FILE_MAGIC);
        return NULL;
    }
    uint64_t version = get_be(bytes + 8, 4);
    uint64_t n_blocks = get_be(bytes + 12, 4);
    if ((version != FILE_VERSION && version != FILE_VERSION_PARTIAL) || n_blocks > ZC_BLOCKS_MAX) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "manifest: got version %" G_GUINT64_FORMAT " with %" G_GUINT64_FORMAT
                 " blocks, allowed are versions %u and %u, and %u blocks",
                 version, n_blocks, FILE_VERSION, FILE_VERSION_PARTIAL, ZC_BLOCKS_MAX);
        return NULL;
    }
    if (get_be(bytes + length - FILE_CHECK_BYTES, 8) !=
        zc_digest_bytes(bytes, length - FILE_CHECK_BYTES)) {
        not_one(error, "its own check sum is wrong: damaged or cut short");
        return NULL;
    }
    struct cursor cursor = { bytes + FILE_HEADER_BYTES,
                             length - FILE_HEADER_BYTES - FILE_CHECK_BYTES };
    struct zc_manifest *manifest = g_new0(struct zc_manifest, 1);
    manifest->exact_bytes = get_be(bytes + 16, 8);
    manifest->partial = version == FILE_VERSION_PARTIAL;
    if (!parse(&cursor, manifest, (uint32_t)n_blocks, error)) {
        zc_manifest_free(manifest);
        return NULL;
    }
    return manifest;
}

struct zc_manifest *zc_manifest_load(const char *path, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &cause);

    if (!file) {
        zc_error(error, ZCMIG_ERROR_SOURCE, "cannot read manifest '%s': %s", path, cause->message);
        return NULL;
    }
    struct zc_manifest *manifest =
        zc_manifest_parse((const uint8_t *)g_mapped_file_get_contents(file),
                          g_mapped_file_get_length(file), error);
    if (!manifest) {
        g_prefix_error(error, "'%s': ", path);
    }
    return manifest;
}

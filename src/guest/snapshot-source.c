/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dir:SNAPSHOT as a source of RAM.
 *
 * Design: each block's file is an image source (image-source.c) of its own,
 * and this one only says which.  Every length is checked against the index
 * first, so that a file that was cut is told before anything is sent.
 */
#include "config.h"

#include "base/error.h"
#include "guest/snapshot.h"

struct snapshot_source {
    struct zc_source source;
    struct zc_snapshot snapshot;
    struct zc_source **images; /* one a block */
};

static void snapshot_source_free(struct zc_source *base)
{
    struct snapshot_source *source = (struct snapshot_source *)base;

    for (uint32_t i = 0; source->images && i < base->ram.n_blocks; i++) {
        zc_source_free(source->images[i]);
    }
    g_free(source->images);
    zc_manifest_free(base->expected);
    zc_snapshot_clear(&source->snapshot);
    zc_ram_clear(&base->ram);
    g_free(base->uri);
    g_free(source);
}

static uint64_t snapshot_next_hole(struct zc_source *base, uint32_t block, uint64_t page,
                                   uint64_t *first_out)
{
    struct zc_source *image = ((struct snapshot_source *)base)->images[block];

    return image->ops->next_hole(image, 0, page, first_out);
}

static void snapshot_will_need(struct zc_source *base, const struct zc_range *range)
{
    struct zc_source *image = ((struct snapshot_source *)base)->images[range->block];
    struct zc_range own = *range;

    own.block = 0;
    image->ops->will_need(image, &own);
}

static bool snapshot_check(struct zc_source *base, GError **error)
{
    struct snapshot_source *source = (struct snapshot_source *)base;

    for (uint32_t i = 0; i < base->ram.n_blocks; i++) {
        if (!source->images[i]->ops->check(source->images[i], error)) {
            return false;
        }
    }
    return true;
}

static const struct zc_source_ops snapshot_ops = {
    .free = snapshot_source_free,
    .next_hole = snapshot_next_hole,
    .will_need = snapshot_will_need,
    .check = snapshot_check,
};

/* ----------------------------------------------------------------- opening */

/* The whole of a small file; NULL without @error when it is not there and need not be. */
static GBytes *read_file(const char *directory, const char *name, bool needed, GError **error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autoptr(GError) cause = NULL;
    char *bytes = NULL;
    gsize length = 0;

    if (g_file_get_contents(path, &bytes, &length, &cause)) {
        return g_bytes_new_take(bytes, length);
    }
    if (needed || !g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        zc_error(error, ZCMIG_ERROR_SOURCE, "snapshot: %s", cause->message);
    }
    return NULL;
}

static bool open_image(struct snapshot_source *source, const char *directory, uint32_t index,
                       GError **error)
{
    struct zc_block *block = &source->source.ram.blocks[index];
    g_autofree char *file = zc_snapshot_file_name(block->name);
    g_autofree char *path = g_build_filename(directory, "ram", file, NULL);
    g_autofree char *uri = g_strconcat("file:", path, NULL);
    struct zc_source *image = zc_image_source_open(uri, path, error);

    source->images[index] = image;
    if (!image) {
        return false;
    }
    if (image->exact_bytes < block->used_bytes) {
        return zc_error(error, ZCMIG_ERROR_SOURCE,
                        "'%s': got %" G_GUINT64_FORMAT " bytes, the index says %" G_GUINT64_FORMAT,
                        path, image->exact_bytes, block->used_bytes);
    }
    block->host = image->ram.blocks[0].host;
    return true;
}

static bool has_shape_of(const struct zc_manifest *manifest, const struct zc_ram *ram)
{
    bool same = manifest->n_blocks == ram->n_blocks;

    for (uint32_t i = 0; same && i < ram->n_blocks; i++) {
        same = g_str_equal(manifest->blocks[i].name, ram->blocks[i].name) &&
               manifest->blocks[i].n_pages == zc_block_pages(&ram->blocks[i]);
    }
    return same;
}

static bool open_all(struct snapshot_source *source, const char *directory, GError **error)
{
    struct zc_snapshot *snapshot = &source->snapshot;
    g_autofree char *manifest = g_build_filename(directory, "pages.manifest", NULL);
    g_autoptr(GBytes) index = read_file(directory, "index.json", true, error);
    GError *cause = NULL;

    if (!index ||
        !zc_snapshot_read_index(g_bytes_get_data(index, NULL), g_bytes_get_size(index), snapshot,
                                &source->source.ram, error)) {
        return false;
    }
    snapshot->configuration = read_file(directory, "configuration", true, error);
    snapshot->tail = snapshot->configuration ? read_file(directory, "devices", false, &cause)
                                             : NULL;
    if (!snapshot->configuration || cause) {
        if (cause) {
            g_propagate_error(error, cause);
        }
        return false;
    }
    if (snapshot->has_early &&
        !(snapshot->early = read_file(directory, "devices-early", true, error))) {
        return false;
    }
    source->source.expected = zc_manifest_load(manifest, error);
    if (!source->source.expected) {
        return false;
    }
    if (!has_shape_of(source->source.expected, &source->source.ram)) {
        return zc_error(error, ZCMIG_ERROR_SOURCE,
                        "snapshot: its manifest is not of the blocks in its index");
    }
    source->images = g_new0(struct zc_source *, source->source.ram.n_blocks);
    for (uint32_t i = 0; i < source->source.ram.n_blocks; i++) {
        if (!open_image(source, directory, i, error)) {
            return false;
        }
    }
    return true;
}

struct zc_source *zc_snapshot_source_open(const char *uri, const char *path, GError **error)
{
    struct snapshot_source *source = g_new0(struct snapshot_source, 1);

    source->source.ops = &snapshot_ops;
    source->source.uri = g_strdup(uri);
    zc_ram_init(&source->source.ram);
    zc_snapshot_init(&source->snapshot);
    source->source.snapshot = &source->snapshot;
    if (!open_all(source, path, error)) {
        snapshot_source_free(&source->source);
        return NULL;
    }
    return &source->source;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "send/harvest.h"

#define RANGE_PAGES_MAX (1u << 20)

void zc_harvest_init(struct zc_harvest *harvest, const struct zc_ram *ram)
{
    *harvest = (struct zc_harvest){ .ram = ram };
    harvest->blocks = g_new0(struct zc_bitmap, ram->n_blocks);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        zc_bitmap_init(&harvest->blocks[i], zc_block_pages(&ram->blocks[i]));
    }
}

void zc_harvest_clear(struct zc_harvest *harvest)
{
    for (uint32_t i = 0; harvest->blocks && i < harvest->ram->n_blocks; i++) {
        zc_bitmap_clear(&harvest->blocks[i]);
    }
    g_clear_pointer(&harvest->blocks, g_free);
}

enum what {
    TAKE,
    PEEK,
    WALK,
};

/* Asks the tracker about all of RAM. */
static int visit(struct zc_harvest *harvest, struct zc_tracker *tracker, enum what what)
{
    for (uint32_t block = 0; block < harvest->ram->n_blocks; block++) {
        struct zc_bitmap *dirty = &harvest->blocks[block];
        for (uint64_t page = 0; page < dirty->n_pages; page += RANGE_PAGES_MAX) {
            struct zc_range range = {
                .block = block,
                .first_page = page,
                .n_pages = (uint32_t)MIN(dirty->n_pages - page, (uint64_t)RANGE_PAGES_MAX),
            };
            int64_t ret = what == TAKE
                              ? zc_tracker_harvest(tracker, &range, dirty)
                              : zc_tracker_peek(tracker, &range, what == PEEK ? dirty : NULL);
            if (ret < 0) {
                return (int)ret;
            }
        }
    }
    return 0;
}

static int add(struct zc_harvest *harvest, struct zc_tracker *tracker, enum what what)
{
    uint64_t n_pages = 0;
    int ret = visit(harvest, tracker, what);

    if (ret < 0) {
        return ret;
    }
    for (uint32_t block = 0; block < harvest->ram->n_blocks; block++) {
        n_pages += zc_bitmap_count(&harvest->blocks[block]);
    }
    harvest->n_pages = n_pages;
    return 0;
}

int zc_harvest_take(struct zc_harvest *harvest, struct zc_tracker *tracker)
{
    return add(harvest, tracker, TAKE);
}

int zc_harvest_peek(struct zc_harvest *harvest, struct zc_tracker *tracker)
{
    return add(harvest, tracker, PEEK);
}

int zc_harvest_walk(struct zc_harvest *harvest, struct zc_tracker *tracker)
{
    return visit(harvest, tracker, WALK);
}

void zc_harvest_fill(struct zc_harvest *harvest)
{
    for (uint32_t block = 0; block < harvest->ram->n_blocks; block++) {
        struct zc_bitmap *dirty = &harvest->blocks[block];
        harvest->n_pages += zc_bitmap_set_range(dirty, 0, dirty->n_pages);
    }
}

void zc_harvest_give_back(struct zc_harvest *harvest, const struct zc_range *range)
{
    harvest->n_pages += zc_bitmap_set_range(&harvest->blocks[range->block], range->first_page,
                                            range->n_pages);
}

void zc_harvest_count(const struct zc_harvest *harvest, uint64_t *runs_out, uint64_t *tables_out)
{
    *runs_out = *tables_out = 0;
    for (uint32_t block = 0; block < harvest->ram->n_blocks; block++) {
        *runs_out += zc_bitmap_count_runs(&harvest->blocks[block]);
        *tables_out += zc_bitmap_count_tables(&harvest->blocks[block]);
    }
}

static bool give_block(struct zc_harvest *harvest, uint32_t block, zc_iterate_fn fn, void *data)
{
    struct zc_bitmap *dirty = &harvest->blocks[block];
    uint64_t first = 0, n;

    while ((n = zc_bitmap_next_run(dirty, first, &first))) {
        struct zc_range range = {
            .block = block,
            .first_page = first,
            .n_pages = (uint32_t)MIN(n, (uint64_t)RANGE_PAGES_MAX),
        };
        zc_bitmap_clear_range(dirty, first, range.n_pages);
        harvest->n_pages -= range.n_pages;
        first += range.n_pages;
        if (!fn(&range, data)) {
            return false;
        }
    }
    return true;
}

bool zc_harvest_give(struct zc_harvest *harvest, zc_iterate_fn fn, void *data)
{
    for (uint32_t block = 0; block < harvest->ram->n_blocks; block++) {
        if (!give_block(harvest, block, fn, data)) {
            return false;
        }
    }
    return true;
}

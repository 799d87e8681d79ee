/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "send/unplaced.h"

static void empty(struct zc_unplaced *unplaced, unsigned int set)
{
    for (uint32_t i = 0; i < unplaced->ram->n_blocks; i++) {
        struct zc_bitmap *bitmap = &unplaced->sets[set][i];
        zc_bitmap_clear_range(bitmap, 0, bitmap->n_pages);
    }
}

void zc_unplaced_init(struct zc_unplaced *unplaced, const struct zc_ram *ram)
{
    *unplaced = (struct zc_unplaced){ .ram = ram };
    for (unsigned int set = 0; set < 2; set++) {
        unplaced->sets[set] = g_new0(struct zc_bitmap, ram->n_blocks);
        for (uint32_t i = 0; i < ram->n_blocks; i++) {
            zc_bitmap_init(&unplaced->sets[set][i], zc_block_pages(&ram->blocks[i]));
        }
    }
}

void zc_unplaced_clear(struct zc_unplaced *unplaced)
{
    for (unsigned int set = 0; set < 2; set++) {
        for (uint32_t i = 0; unplaced->sets[set] && i < unplaced->ram->n_blocks; i++) {
            zc_bitmap_clear(&unplaced->sets[set][i]);
        }
        g_clear_pointer(&unplaced->sets[set], g_free);
    }
}

void zc_unplaced_put(struct zc_unplaced *unplaced, const struct zc_range *range)
{
    zc_bitmap_set_range(&unplaced->sets[unplaced->current][range->block], range->first_page,
                        range->n_pages);
    unplaced->n_current += range->n_pages;
}

void zc_unplaced_mark(struct zc_unplaced *unplaced)
{
    g_return_if_fail(!unplaced->is_marked);
    unplaced->is_marked = true;
    unplaced->current = !unplaced->current;
    unplaced->n_current = 0;
}

void zc_unplaced_placed(struct zc_unplaced *unplaced)
{
    g_return_if_fail(unplaced->is_marked);
    unplaced->is_marked = false;
    empty(unplaced, !unplaced->current);
}

uint64_t zc_unplaced_lose(struct zc_unplaced *unplaced, struct zc_harvest *harvest)
{
    uint64_t n_lost = 0, first, n;

    for (uint32_t i = 0; i < unplaced->ram->n_blocks; i++) {
        struct zc_bitmap *both = &unplaced->sets[0][i];
        for (first = 0; (n = zc_bitmap_next_run(&unplaced->sets[1][i], first, &first));
             first += n) {
            zc_bitmap_set_range(both, first, n);
        }
        for (first = 0; (n = zc_bitmap_next_run(both, first, &first)); first += n) {
            harvest->n_pages += zc_bitmap_set_range(&harvest->blocks[i], first, n);
            n_lost += n;
        }
    }
    empty(unplaced, 0);
    empty(unplaced, 1);
    unplaced->is_marked = false;
    unplaced->n_current = 0;
    return n_lost;
}

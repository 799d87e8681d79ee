/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "send/iterate.h"

/* Pages [first, end) of @block, cut into ranges. */
static bool give(uint32_t block, uint64_t first, uint64_t end, bool known_zero, uint32_t max_pages,
                 zc_iterate_fn fn, void *data)
{
    while (first < end) {
        struct zc_range range = {
            .block = block,
            .first_page = first,
            .n_pages = (uint32_t)MIN(end - first, max_pages),
            .known_zero = known_zero,
        };
        if (!fn(&range, data)) {
            return false;
        }
        first += range.n_pages;
    }
    return true;
}

bool zc_iterate_all(struct zc_source *source, uint32_t max_pages, zc_iterate_fn fn, void *data)
{
    for (uint32_t block = 0; block < source->ram.n_blocks; block++) {
        uint64_t n_pages = zc_block_pages(&source->ram.blocks[block]);
        uint64_t page = 0;

        while (page < n_pages) {
            uint64_t hole = n_pages;
            uint64_t n_hole = source->ops->next_hole(source, block, page, &hole);
            if (!give(block, page, hole, false, max_pages, fn, data) ||
                !give(block, hole, hole + n_hole, true, max_pages, fn, data)) {
                return false;
            }
            page = hole + n_hole;
        }
    }
    return true;
}

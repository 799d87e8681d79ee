/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/error.h"
#include "recv/place.h"

bool zc_place_init(struct zc_place *place, const struct zc_ram *ram, struct zc_store *store,
                   bool record, bool populate, GError **error)
{
    place->ram = ram;
    place->store = store;
    place->populate = populate;
    place->resident = g_new0(uint8_t *, ram->n_blocks);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        place->resident[i] = g_try_malloc0(zc_block_pages(&ram->blocks[i]));
        if (!place->resident[i]) {
            return zc_error(error, ZCMIG_ERROR_LIMIT,
                            "no memory to keep book of the pages of block '%s'",
                            ram->blocks[i].name);
        }
    }
    place->arrival = record ? zc_manifest_new(ram, error) : NULL;
    return !record || place->arrival;
}

void zc_place_clear(struct zc_place *place)
{
    for (uint32_t i = 0; place->resident && i < place->ram->n_blocks; i++) {
        g_free(place->resident[i]);
    }
    g_clear_pointer(&place->resident, g_free);
    g_clear_pointer(&place->arrival, zc_manifest_free);
}

/* Length of the run from @page on, before @end, of pages whose byte is @value. */
static uint64_t run_of(const uint8_t *resident, uint64_t page, uint64_t end, uint8_t value)
{
    uint64_t first = page;

    while (page < end && resident[page] == value) {
        page++;
    }
    return page - first;
}

static void set_run(uint8_t *resident, uint64_t first_page, uint64_t n_pages, uint8_t value)
{
    for (uint64_t i = 0; i < n_pages; i++) {
        resident[first_page + i] = value;
    }
}

int zc_place_prepare(struct zc_place *place, uint32_t block, uint64_t first_page, uint64_t n_pages,
                     bool by_hand)
{
    uint8_t *resident = place->resident[block];
    uint8_t *host = place->ram->blocks[block].host;
    uint64_t end = first_page + n_pages;

    for (uint64_t page = first_page; page < end;) {
        uint64_t n = run_of(resident, page, end, 0);
        if (n == 0) {
            page += run_of(resident, page, end, 1);
            continue;
        }
        if (place->populate || by_hand) {
            int rc = place->store->ops->populate(place->store, host + page * ZC_PAGE_BYTES,
                                                 n * ZC_PAGE_BYTES);
            if (rc < 0) {
                return rc;
            }
        }
        set_run(resident, page, n, 1);
        page += n;
    }
    return 0;
}

void zc_place_arrived(struct zc_place *place, uint32_t block, uint64_t page)
{
    if (place->arrival) {
        place->arrival->blocks[block].digests[page] =
            zc_digest_page(place->ram->blocks[block].host + page * ZC_PAGE_BYTES);
    }
}

bool zc_place_wants_whole_pages(const struct zc_place *place)
{
    const struct zc_store_ops *ops = place->store->ops;

    return ops->write && (place->populate || !ops->populate);
}

/* Fills @iov with the content of @n pages, one for each stretch of it that lies back to back. */
static unsigned int gather(struct iovec *iov, const struct zc_place_page *pages, uint32_t n)
{
    unsigned int n_iov = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && pages[i].content == pages[i - 1].content + ZC_PAGE_BYTES) {
            iov[n_iov - 1].iov_len += ZC_PAGE_BYTES;
        } else {
            iov[n_iov++] = (struct iovec){ (void *)pages[i].content, ZC_PAGE_BYTES };
        }
    }
    return n_iov;
}

int zc_place_write(struct zc_place *place, uint32_t block, const struct zc_place_page *pages,
                   uint32_t n)
{
    uint8_t *host = place->ram->blocks[block].host;
    struct iovec iov[ZC_PLACE_WRITE_MAX];

    for (uint32_t i = 0; place->arrival && i < n; i++) {
        place->arrival->blocks[block].digests[pages[i].page] = zc_digest_page(pages[i].content);
    }
    for (uint32_t i = 0, run = 0; i < n; i += run) {
        for (run = 1; i + run < n && pages[i + run].page == pages[i].page + run; run++) {
        }
        int rc = place->store->ops->write(place->store, host + pages[i].page * ZC_PAGE_BYTES, iov,
                                          gather(iov, &pages[i], run));
        if (rc < 0) {
            return rc;
        }
        set_run(place->resident[block], pages[i].page, run, 1);
    }
    return 0;
}

int zc_place_zero(struct zc_place *place, uint32_t block, uint64_t first_page, uint64_t n_pages)
{
    uint8_t *resident = place->resident[block];
    uint8_t *host = place->ram->blocks[block].host;
    uint64_t end = first_page + n_pages;

    for (uint64_t page = first_page; page < end;) {
        uint64_t n = run_of(resident, page, end, 1);
        if (n == 0) {
            page += run_of(resident, page, end, 0);
            continue;
        }
        int rc = place->store->ops->zero(place->store, host + page * ZC_PAGE_BYTES,
                                         n * ZC_PAGE_BYTES);
        if (rc < 0) {
            return rc;
        }
        set_run(resident, page, n, 0);
        page += n;
    }
    if (place->arrival) {
        uint64_t *digests = place->arrival->blocks[block].digests;
        for (uint64_t page = first_page; page < end; page++) {
            digests[page] = ZC_DIGEST_ZERO_PAGE;
        }
    }
    return 0;
}

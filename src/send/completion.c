/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a ring indexed by the low bits of the serial number.  All positions
 * are differences of u32 serials, so the wrap at 2^32 needs no case of its
 * own.  A note is checked whole before anything of it is recorded: a kernel
 * (or a fake) that contradicts itself must not free memory.
 */
#include "config.h"

#include <errno.h>

#include <glib.h>

#include "send/completion.h"

static struct zc_call *call_at(const struct zc_completion *completion, uint32_t serial)
{
    return &completion->calls[serial & (completion->capacity - 1)];
}

void zc_completion_init(struct zc_completion *completion, uint32_t capacity, uint32_t first_serial)
{
    g_assert(capacity > 0 && (capacity & (capacity - 1)) == 0);
    *completion = (struct zc_completion){
        .calls = g_new0(struct zc_call, capacity),
        .capacity = capacity,
        .oldest = first_serial,
        .next = first_serial,
    };
}

void zc_completion_clear(struct zc_completion *completion)
{
    g_free(completion->calls);
    *completion = (struct zc_completion){ 0 };
}

void zc_completion_call(struct zc_completion *completion, uint32_t bytes, uint32_t charge_pages,
                        uint32_t cookie)
{
    g_assert(!zc_completion_is_full(completion));
    *call_at(completion, completion->next++) = (struct zc_call){
        .bytes = bytes,
        .charge_pages = charge_pages,
        .cookie = cookie,
    };
    completion->bytes_in_flight += bytes;
    completion->counts.calls++;
    completion->counts.bytes += bytes;
}

int64_t zc_completion_note(struct zc_completion *completion, uint32_t lo, uint32_t hi,
                           enum zc_copied copied)
{
    uint32_t in_flight = zc_completion_in_flight(completion);
    uint32_t first = lo - completion->oldest;
    uint32_t beyond = hi - lo; /* calls after the first: the count itself would overflow at 2^32 */

    if (first >= in_flight || beyond >= in_flight - first) {
        return -EPROTO;
    }
    for (uint32_t i = 0; i <= beyond; i++) {
        if (call_at(completion, lo + i)->noted) {
            return -EPROTO;
        }
    }
    for (uint32_t i = 0; i <= beyond; i++) {
        call_at(completion, lo + i)->noted = true;
    }
    completion->counts.notes++;
    completion->counts.completed += (uint64_t)beyond + 1;
    /* The bit is the first call's; the others may have been copied or not. */
    completion->counts.copied_min += copied == ZC_COPIED_YES;
    completion->counts.copied_max += (uint64_t)beyond + (copied != ZC_COPIED_NO);
    return (int64_t)beyond + 1;
}

void zc_completion_all(struct zc_completion *completion, uint32_t copied_min, uint32_t copied_max)
{
    for (uint32_t serial = completion->oldest; serial != completion->next; serial++) {
        call_at(completion, serial)->noted = true;
    }
    completion->counts.completed += zc_completion_in_flight(completion);
    completion->counts.copied_min += copied_min;
    completion->counts.copied_max += copied_max;
}

bool zc_completion_pop(struct zc_completion *completion, struct zc_call *call_out)
{
    if (completion->oldest == completion->next) {
        return false;
    }
    struct zc_call *call = call_at(completion, completion->oldest);
    if (!call->noted) {
        return false;
    }
    *call_out = *call;
    completion->oldest++;
    completion->bytes_in_flight -= call->bytes;
    return true;
}

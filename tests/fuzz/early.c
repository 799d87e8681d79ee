/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device state before RAM is whole: its end is a footer of its id, however the bytes come.  The
 * first byte says whether RAM has started, the rest is the state.
 */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/early.h"

#define ID 0x27
#define RAM_ID 1

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const uint8_t footer[] = { 0x7e, 0, 0, 0, ID };
    struct zc_early early = { .id = ID, .ram_id = RAM_ID };
    size_t searched = 0, in_parts = 0, part = 0;

    if (length == 0) {
        return 0;
    }
    early.ram_started = *bytes++ & 1;
    length--;
    size_t end = zc_early_find(bytes, length, &early, &searched);
    ZC_MUST(end <= length);
    if (end) {
        ZC_MUST(end >= sizeof(footer));
        ZC_MUST(memcmp(bytes + end - sizeof(footer), footer, sizeof(footer)) == 0);
    }
    /* Byte by byte it is the same end: what decides is not what happens to be there. */
    for (size_t n = 0; n <= length && !part; n++) {
        part = zc_early_find(bytes, n, &early, &in_parts);
    }
    ZC_MUST(part == end);
    return 0;
}

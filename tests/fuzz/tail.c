/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device tail: found however it is cut, and indexed only when it fits together. */
#include "config.h"

#include <glib.h>

#include "fuzz/fuzz.h"
#include "wire/tail.h"

#define DESCRIPTION_MAX 8192
#define SECTIONS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct zc_tail_section sections[SECTIONS_MAX];
    struct zc_tail tail, early;
    size_t searched = 0, half = 0;

    bool found = zc_tail_find(bytes, length, DESCRIPTION_MAX, &searched, &tail);
    /* In two goes it is the same tail, or one that was whole earlier. */
    if (!zc_tail_find(bytes, length / 2, DESCRIPTION_MAX, &half, &early)) {
        ZC_MUST(zc_tail_find(bytes, length, DESCRIPTION_MAX, &half, &early) == found);
        ZC_MUST(!found || early.bytes == tail.bytes);
    }
    if (!found) {
        return 0;
    }
    ZC_MUST(tail.bytes <= length && tail.description_bytes <= DESCRIPTION_MAX);
    ZC_MUST(tail.description_offset == tail.devices_bytes + 6);
    ZC_MUST(tail.description_offset + tail.description_bytes == tail.bytes);

    GError *error = NULL;
    int n = zc_tail_index(bytes, &tail, NULL, sections, SECTIONS_MAX, NULL, &error);
    ZC_MUST((n < 0) == (error != NULL) && n <= SECTIONS_MAX);
    g_clear_error(&error);
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        ZC_MUST(sections[i].offset == at && sections[i].bytes <= tail.devices_bytes - at);
        ZC_MUST(sections[i].state_offset + sections[i].state_bytes + 5 == at + sections[i].bytes);
        at += sections[i].bytes;
    }
    ZC_MUST(n < 0 || at == tail.devices_bytes);
    return 0;
}

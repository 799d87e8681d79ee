/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "doctor/facts.h"

void zc_tap_clear(struct zc_tap *tap)
{
    g_clear_pointer(&tap->owners, g_array_unref);
}

void zc_facts_init(struct zc_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->links = g_array_new(FALSE, TRUE, sizeof(struct zc_link));
    facts->taps = g_array_new(FALSE, TRUE, sizeof(struct zc_tap));
    g_array_set_clear_func(facts->taps, (GDestroyNotify)zc_tap_clear);
    facts->elsewhere.copied = ZC_UNKNOWN;
}

void zc_facts_clear(struct zc_facts *facts)
{
    g_clear_pointer(&facts->links, g_array_unref);
    g_clear_pointer(&facts->taps, g_array_unref);
    g_clear_pointer(&facts->burst.trouble, g_free);
}

const struct zc_link *zc_facts_find_link(const struct zc_facts *facts, int ifindex)
{
    for (guint i = 0; i < facts->links->len; i++) {
        const struct zc_link *link = &g_array_index(facts->links, struct zc_link, i);
        if (link->ifindex == ifindex) {
            return link;
        }
    }
    return NULL;
}

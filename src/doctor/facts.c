/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "doctor/facts.h"

void zc_tap_clear(struct zc_tap *tap)
{
    g_clear_pointer(&tap->owners, g_array_unref);
}

static void space_clear(gpointer data)
{
    struct zc_space *space = data;

    g_clear_pointer(&space->links, g_array_unref);
}

void zc_facts_init(struct zc_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->links = g_array_new(FALSE, TRUE, sizeof(struct zc_link));
    facts->spaces = g_array_new(FALSE, TRUE, sizeof(struct zc_space));
    g_array_set_clear_func(facts->spaces, space_clear);
    facts->taps = g_array_new(FALSE, TRUE, sizeof(struct zc_tap));
    g_array_set_clear_func(facts->taps, (GDestroyNotify)zc_tap_clear);
    facts->elsewhere.copied = ZC_UNKNOWN;
}

void zc_facts_clear(struct zc_facts *facts)
{
    g_clear_pointer(&facts->links, g_array_unref);
    g_clear_pointer(&facts->spaces, g_array_unref);
    g_clear_pointer(&facts->taps, g_array_unref);
    g_clear_pointer(&facts->burst.trouble, g_free);
}

const struct zc_link *zc_links_find(const GArray *links, int ifindex)
{
    for (guint i = 0; i < links->len; i++) {
        const struct zc_link *link = &g_array_index(links, struct zc_link, i);
        if (link->ifindex == ifindex) {
            return link;
        }
    }
    return NULL;
}

const struct zc_space *zc_facts_find_space(const struct zc_facts *facts, int nsid)
{
    for (guint i = 0; i < facts->spaces->len; i++) {
        const struct zc_space *space = &g_array_index(facts->spaces, struct zc_space, i);
        if (space->nsid == nsid) {
            return space;
        }
    }
    return NULL;
}

const struct zc_link *zc_facts_find_link(const struct zc_facts *facts, int ifindex)
{
    return zc_links_find(facts->links, ifindex);
}

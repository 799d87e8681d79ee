/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: /proc/PID/net/packet is the table of the network namespace of PID,
 * so one process of each namespace is enough to read them all, without entering
 * any.
 */
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/tap.h"

#define INITIAL_PID_NS_INODE 0xEFFFFFFCu /* PROC_PID_INIT_INO: fixed by the kernel's interface */
#define PASSWD_BYTES 4096

static void name_user(struct zc_tap *tap)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[PASSWD_BYTES];

    if (getpwuid_r(tap->uid, &entry, buffer, sizeof(buffer), &found) == 0 && found) {
        g_strlcpy(tap->user, found->pw_name, sizeof(tap->user));
    } else {
        g_snprintf(tap->user, sizeof(tap->user), "%u", tap->uid);
    }
}

int zc_taps_parse(const char *text, GArray *taps)
{
    int n_taps = 0;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    if (!lines[0] || !strstr(lines[0], "Proto") || !strstr(lines[0], "Inode")) {
        return -EINVAL;
    }
    for (char **line = lines + 1; *line && **line; line++) {
        struct zc_tap tap = { .ignores_outgoing = ZC_UNKNOWN };
        unsigned int protocol;
        int running;
        if (sscanf(*line, "%*s %*d %*d %x %d %d %*u %u %" G_GINT64_MODIFIER "u", &protocol,
                   &tap.ifindex, &running, &tap.uid, &tap.inode) != 5) {
            return -EINVAL;
        }
        tap.protocol = (uint16_t)protocol;
        tap.running = running != 0;
        tap.owners = g_array_new(FALSE, TRUE, sizeof(struct zc_owner));
        name_user(&tap);
        g_array_append_val(taps, tap);
        n_taps++;
    }
    return n_taps;
}

/* Appends the table at @path with what the namespace adds to it; returns as zc_taps_parse. */
static int read_table(const char *path, uint64_t netns, bool own_netns, GArray *taps)
{
    g_autofree char *text = NULL;
    guint first = taps->len;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return -ENOENT;
    }
    int n_taps = zc_taps_parse(text, taps);
    for (guint i = first; i < taps->len; i++) {
        struct zc_tap *tap = &g_array_index(taps, struct zc_tap, i);
        tap->netns = netns;
        tap->own_netns = own_netns;
        if (tap->ifindex == 0) {
            g_strlcpy(tap->interface, "any", sizeof(tap->interface));
        } else if (!own_netns || !if_indextoname((unsigned int)tap->ifindex, tap->interface)) {
            g_snprintf(tap->interface, sizeof(tap->interface), "#%d", tap->ifindex);
        }
    }
    return n_taps;
}

struct table {
    const struct zc_netns *netns;
    GArray *taps;
};

static void read_table_inside(void *data)
{
    struct table *table = data;

    read_table("/proc/thread-self/net/packet", table->netns->inode, false, table->taps);
}

void zc_taps_read(struct zc_facts *facts, const GArray *namespaces)
{
    struct stat st = { 0 };

    for (guint i = 0; i < namespaces->len; i++) {
        const struct zc_netns *netns = &g_array_index(namespaces, struct zc_netns, i);
        struct table table = { .netns = netns, .taps = facts->taps };
        int n_taps = 0;
        if (netns->packet_table) {
            n_taps = read_table(netns->packet_table, netns->inode, netns->own, facts->taps);
        } else {
            zc_netns_run(netns, read_table_inside, &table);
        }
        if (netns->own) {
            /* Without AF_PACKET in the kernel there is no table, and there are no taps. */
            facts->packet_table = n_taps >= 0 || (n_taps == -ENOENT &&
                                                  access("/proc/thread-self/net/dev", R_OK) == 0 &&
                                                  access(netns->packet_table, F_OK) < 0);
        }
    }
    facts->own_pid_ns = stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != INITIAL_PID_NS_INODE;
    zc_owners_read(facts->taps);
}

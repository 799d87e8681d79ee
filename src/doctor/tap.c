/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: /proc/PID/net/packet is the table of the network namespace of PID,
 * so one process of each namespace is enough to read them all, without entering
 * any.  Namespaces that only a file keeps alive (ip netns add) have no process;
 * a short-lived thread enters those.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/tap.h"

#define NETNS_DIR "/run/netns"
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

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* The namespaces of all processes; each is read through the first process found in it. */
static void read_namespaces_of_processes(struct zc_facts *facts, GHashTable *seen)
{
    const char *name;
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);

    while (dir && (name = g_dir_read_name(dir))) {
        struct stat st;
        g_autofree char *ns_path = g_strdup_printf("/proc/%s/ns/net", name);
        if (!is_number(name)) {
            continue;
        }
        if (stat(ns_path, &st) < 0) {
            facts->hidden_processes += errno == EACCES || errno == EPERM;
            continue;
        }
        gint64 *key = g_new(gint64, 1);
        *key = (gint64)st.st_ino;
        if (g_hash_table_add(seen, key)) {
            g_autofree char *table = g_strdup_printf("/proc/%s/net/packet", name);
            read_table(table, st.st_ino, false, facts->taps);
        }
    }
}

struct visit {
    int netns_fd;
    uint64_t netns;
    GArray *taps;
};

/* Runs in a thread of its own, which ends with the namespace it entered. */
static gpointer visit_namespace(gpointer data)
{
    struct visit *visit = data;

    if (setns(visit->netns_fd, CLONE_NEWNET) == 0) {
        read_table("/proc/thread-self/net/packet", visit->netns, false, visit->taps);
    }
    return NULL;
}

/* Namespaces that were given a name and have no process. */
static void read_named_namespaces(struct zc_facts *facts, GHashTable *seen)
{
    const char *name;
    g_autoptr(GDir) dir = g_dir_open(NETNS_DIR, 0, NULL);

    while (dir && (name = g_dir_read_name(dir))) {
        struct stat st;
        g_autofree char *path = g_build_filename(NETNS_DIR, name, NULL);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        gint64 key = fd >= 0 && fstat(fd, &st) == 0 ? (gint64)st.st_ino : 0;
        if (key != 0 && !g_hash_table_contains(seen, &key)) {
            struct visit visit = { .netns_fd = fd, .netns = st.st_ino, .taps = facts->taps };
            GThread *thread = g_thread_try_new("netns", visit_namespace, &visit, NULL);
            if (thread) {
                g_thread_join(thread);
            }
        }
        if (fd >= 0) {
            close(fd);
        }
    }
}

void zc_taps_read(struct zc_facts *facts)
{
    struct stat st = { 0 };
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    if (stat("/proc/thread-self/ns/net", &st) == 0) {
        gint64 *key = g_new(gint64, 1);
        *key = (gint64)st.st_ino;
        g_hash_table_add(seen, key);
    }
    int n_taps = read_table("/proc/thread-self/net/packet", st.st_ino, true, facts->taps);
    /* Without AF_PACKET in the kernel there is no table, and there are no taps. */
    facts->packet_table =
        n_taps >= 0 || (n_taps == -ENOENT && access("/proc/thread-self/net/dev", R_OK) == 0 &&
                        access("/proc/thread-self/net/packet", F_OK) < 0);
    facts->own_pid_ns = stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != INITIAL_PID_NS_INODE;
    read_namespaces_of_processes(facts, seen);
    read_named_namespaces(facts, seen);
    zc_owners_read(facts->taps);
}

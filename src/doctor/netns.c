/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: one process of each network namespace is enough to know it by.
 * Namespaces that only a file keeps alive (ip netns add) have no process.  A
 * short-lived thread enters a namespace where reading /proc does not do.  The
 * kernel numbers the namespaces that devices of ours lead into (nsid), and only
 * those are entered.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/link.h"
#include "doctor/netns.h"

#define NETNS_DIR "/run/netns"

static void netns_clear(gpointer data)
{
    struct zc_netns *netns = data;

    g_free(netns->path);
    g_free(netns->packet_table);
}

/* Takes @path and @packet_table over. */
static void add(GArray *namespaces, uint64_t inode, char *path, char *packet_table)
{
    struct zc_netns netns = {
        .inode = inode,
        .own = namespaces->len == 0,
        .path = path,
        .packet_table = packet_table,
    };

    for (guint i = 0; i < namespaces->len; i++) {
        if (g_array_index(namespaces, struct zc_netns, i).inode == inode) {
            netns_clear(&netns);
            return;
        }
    }
    g_array_append_val(namespaces, netns);
}

static void add_those_of_processes(GArray *namespaces, unsigned int *hidden)
{
    const char *name;
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);

    while (dir && (name = g_dir_read_name(dir))) {
        struct stat st;
        if (strspn(name, "0123456789") != strlen(name)) {
            continue;
        }
        g_autofree char *path = g_strdup_printf("/proc/%s/ns/net", name);
        if (stat(path, &st) == 0) {
            add(namespaces, st.st_ino, g_steal_pointer(&path),
                g_strdup_printf("/proc/%s/net/packet", name));
        } else {
            *hidden += errno == EACCES || errno == EPERM;
        }
    }
}

static void add_those_with_a_name(GArray *namespaces)
{
    const char *name;
    g_autoptr(GDir) dir = g_dir_open(NETNS_DIR, 0, NULL);

    while (dir && (name = g_dir_read_name(dir))) {
        struct stat st;
        g_autofree char *path = g_build_filename(NETNS_DIR, name, NULL);
        if (stat(path, &st) == 0) {
            add(namespaces, st.st_ino, g_steal_pointer(&path), NULL);
        }
    }
}

GArray *zc_netns_list(unsigned int *hidden_out)
{
    struct stat st = { 0 };
    GArray *namespaces = g_array_new(FALSE, TRUE, sizeof(struct zc_netns));

    g_array_set_clear_func(namespaces, netns_clear);
    *hidden_out = 0;
    stat("/proc/thread-self/ns/net", &st);
    add(namespaces, st.st_ino, g_strdup("/proc/thread-self/ns/net"),
        g_strdup("/proc/thread-self/net/packet"));
    add_those_of_processes(namespaces, hidden_out);
    add_those_with_a_name(namespaces);
    return namespaces;
}

struct visit {
    int fd;
    void (*function)(void *data);
    void *data;
    int result;
};

static gpointer visit_thread(gpointer data)
{
    struct visit *visit = data;

    visit->result = setns(visit->fd, CLONE_NEWNET) == 0 ? 0 : -errno;
    if (visit->result == 0) {
        visit->function(visit->data);
    }
    return NULL;
}

int zc_netns_run(const struct zc_netns *netns, void (*function)(void *data), void *data)
{
    struct visit visit = { .fd = open(netns->path, O_RDONLY | O_CLOEXEC),
                           .function = function,
                           .data = data };

    if (visit.fd < 0) {
        return -errno;
    }
    GThread *thread = g_thread_try_new("zcmig-netns", visit_thread, &visit, NULL);
    if (thread) {
        g_thread_join(thread);
    }
    close(visit.fd);
    return thread ? visit.result : -EAGAIN;
}

static void read_links(void *data)
{
    zc_links_read(data, NULL);
}

static void read_space(struct zc_facts *facts, const struct zc_netns *netns)
{
    struct zc_space space = { .netns = netns->inode };
    int fd = open(netns->path, O_RDONLY | O_CLOEXEC);

    space.nsid = fd >= 0 ? zc_link_nsid(fd) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (space.nsid < 0) {
        return; /* no device of ours leads there */
    }
    space.links = g_array_new(FALSE, TRUE, sizeof(struct zc_link));
    if (zc_netns_run(netns, read_links, space.links) == 0) {
        g_array_append_val(facts->spaces, space);
    } else {
        g_array_unref(space.links);
    }
}

void zc_netns_read_spaces(struct zc_facts *facts, const GArray *namespaces)
{
    for (guint i = 0; i < namespaces->len; i++) {
        const struct zc_netns *netns = &g_array_index(namespaces, struct zc_netns, i);
        if (!netns->own) {
            read_space(facts, netns);
        }
    }
}

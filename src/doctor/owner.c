/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a socket's owner is found by its inode among the descriptors of all
 * processes.  Nothing in /proc or in sock_diag tells whether a packet socket
 * has set PACKET_IGNORE_OUTGOING; but whoever may trace the owner may take a
 * duplicate of the descriptor (pidfd_getfd, Linux 5.6) and ask the socket.
 */
#include "config.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor/tap.h"

#define LINK_TEXT_BYTES 64

static enum zc_answer ask_socket(pid_t pid, int their_fd)
{
    enum zc_answer answer = ZC_UNKNOWN;
    int ignores = 0;
    socklen_t length = sizeof(ignores);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, their_fd, 0);

    if (fd >= 0 && getsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignores, &length) == 0) {
        answer = ignores ? ZC_YES : ZC_NO;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    return answer;
}

void zc_owner_version(const char *status, const char *package, char *version_out, size_t size)
{
    g_autofree char *first = g_strdup_printf("Package: %s\n", package);
    g_autofree char *other = g_strdup_printf("\nPackage: %s\n", package);
    const char *entry = g_str_has_prefix(status, first) ? status : strstr(status, other);
    const char *end = entry ? strstr(entry, "\n\n") : NULL;
    const char *line = entry ? strstr(entry, "\nVersion: ") : NULL;

    version_out[0] = '\0';
    if (line && (!end || line < end)) {
        line += strlen("\nVersion: ");
        g_strlcpy(version_out, line, MIN(size, strcspn(line, "\n") + 1));
    }
}

/* Only lldpd's version decides anything.  Its own root: it may live in a container. */
static void read_version(struct zc_owner *owner)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/root/var/lib/dpkg/status", owner->pid);
    g_autofree char *status = NULL;

    if (strcmp(owner->process, "lldpd") == 0 && g_file_get_contents(path, &status, NULL, NULL)) {
        zc_owner_version(status, "lldpd", owner->version, sizeof(owner->version));
    }
}

static void add_owner(struct zc_tap *tap, pid_t pid, int their_fd)
{
    struct zc_owner owner = { .pid = pid };
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid);
    g_autofree char *comm = NULL;

    for (guint i = 0; i < tap->owners->len; i++) {
        if (g_array_index(tap->owners, struct zc_owner, i).pid == pid) {
            return;
        }
    }
    if (g_file_get_contents(path, &comm, NULL, NULL)) {
        g_strlcpy(owner.process, g_strchomp(comm), sizeof(owner.process));
    }
    read_version(&owner);
    g_array_append_val(tap->owners, owner);
    if (tap->ignores_outgoing == ZC_UNKNOWN) {
        tap->ignores_outgoing = ask_socket(pid, their_fd);
    }
}

/* The inode when /proc/PID/fd/N is a socket, else 0. */
static uint64_t socket_inode(const char *path)
{
    char text[LINK_TEXT_BYTES];
    uint64_t inode = 0;
    ssize_t length = readlink(path, text, sizeof(text) - 1);

    if (length > 0) {
        text[length] = '\0';
        if (sscanf(text, "socket:[%" G_GINT64_MODIFIER "u]", &inode) != 1) {
            inode = 0;
        }
    }
    return inode;
}

static void search_process(GArray *taps, const char *pid)
{
    const char *name;
    g_autofree char *dir_path = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(dir_path, 0, NULL);

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(dir_path, name, NULL);
        uint64_t inode = socket_inode(path);
        for (guint i = 0; inode != 0 && i < taps->len; i++) {
            struct zc_tap *tap = &g_array_index(taps, struct zc_tap, i);
            if (tap->inode == inode) {
                add_owner(tap, (pid_t)atoi(pid), atoi(name));
            }
        }
    }
}

void zc_owners_read(GArray *taps)
{
    const char *name;
    g_autoptr(GDir) dir = taps->len ? g_dir_open("/proc", 0, NULL) : NULL;

    while (dir && (name = g_dir_read_name(dir))) {
        if (g_ascii_isdigit(*name)) {
            search_process(taps, name);
        }
    }
}

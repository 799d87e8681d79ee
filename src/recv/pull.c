/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: process_vm_readv names a process by its number, and numbers are used
 * again.  The pidfd that the socket gives is opened while the source is
 * connected; as long as it says that the process lives, its number was nobody
 * else's.  So it is asked at each SYNC, behind the last fetch.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/iov.h"
#include "base/fd.h"
#include "recv/pull.h"
#include "wire/bytes.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define YAMA_SCOPE "/proc/sys/kernel/yama/ptrace_scope"
/* User space of every architecture ends below. */
#define ADDRESS_MAX (UINT64_C(1) << 63)

static int open_pidfd(int fd, pid_t pid)
{
    int pidfd = -1;
    socklen_t length = sizeof(pidfd);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0) {
        return pidfd;
    }
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* The kernel's word on who is at the other end. */
static bool find_process(struct zc_pull *pull, int fd, GError **error)
{
    struct ucred peer = { .pid = 0 };
    socklen_t length = sizeof(peer);
    int domain = AF_UNSPEC;
    socklen_t domain_length = sizeof(domain);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_length) < 0 || domain != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "the route pull needs a UNIX socket, by which the kernel says whose "
                        "memory to read");
    }
    if (peer.pid <= 0) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "the route pull cannot reach the source: it is a process of another PID "
                        "namespace");
    }
    pull->pid = peer.pid;
    pull->pidfd = open_pidfd(fd, peer.pid);
    return true;
}

static bool take_bases(struct zc_pull *pull, const uint8_t *bases, uint32_t n_bases, GError **error)
{
    pull->n_bases = n_bases;
    pull->bases = g_new(uint64_t, n_bases);
    for (uint32_t i = 0; i < n_bases; i++) {
        pull->bases[i] = zc_get_u64(bases + sizeof(uint64_t) * i);
        if (pull->bases[i] == 0 || pull->bases[i] % ZC_PAGE_BYTES != 0 ||
            pull->bases[i] >= ADDRESS_MAX) {
            return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                            "the route pull: got address 0x%" G_GINT64_MODIFIER
                            "x of block %u, allowed are those of pages",
                            pull->bases[i], i);
        }
    }
    return true;
}

bool zc_pull_open(struct zc_pull *pull, int fd, const uint8_t *bases, uint32_t n_bases,
                  GError **error)
{
    uint8_t byte;
    struct iovec local = { &byte, 1 };

    if (!find_process(pull, fd, error) || !take_bases(pull, bases, n_bases, error)) {
        return false;
    }
    struct iovec remote = { zc_pull_address(pull, 0, 0), 1 };
    int ret = zc_pull_fetch(pull, &local, 1, &remote, 1);
    if (ret < 0) {
        g_propagate_error(error, zc_pull_error(pull, ret));
        return false;
    }
    return true;
}

void zc_pull_clear(struct zc_pull *pull)
{
    zc_fd_clear(&pull->pidfd);
    g_clear_pointer(&pull->bases, g_free);
    pull->n_bases = 0;
}

bool zc_pull_check(const struct zc_pull *pull, const struct zc_ram *ram, GError **error)
{
    if (pull->n_bases != ram->n_blocks) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "the route pull: got addresses of %u blocks, allowed are those of the %u "
                        "in RAM",
                        pull->n_bases, ram->n_blocks);
    }
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        if (ram->blocks[i].used_bytes > ADDRESS_MAX - pull->bases[i]) {
            return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                            "the route pull: block '%s' of 0x%" G_GINT64_MODIFIER
                            "x bytes has no room at address 0x%" G_GINT64_MODIFIER "x",
                            ram->blocks[i].name, ram->blocks[i].used_bytes, pull->bases[i]);
        }
    }
    return true;
}

int zc_pull_fetch(const struct zc_pull *pull, struct iovec *local, unsigned int n_local,
                  struct iovec *remote, unsigned int n_remote)
{
    while (n_remote > 0) {
        ssize_t n = process_vm_readv(pull->pid, local, n_local, remote, n_remote, 0);
        if (n <= 0) {
            return n < 0 ? -errno : -EFAULT;
        }
        /* Short: the next call begins where it stopped, and tells why. */
        zc_iov_advance(&local, &n_local, (size_t)n);
        zc_iov_advance(&remote, &n_remote, (size_t)n);
    }
    return 0;
}

int zc_pull_confirm(const struct zc_pull *pull)
{
    struct pollfd exited = { .fd = pull->pidfd, .events = POLLIN };

    return pull->pidfd >= 0 && poll(&exited, 1, 0) > 0 ? -ESRCH : 0;
}

bool zc_pull_is_peer(const struct zc_pull *pull, int fd)
{
    struct ucred peer = { .pid = 0 };
    socklen_t length = sizeof(peer);

    return zc_pull_confirm(pull) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == pull->pid;
}

/* What this host's rule for reading other processes is. */
static const char *ptrace_advice(void)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(YAMA_SCOPE, &text, NULL, NULL) || text[0] == '0') {
        return "run both ends as the same user, the source not set-user-ID and dumpable, or this "
               "end with CAP_SYS_PTRACE";
    }
    if (text[0] == '1') {
        return "kernel.yama.ptrace_scope is 1: run both ends as the same user, and let a source "
               "that is no zcmig name this process with PR_SET_PTRACER, or run this end with "
               "CAP_SYS_PTRACE";
    }
    return text[0] == '2' ? "kernel.yama.ptrace_scope is 2: run this end with CAP_SYS_PTRACE"
                          : "kernel.yama.ptrace_scope is 3: nobody may, until the next boot";
}

GError *zc_pull_error(const struct zc_pull *pull, int ret)
{
    GError *error = NULL;

    if (ret == -EPERM) {
        zc_error_errno(&error, ZCMIG_ERROR_UNSUPPORTED, ret,
                       "cannot read the memory of the source, process %d (%s)", (int)pull->pid,
                       ptrace_advice());
    } else if (ret == -ENOSYS) {
        zc_error_errno(&error, ZCMIG_ERROR_UNSUPPORTED, ret, "this kernel has no process_vm_readv");
    } else if (ret == -ESRCH) {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, ret,
                       "the source, process %d, is gone or cannot be seen", (int)pull->pid);
    } else {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, ret,
                       "cannot fetch pages from the source, process %d", (int)pull->pid);
    }
    return error;
}

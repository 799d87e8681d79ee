/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "base/size.h"
#include "doctor/limit.h"

#define INITIAL_USER_NS_INODE                                                                      \
    0xEFFFFFFDu /* PROC_USER_INIT_INO: fixed by the kernel's interface                             \
                 */

/* The number in a file, or @missing. */
static int64_t read_number(const char *path, int64_t missing)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return missing;
    }
    return g_ascii_strtoll(text, NULL, 10);
}

/* CAP_IPC_LOCK counts for RLIMIT_MEMLOCK only in the initial user namespace. */
static bool read_ipc_lock(void)
{
    struct stat st;
    g_autofree char *status = NULL;

    if (stat("/proc/self/ns/user", &st) < 0 || st.st_ino != INITIAL_USER_NS_INODE ||
        !g_file_get_contents("/proc/thread-self/status", &status, NULL, NULL)) {
        return false;
    }
    const char *line = strstr(status, "\nCapEff:");
    uint64_t effective = line ? g_ascii_strtoull(line + strlen("\nCapEff:"), NULL, 16) : 0;
    return effective >> CAP_IPC_LOCK & 1;
}

static uint64_t read_huge_page_bytes(void)
{
    g_autofree char *mode = NULL;

    if (g_file_get_contents("/sys/kernel/mm/transparent_hugepage/enabled", &mode, NULL, NULL) &&
        !strstr(mode, "[never]")) {
        return (uint64_t)read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", 0);
    }
    return read_number("/proc/sys/vm/nr_hugepages", 0) > 0 ? 2 * ZC_MIB : 0;
}

void zc_limits_read(struct zc_limits *limits)
{
    struct utsname name;
    struct rlimit memlock = { .rlim_cur = 0 };

    memset(limits, 0, sizeof(*limits));
    if (uname(&name) == 0) {
        g_strlcpy(limits->release, name.release, sizeof(limits->release));
    }
    limits->optmem_max = (uint64_t)read_number("/proc/sys/net/core/optmem_max", 0);
    getrlimit(RLIMIT_MEMLOCK, &memlock);
    limits->memlock_bytes = memlock.rlim_cur == RLIM_INFINITY ? UINT64_MAX : memlock.rlim_cur;
    limits->ipc_lock = read_ipc_lock();
    limits->max_skb_frags = (unsigned int)read_number("/proc/sys/net/core/max_skb_frags", 0);
    limits->io_uring_disabled = (int)read_number("/proc/sys/kernel/io_uring_disabled", -1);
    limits->huge_page_bytes = read_huge_page_bytes();
    limits->uid = geteuid();
}

int zc_family_try(enum zc_family family)
{
    static const int domains[ZC_FAMILIES] = {
        [ZC_FAMILY_TCP4] = AF_INET,   [ZC_FAMILY_TCP6] = AF_INET6, [ZC_FAMILY_UDP] = AF_INET,
        [ZC_FAMILY_VSOCK] = AF_VSOCK, [ZC_FAMILY_UNIX] = AF_UNIX,
    };
    int one = 1;
    int type = family == ZC_FAMILY_UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(domains[family], type | SOCK_CLOEXEC, 0);
    int result = 0;

    if (fd < 0) {
        return errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0) {
        result = errno;
    }
    close(fd);
    return result;
}

#ifdef HAVE_LIBURING

#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3) /* Linux 6.2 */
#endif
#define ANSWER_WAIT_S 1

/* A kernel that does not know the flag refuses it before it looks for the socket, which there is
 * none. */
static bool knows_report_usage(struct io_uring *ring)
{
    struct __kernel_timespec limit = { .tv_sec = ANSWER_WAIT_S };
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    struct io_uring_cqe *cqe;

    io_uring_prep_send_zc(sqe, -1, "", 1, 0, IORING_SEND_ZC_REPORT_USAGE);
    return io_uring_submit(ring) == 1 && io_uring_wait_cqe_timeout(ring, &cqe, &limit) == 0 &&
           cqe->res == -EBADF;
}

void zc_uring_read(struct zc_uring *uring)
{
    struct io_uring ring;

    *uring = (struct zc_uring){ .saved_errno = -io_uring_queue_init(2, &ring, 0) };
    if (uring->saved_errno != 0) {
        return;
    }
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
    uring->sendmsg_zc = probe && io_uring_opcode_supported(probe, IORING_OP_SENDMSG_ZC);
    io_uring_free_probe(probe);
    uring->tells_usage = uring->sendmsg_zc && knows_report_usage(&ring);
    io_uring_queue_exit(&ring);
}

#else

void zc_uring_read(struct zc_uring *uring)
{
    *uring = (struct zc_uring){ .saved_errno = ENOTSUP };
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/clock.h"
#include "lib/netns.h"

/* Linux 5.18; newer than the headers that we may be built with */
#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif
#define XDP_FLAGS_GENERIC (1U << 1)

struct netns_reader {
    GThread *thread;
    int fd;
    uint8_t counted_byte;
    uint64_t bytes;
    uint64_t counted;
};

void netns_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;

    printf("FAIL: %s:%d: not %s: ", file, line, condition);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _exit(EXIT_FAILURE);
}

void netns_skip(const char *kind, const char *format, ...)
{
    const char *required = getenv("ZC_REQUIRED_TESTS");
    g_auto(GStrv) kinds = g_strsplit(required ? required : "", ",", -1);
    bool fail = g_strv_contains((const char *const *)kinds, "all") ||
                g_strv_contains((const char *const *)kinds, kind);
    va_list args;

    printf(fail ? "FAIL (required): " : "SKIP: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _exit(fail ? EXIT_FAILURE : 77);
}

static void set_lo_up(void)
{
    struct ifreq request = { .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, "lo", sizeof(request.ifr_name));
    netns_check(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo: %s", strerror(errno));
    close(fd);
}

void netns_enter(const char *kind)
{
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        netns_skip(kind, "no network namespace: unshare: %s", strerror(errno));
    }
    set_lo_up();
}

int netns_attach_xdp(void)
{
    struct bpf_insn program[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
        { .code = BPF_JMP | BPF_EXIT },
    };
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_XDP,
        .insn_cnt = G_N_ELEMENTS(program),
        .insns = (uintptr_t)program,
        .license = (uintptr_t) "GPL",
        .prog_flags = BPF_F_XDP_HAS_FRAGS,
        .expected_attach_type = BPF_XDP,
    };
    int program_fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

    if (program_fd < 0) {
        return -errno;
    }
    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)program_fd;
    attr.link_create.target_ifindex = if_nametoindex("lo");
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = XDP_FLAGS_GENERIC;
    int link = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
    int ret = link < 0 ? -errno : link;
    close(program_fd);
    return ret;
}

void netns_tcp_pair(const char *address, int *sender_out, int *receiver_out)
{
    bool v6 = strchr(address, ':');
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = { .any.sa_family = v6 ? AF_INET6 : AF_INET };
    socklen_t length = v6 ? sizeof(at.v6) : sizeof(at.v4);
    void *bytes = v6 ? (void *)&at.v6.sin6_addr : (void *)&at.v4.sin_addr;

    netns_check(inet_pton(at.any.sa_family, address, bytes) == 1, "%s", address);
    int listener = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    netns_check(bind(listener, &at.any, length) == 0, "bind: %s", strerror(errno));
    netns_check(listen(listener, 1) == 0, "listen: %s", strerror(errno));
    getsockname(listener, &at.any, &length);
    *sender_out = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    netns_check(connect(*sender_out, &at.any, length) == 0, "connect: %s", strerror(errno));
    *receiver_out = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    netns_check(*receiver_out >= 0, "accept: %s", strerror(errno));
    close(listener);
    fcntl(*sender_out, F_SETFL, O_NONBLOCK);
}

bool netns_force_sndbuf(int fd, int bytes)
{
    return setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) == 0;
}

void netns_become_limited_user(uint64_t memlock_bytes)
{
    struct rlimit limit = { memlock_bytes, memlock_bytes };
    uid_t user = 60000 + (uid_t)(getpid() % 5000);

    netns_check(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "setrlimit: %s", strerror(errno));
    if (geteuid() != 0) {
        return; /* capabilities of a user namespace do not lift the limit */
    }
    netns_check(setgroups(0, NULL) == 0, "setgroups: %s", strerror(errno));
    netns_check(setresgid(user, user, user) == 0, "setresgid: %s", strerror(errno));
    netns_check(setresuid(user, user, user) == 0, "setresuid: %s", strerror(errno));
}

uint8_t *netns_memory(size_t bytes, int byte)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    netns_check(memory != MAP_FAILED, "mmap: %s", strerror(errno));
    return memset(memory, byte, bytes);
}

void netns_enable_zerocopy(int fd)
{
    int one = 1;

    netns_check(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0, "SO_ZEROCOPY: %s",
                strerror(errno));
}

ssize_t netns_raw_send(int fd, const void *memory, size_t bytes)
{
    ssize_t sent = send(fd, memory, bytes, MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL);

    return sent < 0 ? -errno : sent;
}

int netns_wait_note(int fd, int ms, struct zc_note *note_out)
{
    struct pollfd poll_fd = { .fd = fd };
    zc_deadline deadline = zc_deadline_in(ms);

    for (;;) {
        int ret = zc_errqueue_read(&zc_net_kernel, fd, note_out);
        if (ret == 1) {
            return 1;
        }
        netns_check(ret == 0 || ret == -EAGAIN, "error queue: %s", strerror(-ret));
        int64_t now = zc_clock_now_ns();
        if (now >= deadline) {
            return 0;
        }
        poll(&poll_fd, 1, zc_deadline_poll_ms(deadline, now));
        if (!(poll_fd.revents & POLLERR)) {
            poll(NULL, 0, 1); /* hung up: poll does not wait any more */
        }
    }
}

static gpointer read_all(gpointer data)
{
    struct netns_reader *reader = data;
    g_autofree uint8_t *buffer = g_malloc(1 << 20);
    ssize_t got;

    while ((got = read(reader->fd, buffer, 1 << 20)) > 0) {
        reader->bytes += (uint64_t)got;
        for (ssize_t i = 0; i < got; i++) {
            reader->counted += buffer[i] == reader->counted_byte;
        }
    }
    return NULL;
}

struct netns_reader *netns_reader_start(int fd, uint8_t counted)
{
    struct netns_reader *reader = g_new0(struct netns_reader, 1);

    reader->fd = fd;
    reader->counted_byte = counted;
    reader->thread = g_thread_new("reader", read_all, reader);
    return reader;
}

void netns_reader_join(struct netns_reader *reader, uint64_t *bytes_out, uint64_t *counted_out)
{
    g_thread_join(reader->thread);
    if (bytes_out) {
        *bytes_out = reader->bytes;
    }
    if (counted_out) {
        *counted_out = reader->counted;
    }
    close(reader->fd);
    g_free(reader);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each engine on the real kernel: the bytes arrive, a drain waits for a peer that stalls, memory
 * is free after it (for splice over TCP it is not: that is why the channel asks for a promise),
 * io_uring says y on the rig that keeps pages, and an engine that is forbidden says so.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "netns/channel-rig-kernel.h"

#define PACKETS 64u

static struct zc_budget budget;

static const char *engine_of(struct zc_channel *channel)
{
    const char *why_not;

    return zc_channel_engine(channel, &why_not);
}

static void make_pair(int family, int *sender_out, int *receiver_out)
{
    int pair[2];

    if (family == AF_INET) {
        netns_tcp_pair("127.0.0.1", sender_out, receiver_out);
        return;
    }
    netns_check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *sender_out = pair[0];
    *receiver_out = pair[1];
}

/* All bytes arrive; the counters of the whole run.  @wanted: the engine must be in use. */
static struct zc_channel_counters deliver(int family, enum zc_engine_kind engine,
                                          const char *wanted)
{
    uint8_t *memory = netns_memory(PACKET_BYTES, 0x5a);
    struct zc_channel_counters counters;
    uint64_t bytes, right;
    int sender, receiver, ret = 0;

    make_pair(family, &sender, &receiver);
    struct zc_channel *channel = open_engine(sender, engine, true, ZC_ZEROCOPY_ON, &budget);
    netns_check(strcmp(engine_of(channel), wanted) == 0, "got engine %s", engine_of(channel));
    struct netns_reader *reader = netns_reader_start(receiver, 0x5a);
    for (unsigned int i = 0; i < PACKETS && ret == 0; i++) {
        ret = send_packet(channel, memory, PACKET_BYTES, 10000);
    }
    netns_check(ret == 0, "send: %d", ret);
    ret = zc_channel_drain(channel, zc_deadline_in(10000));
    netns_check(ret == 0, "drain: %d", ret);
    zc_channel_counters(channel, &counters);
    zc_channel_free(channel);
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, &bytes, &right);
    close(sender);
    netns_check(bytes == PACKETS * (uint64_t)(PACKET_BYTES + HEADER_BYTES), "got %llu bytes",
                (unsigned long long)bytes);
    netns_check(right == PACKETS * (uint64_t)PACKET_BYTES, "%llu bytes right",
                (unsigned long long)right);
    netns_check(counters.zerocopy.completed == counters.zerocopy.calls, "calls without a note");
    netns_check(budget.held_pages == 0, "pages left in the budget");
    return counters;
}

/*
 * A peer that does not read: whether a drain waits for it; then bytes that arrive wrong when the
 * memory gets new content once a drain has returned 0.
 */
static uint64_t reuse_after_drain(int family, enum zc_engine_kind engine, bool *waited_out)
{
    uint8_t *memory = netns_memory(PACKET_BYTES, 0xaa);
    uint64_t bytes, overwritten;
    struct netns_reader *reader = NULL;
    int sender, receiver;

    make_pair(family, &sender, &receiver);
    struct zc_channel *channel = open_engine(sender, engine, true, ZC_ZEROCOPY_ON, &budget);
    int ret = send_packet(channel, memory, 64 * 1024, 5000); /* fits into the peer's queue */
    netns_check(ret == 0, "send: %d", ret);
    ret = zc_channel_drain(channel, zc_deadline_in(200));
    netns_check(ret == 0 || ret == -ETIMEDOUT, "drain: %d", ret);
    *waited_out = ret == -ETIMEDOUT;
    if (*waited_out) {
        reader = netns_reader_start(receiver, 0xbb);
        ret = zc_channel_drain(channel, zc_deadline_in(10000));
        netns_check(ret == 0, "drain with a reader: %d", ret);
    }
    memset(memory, 0xbb, PACKET_BYTES);
    zc_channel_free(channel);
    shutdown(sender, SHUT_WR);
    reader = reader ? reader : netns_reader_start(receiver, 0xbb);
    netns_reader_join(reader, &bytes, &overwritten);
    close(sender);
    return overwritten;
}

static void check_lifetimes(bool has_uring)
{
    bool waited;
    uint64_t wrong = reuse_after_drain(AF_UNIX, ZC_ENGINE_SPLICE, &waited);

    netns_check(waited, "splice over UNIX: the drain did not wait for the peer to read");
    netns_check(wrong == 0, "splice over UNIX: %llu bytes wrong", (unsigned long long)wrong);
    wrong = reuse_after_drain(AF_INET, ZC_ENGINE_ZEROCOPY, &waited);
    netns_check(wrong == 0, "zerocopy: %llu bytes wrong", (unsigned long long)wrong);
    if (has_uring) {
        wrong = reuse_after_drain(AF_INET, ZC_ENGINE_IO_URING, &waited);
        netns_check(wrong == 0, "io_uring: %llu bytes wrong", (unsigned long long)wrong);
    }
    wrong = reuse_after_drain(AF_INET, ZC_ENGINE_SPLICE, &waited);
    printf("splice over TCP on lo, memory reused after a drain: %llu bytes wrong\n",
           (unsigned long long)wrong);
    netns_check(wrong > 0, "the promise would not be needed over TCP");

    int sender, receiver;
    make_pair(AF_INET, &sender, &receiver);
    struct zc_channel *channel =
        open_engine(sender, ZC_ENGINE_SPLICE, false, ZC_ZEROCOPY_ON, &budget);
    netns_check(strcmp(engine_of(channel), "zerocopy") == 0, "no promise, engine %s",
                engine_of(channel));
    zc_channel_free(channel);
    close(sender);
    close(receiver);
}

/* In a child that may not use io_uring. */
static void check_forbidden(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { G_N_ELEMENTS(code), code };
    const char *why_not;
    int sender, receiver;

    netns_check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    netns_check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
    make_pair(AF_INET, &sender, &receiver);
    struct zc_channel *channel =
        open_engine(sender, ZC_ENGINE_IO_URING, true, ZC_ZEROCOPY_ON, &budget);
    netns_check(strcmp(zc_channel_engine(channel, &why_not), "zerocopy") == 0, "engine");
    netns_check(strstr(why_not, "forbidden") || strstr(why_not, "without liburing"), "got '%s'",
                why_not);
    zc_channel_free(channel);
    deliver(AF_INET, ZC_ENGINE_IO_URING, "zerocopy");
}

static void run_child(void (*check)(void))
{
    int status = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        check();
        fflush(stdout);
        _exit(0);
    }
    netns_check(waitpid(child, &status, 0) == child && status == 0, "status %#x", status);
}

/* Empty when io_uring can be used here. */
static const char *why_no_uring(void)
{
    const char *why_not;
    int sender, receiver;

    make_pair(AF_INET, &sender, &receiver);
    struct zc_channel *channel =
        open_engine(sender, ZC_ENGINE_IO_URING, true, ZC_ZEROCOPY_ON, &budget);
    zc_channel_engine(channel, &why_not);
    zc_channel_free(channel);
    close(sender);
    close(receiver);
    return why_not;
}

int main(void)
{
    struct zc_channel_counters counters;

    netns_enter("netns");
    zc_budget_init(&budget);
    const char *no_uring = why_no_uring();

    deliver(AF_INET, ZC_ENGINE_COPY, "copy");
    deliver(AF_INET, ZC_ENGINE_ZEROCOPY, "zerocopy");
    deliver(AF_UNIX, ZC_ENGINE_COPY, "copy");
    deliver(AF_UNIX, ZC_ENGINE_IO_URING, "copy");
    counters = deliver(AF_UNIX, ZC_ENGINE_SPLICE, "splice");
    netns_check(counters.splice_bytes == PACKETS * (uint64_t)PACKET_BYTES, "not all by splice");
    counters = deliver(AF_INET, ZC_ENGINE_SPLICE, "splice");
    netns_check(counters.splice_bytes == PACKETS * (uint64_t)PACKET_BYTES, "not all by splice");
    if (!*no_uring) {
        counters = deliver(AF_INET, ZC_ENGINE_IO_URING, "io_uring");
        netns_check(counters.zerocopy.copied_max > 0, "lo copies, and it was not noted");
    }
    check_lifetimes(!*no_uring);
    run_child(check_forbidden);

    if (*no_uring) {
        netns_skip("netns", "the other engines passed; io_uring: %s", no_uring);
    }
    int link = netns_attach_xdp();
    if (link < 0) {
        netns_skip("netns", "loopback part passed; no XDP program on lo: %s", strerror(-link));
    }
    counters = deliver(AF_INET, ZC_ENGINE_IO_URING, "io_uring");
    printf("io_uring on the rig: %llu calls, %llu to %llu copied\n",
           (unsigned long long)counters.zerocopy.calls,
           (unsigned long long)counters.zerocopy.copied_min,
           (unsigned long long)counters.zerocopy.copied_max);
    netns_check(counters.zerocopy.copied_min == 0, "copied");
    close(link);
    return 0;
}

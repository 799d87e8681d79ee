/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zcmig/bench.h>

#include "base/error.h"
#include "bench/datagram.h"
#include "bench/sink.h"
#include "net/addr.h"
#include "net/io.h"
#include "net/ops.h"

#define BUFFER_BYTES (256u * 1024)

struct zc_sink_thread {
    int fd;
    bool datagrams;
    int cpu;
    int wake_fd;
    GThread *thread;
};

struct zcmig_bench_sink {
    struct zc_addr addr;
    bool datagrams;
    char *address;
    int fd;
    zcmig_bench_ended ended;
    void *ended_data;
};

int zc_bench_pin(int cpu)
{
    cpu_set_t cpus;

    if (cpu < 0) {
        return 0;
    }
    CPU_ZERO(&cpus);
    CPU_SET((unsigned int)cpu, &cpus);
    return sched_setaffinity(0, sizeof(cpus), &cpus) < 0 ? -errno : 0;
}

int zc_sink_drain(int fd, int wake_fd, uint64_t *reads, uint64_t *bytes)
{
    g_autofree uint8_t *buffer = g_malloc(BUFFER_BYTES);
    ssize_t got;

    do {
        got = zc_io_read_some(fd, buffer, BUFFER_BYTES, ZC_DEADLINE_NEVER, wake_fd);
        *reads += got > 0;
        *bytes += got > 0 ? (uint64_t)got : 0;
    } while (got > 0);
    return (int)got;
}

static gpointer sink_run(gpointer data)
{
    struct zc_sink_thread *thread = data;
    uint64_t reads = 0, bytes = 0;

    zc_bench_pin(thread->cpu); /* the sender has seen that there is such a CPU */
    if (thread->datagrams) {
        zc_datagram_serve(thread->fd, thread->wake_fd, NULL, NULL);
    } else {
        zc_sink_drain(thread->fd, thread->wake_fd, &reads, &bytes);
    }
    close(thread->fd);
    return NULL;
}

struct zc_sink_thread *zc_sink_thread_start(int fd, bool datagrams, int cpu)
{
    struct zc_sink_thread *thread = g_new0(struct zc_sink_thread, 1);

    thread->fd = fd;
    thread->datagrams = datagrams;
    thread->cpu = cpu;
    thread->wake_fd = eventfd(0, EFD_CLOEXEC);
    thread->thread = g_thread_new("zcmig-sink", sink_run, thread);
    return thread;
}

void zc_sink_thread_stop(struct zc_sink_thread *thread)
{
    eventfd_write(thread->wake_fd, 1);
    g_thread_join(thread->thread);
    close(thread->wake_fd);
    g_free(thread);
}

zcmig_bench_sink *zcmig_bench_sink_new(const char *listen, GError **error)
{
    zcmig_bench_sink *sink = g_new0(zcmig_bench_sink, 1);

    sink->fd = -1;
    sink->datagrams = zc_datagram_is_uri(listen);
    if (sink->datagrams) {
        sink->fd = zc_datagram_bind(listen, &sink->address, error);
        if (sink->fd < 0) {
            zcmig_bench_sink_free(sink);
            return NULL;
        }
        return sink;
    }
    if (!zc_addr_parse(listen, &sink->addr, error) ||
        (sink->fd = zc_addr_listen(&sink->addr, 16, false, &sink->address, error)) < 0) {
        zcmig_bench_sink_free(sink);
        return NULL;
    }
    return sink;
}

void zcmig_bench_sink_free(zcmig_bench_sink *sink)
{
    if (sink) {
        if (sink->fd >= 0 && sink->datagrams) {
            close(sink->fd);
        } else if (sink->fd >= 0) {
            zc_addr_unlisten(&sink->addr, sink->fd);
        }
        zc_addr_clear(&sink->addr);
        g_free(sink->address);
        g_free(sink);
    }
}

const char *zcmig_bench_sink_get_address(const zcmig_bench_sink *sink)
{
    return sink->address;
}

void zcmig_bench_sink_set_ended(zcmig_bench_sink *sink, zcmig_bench_ended ended, void *data)
{
    sink->ended = ended;
    sink->ended_data = data;
}

static void tell_ended(zcmig_bench_sink *sink, uint64_t reads, uint64_t bytes)
{
    if (sink->ended) {
        sink->ended(reads, bytes, sink->ended_data);
    }
}

static void datagrams_ended(const struct zc_datagram_count *count, void *data)
{
    tell_ended(data, count->datagrams, count->bytes);
}

bool zcmig_bench_sink_serve(zcmig_bench_sink *sink, int wake_fd, GError **error)
{
    const struct zc_net *net = &zc_net_kernel;

    if (sink->datagrams) {
        int ret = zc_datagram_serve(sink->fd, wake_fd, datagrams_ended, sink);
        return ret == 0 ||
               zc_error_errno(error, ZCMIG_ERROR_FAILED, ret, "cannot read from %s", sink->address);
    }
    for (;;) {
        struct pollfd fds[] = { { .fd = sink->fd, .events = POLLIN },
                                { .fd = wake_fd, .events = POLLIN } };
        int ret = net->ops->poll(net->ctx, fds, 2, -1);
        if (ret < 0) {
            return zc_error_errno(error, ZCMIG_ERROR_FAILED, ret, "cannot wait on %s",
                                  sink->address);
        }
        if (fds[1].revents) {
            return true;
        }
        int fd = accept4(sink->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            uint64_t reads = 0, bytes = 0;
            zc_sink_drain(fd, wake_fd, &reads, &bytes); /* how it ended is the sender's to tell */
            close(fd);
            tell_ended(sink, reads, bytes);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            return zc_error_errno(error, ZCMIG_ERROR_CONNECT, -errno, "cannot accept on %s",
                                  sink->address);
        }
    }
}

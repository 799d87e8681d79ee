/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an engine costs the sender on a given path: the same bytes by each, runs
 * of the engines interleaved, so that what else happens on the machine meets
 * all of them.
 *
 *     struct zcmig_bench_options options;
 *     zcmig_bench_options_init(&options);
 *     options.destination = "tcp:10.0.0.2:4444";
 *     g_autoptr(zcmig_bench) bench = zcmig_bench_run(&options, &error);
 *
 * There must be a sink at the destination (zcmig_bench_sink_serve): it reads
 * all and closes, and only then has a run ended.  Of datagrams it says how many came.
 */
#ifndef ZCMIG_BENCH_H
#define ZCMIG_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include <zcmig/zcmig.h>

G_BEGIN_DECLS

#define ZCMIG_BENCH_CHUNKS_MAX 16
#define ZCMIG_BENCH_CHUNK_BYTES_MAX (16u << 20)

/* Ways to the sink that a bench without a destination makes in this process. */
enum zcmig_bench_way {
    ZCMIG_BENCH_IPV4, /* 127.0.0.1 */
    ZCMIG_BENCH_IPV6, /* ::1 */
    ZCMIG_BENCH_UNIX, /* a pair of sockets */
    ZCMIG_BENCH_VSOCK, /* CID 1: vsock inside this kernel */
    ZCMIG_BENCH_UDP_IPV4, /* datagrams: nothing slows the sender down, and what is too much is lost */
    ZCMIG_BENCH_UDP_IPV6,
    ZCMIG_BENCH_N_WAYS,
};

struct zcmig_bench_options {
    /* URI: tcp:HOST:PORT unix:PATH vsock:CID:PORT udp:HOST:PORT; NULL: own sinks */
    const char *destination;
    unsigned int ways;       /* without destination: bits 1 << enum zcmig_bench_way */
    unsigned int engines;    /* bits 1 << enum zcmig_engine, AUTO excepted */
    bool skip_absent;        /* a way that this machine does not have is skipped, not an error */
    uint64_t chunk_bytes[ZCMIG_BENCH_CHUNKS_MAX]; /* of one call; the first n_chunks */
    unsigned int n_chunks;   /* 0: 512 KiB, of datagrams 60 KiB */
    unsigned int udp_segment_bytes; /* a call is cut into datagrams of this size; 0: it is one */
    bool unregistered;       /* io_uring does not register the memory */
    uint64_t bytes;          /* of a run */
    /* Chunks are taken from so much memory in turn; 0: always the same one, as the self-test does. */
    uint64_t memory_bytes;
    bool small_pages;        /* of 4 KiB; otherwise huge ones, where the kernel gives them */
    unsigned int runs;       /* of each combination */
    int cpu;                 /* the sending thread runs there; -1: anywhere */
    int sink_cpu;            /* own sinks run there */
    int64_t stall_timeout_ms;
};

/* One run, or the medians of all runs of a combination. */
struct zcmig_bench_row {
    const char *way;     /* "ipv4", "ipv6", "unix", "vsock", "udp4", "udp6", or the destination */
    const char *engine;  /* asked for */
    const char *used;    /* what it came to, and why */
    const char *why_not;
    const char *verdict; /* "y", "n", "mixed", "unknown"; "-" where zero-copy was not asked for */
    uint64_t chunk_bytes;
    unsigned int run;    /* from 0; in medians the number of runs */
    uint64_t bytes;
    uint64_t calls;      /* that sent something */
    uint64_t completions; /* zero-copy calls that were noted */
    uint64_t copied_min; /* of them */
    uint64_t copied_max;
    uint64_t registered_bytes; /* sent by io_uring from memory that was pinned beforehand */
    const char *unregistered; /* why memory could not be, or "" */
    int64_t lost_bytes;  /* of datagrams, by the sink's count; -1: it did not answer */
    int64_t real_ns;     /* until the sink had all */
    int64_t user_ns;     /* of the sending thread */
    int64_t sys_ns;
};

typedef struct zcmig_bench zcmig_bench;

void zcmig_bench_options_init(struct zcmig_bench_options *options);

/* Blocks.  Errors: USAGE, CONNECT, DISCONNECTED, TIMEOUT, UNSUPPORTED. */
zcmig_bench *zcmig_bench_run(const struct zcmig_bench_options *options, GError **error);
void zcmig_bench_free(zcmig_bench *bench);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zcmig_bench, zcmig_bench_free)

/* In the order in which they were made; the bench's own. */
const struct zcmig_bench_row *zcmig_bench_get_runs(const zcmig_bench *bench, unsigned int *n_out);
/* One row a combination: each figure is the median of its own. */
const struct zcmig_bench_row *zcmig_bench_get_medians(const zcmig_bench *bench,
                                                      unsigned int *n_out);

/* How many bytes there are to send from, and how many of them have huge pages. */
uint64_t zcmig_bench_get_memory(const zcmig_bench *bench, uint64_t *huge_bytes_out);

/* "vsock: cannot listen ...": the ways that were skipped, and why; ends with NULL.  The bench's. */
const char *const *zcmig_bench_get_skipped(const zcmig_bench *bench);

typedef struct zcmig_bench_sink zcmig_bench_sink;

/* A sender has ended: reads that got something (of datagrams: their number), and bytes. */
typedef void (*zcmig_bench_ended)(uint64_t reads, uint64_t bytes, void *data);

/* Listens at tcp:, unix:, vsock: or udp:.  Errors: USAGE, CONNECT, UNSUPPORTED. */
zcmig_bench_sink *zcmig_bench_sink_new(const char *listen, GError **error);
void zcmig_bench_sink_free(zcmig_bench_sink *sink);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zcmig_bench_sink, zcmig_bench_sink_free)
/* The URI to connect to, with the real port.  The sink's own. */
const char *zcmig_bench_sink_get_address(const zcmig_bench_sink *sink);
/* Before serve; called in its thread. */
void zcmig_bench_sink_set_ended(zcmig_bench_sink *sink, zcmig_bench_ended ended, void *data);
/*
 * Reads what comes and throws it away, one connection after the other, until @wake_fd turns
 * readable (-1: for ever; true), or it fails.  Blocks.
 */
bool zcmig_bench_sink_serve(zcmig_bench_sink *sink, int wake_fd, GError **error);

G_END_DECLS

#endif

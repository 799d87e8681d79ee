/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libzcmig: the RAM of virtual machines between processes and hosts, over
 * zero-copy sockets, in QEMU's own migration protocol.
 *
 * A session is one end of one migration.  Make it, run it (blocking, in a
 * thread of the caller's), watch it from any other thread, cancel it from
 * anywhere, free it:
 *
 *     struct zcmig_recv_options options;
 *     zcmig_recv_options_init(&options);
 *     options.listen = "tcp:127.0.0.1:0";
 *     options.output = "guest.img";
 *     g_autoptr(zcmig_session) session = zcmig_recv_new(&options, &error);
 *     if (session && zcmig_session_run(session, &error)) ...
 */
#ifndef ZCMIG_ZCMIG_H
#define ZCMIG_ZCMIG_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include <zcmig/error.h>

G_BEGIN_DECLS

#define ZCMIG_CHANNELS_MAX 64

enum zcmig_zerocopy {
    ZCMIG_ZEROCOPY_OFF,
    ZCMIG_ZEROCOPY_AUTO, /* while the kernel really does it; the default */
    ZCMIG_ZEROCOPY_ON,   /* keep asking even when the kernel copies */
};

/* How pages get into a socket; one that cannot be had here is replaced by ZEROCOPY or COPY. */
enum zcmig_engine {
    ZCMIG_ENGINE_AUTO, /* zero-copy where it works, else copy; the default */
    ZCMIG_ENGINE_COPY,
    ZCMIG_ENGINE_ZEROCOPY, /* sendmsg with MSG_ZEROCOPY */
    ZCMIG_ENGINE_IO_URING, /* io_uring's SENDMSG_ZC */
    ZCMIG_ENGINE_SPLICE,   /* vmsplice and splice; over TCP for RAM that stands still only */
};

enum zcmig_verify {
    ZCMIG_VERIFY_OFF,
    ZCMIG_VERIFY_AFTER,  /* the manifest follows once the destination has the RAM; the default */
    ZCMIG_VERIFY_BEFORE, /* the destination compares before it says that it has it */
};

/* How the pages get from process to process. */
enum zcmig_route {
    ZCMIG_ROUTE_SOCKET, /* over the channels; the default */
    /*
     * On one host, over a unix: address: the channels carry lists of pages, and the destination
     * fetches them from the source's memory, with one copy (process_vm_readv).  The kernel has to
     * let it: as a rule both run as the same user.
     */
    ZCMIG_ROUTE_PULL,
    /*
     * On one host, over a unix: address or a UNIX socket: no page moves.  The destination gets the
     * descriptor of a live guest's RAM and goes on in the very same memory (guest:...,memory=memfd).
     */
    ZCMIG_ROUTE_MEMFD,
};

/* "socket", "pull", "memfd". */
const char *zcmig_route_name(enum zcmig_route route);

/* How the pages are found that a live guest writes. */
enum zcmig_tracker {
    ZCMIG_TRACKER_AUTO,  /* scan where the kernel has it, else fault; the default */
    ZCMIG_TRACKER_SCAN,  /* PAGEMAP_SCAN, Linux 6.7 */
    ZCMIG_TRACKER_FAULT, /* a thread resolves each first write, Linux 5.7 */
};

/* What becomes of a live guest that cannot be moved within its downtime limit. */
enum zcmig_timeout_policy {
    ZCMIG_TIMEOUT_CANCEL,     /* it stays where it is; the default */
    ZCMIG_TIMEOUT_SWITCHOVER, /* it is moved, and stands still for longer */
};

/* ----------------------------------------------------------------- options */

struct zcmig_send_options {
    const char *source;      /* URI: file:IMAGE dir:SNAPSHOT guest:SIZE[,...] */
    const char *destination; /* URI: tcp:HOST:PORT unix:PATH vsock:CID:PORT fd:N null: */
    unsigned int channels;   /* 1 to ZCMIG_CHANNELS_MAX; 0: as many as CPUs, 8 at most */
    enum zcmig_zerocopy zerocopy;
    enum zcmig_engine engine;
    enum zcmig_verify verify;
    bool plain;              /* no channels: pages on the main connection, for a peer without multifd */
    enum zcmig_route route;  /* the destination follows it */
    uint64_t max_bandwidth;  /* bytes/s over all channels; 0: no limit */
    int64_t connect_timeout_ms;
    int64_t stall_timeout_ms; /* give up when the peer takes nothing for so long */
    unsigned int packet_pages; /* 1 to 128: pages in a packet */
    bool merge_pages;        /* adjacent pages in one iovec; false only to measure what it saves */
    /* of a live guest */
    /* switch over when it would stand still no longer, and little shorter later; 0 to 3600000 */
    int64_t downtime_limit_ms;
    int64_t timeout_ms;        /* for the whole migration; 0: as long as it gets better */
    enum zcmig_timeout_policy timeout_policy;
    bool auto_converge;        /* slow the guest down when it writes faster than it can be sent */
    enum zcmig_tracker tracker;
    /*
     * Of a live guest: when the connections are cut, make them anew for so long and go on where it
     * was, if the destination keeps the session, too; 0: a cut ends it.  To 86400000.
     */
    int64_t reconnect_ms;
    int64_t run_for_ms;        /* a guest that stays runs on for so long; then its RAM is checked */
    const char *uuid;        /* of the session, 36 characters; NULL: a random one */
};

struct zcmig_recv_options {
    const char *listen;      /* URI: tcp:HOST:PORT (port 0: any) unix:PATH vsock:CID:PORT fd:N */
    const char *output;      /* path of the image file, dir:SNAPSHOT, or null: (pages are digested
                              * and gone); NULL: memory only, dropped in the end */
    bool overwrite;          /* replace an existing output */
    uint64_t max_ram_bytes;  /* refuse a peer that announces more; 0: what this host can hold */
    unsigned int channels;   /* multifd channels to expect from a stock QEMU; 0: learn */
    enum zcmig_verify verify; /* OFF: record no digests, whatever the peer would send */
    bool populate;           /* make memory resident ahead of the data; false only to measure */
    bool allow_wildcard;     /* listen on every address without TLS */
    int64_t run_for_ms;      /* a live guest that came runs for so long; then its RAM is checked */
    int64_t reconnect_ms;      /* of a live guest: wait so long for a source that was cut off */
    int64_t accept_timeout_ms; /* for the first connection; -1: wait for ever */
    int64_t stall_timeout_ms;
    const char *uuid;        /* accept this session only; NULL: the first that comes */
    /*
     * The monitor of the source QEMU, SOCKET[,way=WAY][,pid=PID], on which nobody else is: its
     * guest's RAM is compared with what arrived, when verify says.  BEFORE: before the source is
     * told that it arrived, so that its guest runs on if it did not.  NULL: a stock source proves
     * nothing.
     */
    const char *source_qmp;
    /*
     * Acknowledge the switchover to a stock source whose machine type does not tell whether it may be
     * waited for: true only if its capability switchover-ack is on.
     */
    bool switchover_ack;
};

/* Fill in the defaults.  Strings are borrowed until zcmig_send_new / zcmig_recv_new return. */
void zcmig_send_options_init(struct zcmig_send_options *options);
void zcmig_recv_options_init(struct zcmig_recv_options *options);

/* ----------------------------------------------------------------- session */

typedef struct zcmig_session zcmig_session;

/* Opens the source; nothing is sent yet.  Errors: USAGE, SOURCE. */
zcmig_session *zcmig_send_new(const struct zcmig_send_options *options, GError **error);

/* Listens; peers can connect from now on.  Errors: USAGE, CONNECT, OUTPUT. */
zcmig_session *zcmig_recv_new(const struct zcmig_recv_options *options, GError **error);

/* Cancels, if it runs in another thread waits for nothing: join that first.  Accepts NULL. */
void zcmig_session_free(zcmig_session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zcmig_session, zcmig_session_free)

/* The URI that a peer connects to, with the real port.  The session's own; valid until free. */
const char *zcmig_session_get_address(zcmig_session *session);

/*
 * Runs the whole transfer and returns whether it succeeded.  Call once.  Blocks; its own threads
 * are joined when it returns.  On failure the source is as it was, and the output does not exist
 * (or is as it was).  Errors: any code of enum zcmig_error_code.
 *
 * A live guest runs at one end only: on failure it runs on at the source, unless it had been handed
 * over already; live.guest of the statistics says where it is.
 */
bool zcmig_session_run(zcmig_session *session, GError **error);

/* Async-signal-safe.  Both ends end with ZCMIG_ERROR_CANCELLED. */
void zcmig_session_cancel(zcmig_session *session);

/* -------------------------------------------------------------- statistics */

enum zcmig_state {
    ZCMIG_STATE_SETUP,      /* made, not yet connected */
    ZCMIG_STATE_ACTIVE,     /* RAM is crossing */
    ZCMIG_STATE_VERIFYING,  /* RAM is there; digests are compared */
    ZCMIG_STATE_COMPLETED,
    ZCMIG_STATE_FAILED,
    ZCMIG_STATE_CANCELLED,
    ZCMIG_STATE_RECONNECTING, /* the connections were cut; new ones are made */
};

/* "setup", "active", "completed", ...: the words of QEMU's query-migrate, and "verifying". */
const char *zcmig_state_name(enum zcmig_state state);

struct zcmig_channel_stats {
    unsigned int id;
    uint64_t packets;
    uint64_t wire_bytes;
    uint64_t zerocopy_calls;  /* send end only, from here on */
    uint64_t zerocopy_bytes;
    uint64_t completed;
    uint64_t notes;
    uint64_t copied_min;      /* of completed, how many the kernel copied: exact when min == max */
    uint64_t copied_max;
    uint64_t copy_calls;
    uint64_t copy_bytes;
    uint64_t enobufs_optmem;
    uint64_t enobufs_memlock;
    uint64_t packets_split;
    uint64_t packets_by_copy;
    uint64_t drains;
    int64_t drain_ns;
    int64_t wait_ns;
    uint64_t in_flight_bytes_max;
    const char *zerocopy_state;  /* "active", "not-asked", "not-supported", "paused-copied", ... */
    const char *zerocopy_reason; /* why not, for people; "" when there is nothing to say */
    uint64_t splice_calls;
    uint64_t splice_bytes;
    uint64_t registered_bytes;   /* of zerocopy_bytes: io_uring, from memory pinned beforehand */
    const char *engine;          /* "copy", "zerocopy", "io_uring", "splice", or "none" for null: */
    const char *engine_reason;   /* why not the one that was asked for, or "" */
};

/* Where a live guest is.  At any moment it runs at one end at most. */
enum zcmig_guest_place {
    ZCMIG_GUEST_NONE,     /* the RAM stands still, or has not come yet */
    ZCMIG_GUEST_RUNS,     /* here */
    ZCMIG_GUEST_PAUSED,   /* here, on its way */
    ZCMIG_GUEST_GONE,     /* it runs at the destination */
    ZCMIG_GUEST_IN_DOUBT, /* paused here for good: the destination may run it, and cannot be asked */
};

/* "none", "runs", "paused", "gone", "in-doubt". */
const char *zcmig_guest_place_name(enum zcmig_guest_place place);

/*
 * Why the guest stood still, by the clock of the source: from its pause to the word that it runs at
 * the destination.  The parts sum up to actual_ns.
 */
struct zcmig_downtime {
    int64_t estimate_ns; /* when the switchover was decided; of parts that were not in sight less */
    int64_t actual_ns;   /* 0: there was no switchover */
    int64_t observed_ns; /* by the guest itself: between two writes; 0: not known */
    int64_t stop_ns;
    int64_t last_harvest_ns;
    int64_t last_send_ns;
    int64_t drain_ns;
    int64_t barrier_ns;
    int64_t device_state_ns;
    int64_t verify_ns; /* of ZCMIG_VERIFY_BEFORE */
    int64_t resume_ns;
};

#define ZCMIG_LATENCY_BUCKETS 40

/* How long single writes of the guest took.  All zeros: none was measured. */
struct zcmig_latency {
    uint64_t writes;
    int64_t p50_ns;
    int64_t p99_ns;
    int64_t p999_ns;
    int64_t max_ns;
    uint64_t histogram[ZCMIG_LATENCY_BUCKETS]; /* b: writes that took 2^b to 2^(b+1) - 1 ns */
};

struct zcmig_iteration {
    uint64_t pages;             /* that it had to send */
    uint64_t sent_bytes;
    int64_t took_ns;            /* until the destination had placed them */
    int64_t harvest_ns;         /* of the harvest after it */
    uint64_t bandwidth;         /* bytes of RAM per second, as the estimate took it */
    uint64_t dirty_pages;       /* that the harvest after it told */
    uint64_t dirty_pages_per_s;
    int64_t estimate_ns;        /* of the downtime, from these; INT64_MAX: not known */
    unsigned int throttle_percent; /* of the guest from then on */
};

#define ZCMIG_ITERATIONS_KEPT 64

/* Of a live guest; all zeros without one. */
struct zcmig_live_stats {
    enum zcmig_guest_place guest;
    const char *tracker;        /* source: "scan", "fault"; "" before it started */
    uint64_t n_iterations;      /* ended */
    uint64_t remaining_bytes;   /* of the RAM, that the destination does not have as it is now */
    struct zcmig_downtime downtime;
    unsigned int n_kept;        /* the last of them */
    struct zcmig_iteration kept[ZCMIG_ITERATIONS_KEPT];
    /* source: of the guest's writes here, and so what tracking them costs it */
    struct zcmig_latency untracked;
    struct zcmig_latency tracked;
    uint64_t reconnects;        /* times that the session went on over new connections */
    int64_t reconnecting_ns;    /* without any, in all */
    uint64_t resent_pages;      /* source: sent, not known to have arrived, and sent again */
    /* The check of the guest's own RAM against its execution state, after it ran a while. */
    bool checked;
    uint64_t guest_writes;
    uint64_t guest_wrong_pages; /* torn, stale, lost, ... */
};

#define ZCMIG_WAY_BYTES 512

/* What the source QEMU says of itself, through its monitor; an empty status before it said any. */
struct zcmig_source_stats {
    char status[32]; /* of query-migrate */
    uint64_t total_bytes;
    uint64_t remaining_bytes;
    uint64_t iteration;
    uint64_t dirty_pages_per_s;
    int64_t expected_downtime_ns;
    char way[ZCMIG_WAY_BYTES]; /* by which its RAM was read to be compared; "" if it was not */
};

struct zcmig_stats {
    enum zcmig_state state;
    bool sending;
    uint64_t total_bytes;      /* of RAM */
    uint64_t normal_pages;     /* sent or placed with content */
    uint64_t zero_pages;
    uint64_t wire_bytes;       /* on all connections, headers included */
    int64_t setup_ns;          /* until RAM began to cross */
    int64_t transfer_ns;       /* from then until the destination had all of it */
    int64_t verify_ns;         /* after that */
    int64_t cpu_ns;            /* of the session's threads, user and system */
    uint64_t verified_pages;
    uint64_t mismatched_pages;
    bool peer_is_zcmig;
    enum zcmig_route route;    /* destination: as it heard */
    bool same_memory; /* route memfd: both ends found that they map the same memory */
    struct zcmig_live_stats live;
    struct zcmig_source_stats source; /* destination: with source_qmp */
    unsigned int n_channels;
    struct zcmig_channel_stats channels[ZCMIG_CHANNELS_MAX];
};

/* A copy of the figures of this moment.  Any thread. */
void zcmig_session_get_stats(zcmig_session *session, struct zcmig_stats *stats);

/* -------------------------------------------------------- manifests of RAM */

enum zcmig_mismatch_kind {
    ZCMIG_MISMATCH_DIFFERS,
    ZCMIG_MISMATCH_MISSING,
    ZCMIG_MISMATCH_SHAPE, /* a block is absent or has another length */
};

struct zcmig_mismatch {
    enum zcmig_mismatch_kind kind;
    const char *block;
    uint64_t offset;  /* bytes in the block */
    uint64_t n_pages;
};

/* Runs of wrong pages that verification found (at most 64); NULL-terminated by n_out. */
const struct zcmig_mismatch *zcmig_session_get_mismatches(zcmig_session *session,
                                                          unsigned int *n_out);

typedef struct zcmig_manifest zcmig_manifest;

/*
 * Digests every page of @uri (file:IMAGE, dir:SNAPSHOT, or qmp:SOCKET[,way=WAY][,pid=PID], a QEMU
 * whose guest is paused) with @threads threads (0: CPUs).  Blocks.
 */
zcmig_manifest *zcmig_manifest_new_from_source(const char *uri, unsigned int threads,
                                               GError **error);
zcmig_manifest *zcmig_manifest_load(const char *path, GError **error);
bool zcmig_manifest_save(const zcmig_manifest *manifest, const char *path, GError **error);
void zcmig_manifest_free(zcmig_manifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zcmig_manifest, zcmig_manifest_free)

uint64_t zcmig_manifest_get_pages(const zcmig_manifest *manifest);
uint64_t zcmig_manifest_get_zero_pages(const zcmig_manifest *manifest);
/* Pages that could not be read, of a QEMU's guest; they are not compared. */
uint64_t zcmig_manifest_get_unknown_pages(const zcmig_manifest *manifest);
/* Pages that comparing these two leaves out, because on either side they could not be read. */
uint64_t zcmig_manifest_get_uncompared_pages(const zcmig_manifest *expected,
                                             const zcmig_manifest *got);
/* How a QEMU's guest was read, for people; otherwise "".  The manifest's own. */
const char *zcmig_manifest_get_way(const zcmig_manifest *manifest);
/* One digest over all of them and their blocks' names: 16 hex digits, for comparing by eye. */
char *zcmig_manifest_get_summary(const zcmig_manifest *manifest);

/*
 * Compares; returns the number of wrong pages and at most 64 runs in *@runs_out (free with
 * g_free; the block names belong to the manifests).
 */
uint64_t zcmig_manifest_compare(const zcmig_manifest *expected, const zcmig_manifest *got,
                                struct zcmig_mismatch **runs_out, unsigned int *n_runs_out);

/* What the library says on stderr: 0 warnings (the default), 1 what it does, 2 all.  Any thread. */
void zcmig_set_verbosity(unsigned int level);

/* The library's version, "0.1.0". */
const char *zcmig_version(void);

G_END_DECLS

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel with one stream socket, behind struct zc_net, that does what a real
 * one cannot be made to do.  Everything follows from its options and its seed;
 * time is virtual and passes in poll, and a microsecond a system call.
 *
 * What it has from the real one (Linux 6.18, tests/kernel):
 *  - successful zero-copy calls are numbered; calls that queue behind unsent data share a record
 *    of 512 KiB at most; a record holds 832 bytes of option memory until its note is read or
 *    merged, a call size/4096 + 2 pages of locked memory until it is complete
 *  - a call that is turned away with EAGAIN after it joined a record leaves its pages charged
 *  - AF_VSOCK: a call takes a number for each time that credit is found, none is shared, each is
 *    noted for itself; what a call fails of when a limit is reached is -ENOMEM
 *  - a note is merged with the last one on the queue when it continues it, whatever its COPIED bit
 *
 * What makes mistakes visible: the bytes of a zero-copy call are read from the caller's memory when
 * its note is queued, the last moment at which a real kernel could.  Memory that is reused
 * before, gives the peer wrong bytes.  Calls that get nowhere are counted, and too many in a row
 * end the test.
 */
#ifndef ZC_TESTS_FAKE_KERNEL_H
#define ZC_TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "net/ops.h"

#define FAKE_FD 1000
#define FAKE_WAKE_FD 1001
#define FAKE_PIPE_READ_FD 1002
#define FAKE_PIPE_WRITE_FD 1003
#define FAKE_NEVER UINT64_MAX

struct fake_options {
    uint64_t seed;
    uint32_t first_serial;
    int domain;                 /* AF_INET, AF_INET6, AF_UNIX, AF_VSOCK */
    bool no_zerocopy;           /* SO_ZEROCOPY is refused */
    bool no_meminfo;            /* SO_MEMINFO is refused */
    uint64_t sndbuf_bytes;
    uint64_t memlock_pages;     /* FAKE_NEVER: unlimited */
    uint64_t optmem_bytes;
    unsigned int ids_per_call;  /* at most, of AF_VSOCK; 0: one */
    int64_t merge_delay_ns;     /* until the option memory of a merged note is given back */
    unsigned int pipe_pages;    /* 0: there are no pipes to be had */
    int64_t ns_per_kib;         /* how fast the peer reads */
    int64_t note_delay_ns;      /* a note comes up to this long after the peer's ACK */
    bool reorder;               /* notes may overtake each other */
    unsigned int short_percent; /* of calls: take only a part */
    unsigned int foreign_percent; /* of ACKs: something else on the error queue */
    unsigned int copied_percent;  /* of calls */
    unsigned int lie_percent;     /* of calls after POLLOUT: EAGAIN all the same */
    unsigned int phantom_percent; /* of polls: POLLERR without a cause */
    uint64_t stall_at_bytes;    /* the peer stops reading here; FAKE_NEVER */
    uint64_t reset_at_bytes;    /* the peer resets when it has read this much; FAKE_NEVER */
    bool reset_keeps_notes;     /* what is in flight then is never noted */
};

/* What really happened. */
struct fake_truth {
    uint64_t sendmsgs; /* with any result */
    uint64_t calls;    /* successful zero-copy ones */
    uint64_t plain_calls;
    uint64_t splices;
    uint64_t noted_calls;
    uint64_t copied_calls; /* of them, in part at least */
    uint64_t noted_ids;    /* the same as noted_calls but on AF_VSOCK */
    uint64_t notes_queued;
    uint64_t enobufs_optmem;
    uint64_t enobufs_memlock;
    uint64_t idle_calls_max; /* system calls in a row that got nowhere */
};

struct fake_kernel {
    struct fake_options options; /* may be changed while it runs */
    struct fake_truth truth;
    uint64_t foreign_pages; /* of locked memory, that other processes of the user hold */
    int64_t wake_at_ns;     /* FAKE_WAKE_FD turns readable; INT64_MAX: never */
    int64_t now_ns;
    GByteArray *stream; /* what the peer got */
    /* private */
    GRand *rand;
    GQueue segments;
    GQueue records;
    GQueue errors;
    GArray *pipe; /* struct iovec, a page or a part of one each; NULL: not open */
    uint32_t next_serial;
    uint64_t queued_bytes;
    uint64_t read_bytes; /* by the peer */
    uint64_t locked_pages;
    uint64_t optmem_used;
    uint64_t optmem_late; /* of it: given back at optmem_late_ns */
    int64_t optmem_late_ns;
    GHashTable *copied_vsock_calls;
    int64_t link_free_ns;
    int64_t last_note_ns;
    int socket_error;
    bool dead;
    bool zerocopy;
    uint64_t idle_calls;
};

/* Sensible values: a fast peer, no limits, nothing goes wrong. */
void fake_options_init(struct fake_options *options);

struct fake_kernel *fake_kernel_new(const struct fake_options *options);
void fake_kernel_free(struct fake_kernel *fake);
struct zc_net fake_kernel_net(struct fake_kernel *fake);

/* Puts a note on the queue that no call stands behind. */
void fake_kernel_inject_note(struct fake_kernel *fake, uint32_t lo, uint32_t hi, bool copied);

/* Lets time pass. */
void fake_kernel_sleep(struct fake_kernel *fake, int64_t ns);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Will zero-copy work to there, and if not, who is to blame and what to do?
 *
 *     struct zcmig_doctor_options options;
 *     zcmig_doctor_options_init(&options);
 *     options.destination = "tcp:10.0.0.2:4444";
 *     g_autoptr(zcmig_diagnosis) diagnosis = zcmig_doctor_run(&options, &error);
 *
 * The doctor reads what the system shows and judges it; nothing is sent to the
 * destination and nothing is changed, unless a probe or a trace is asked for.
 * What cannot be seen for lack of rights is a finding of its own, with the right
 * that is missing.
 */
#ifndef ZCMIG_DOCTOR_H
#define ZCMIG_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include <zcmig/error.h>

G_BEGIN_DECLS

enum zcmig_verdict {
    ZCMIG_VERDICT_WORKS,   /* nothing is known that would make the kernel copy */
    ZCMIG_VERDICT_UNKNOWN, /* something that decides could not be seen */
    ZCMIG_VERDICT_COPIES,  /* the kernel will copy, asked for zero-copy or not */
};

/* "works", "unknown", "copies" */
const char *zcmig_verdict_name(enum zcmig_verdict verdict);

/* What a finding does to zero-copy, from harmless to fatal. */
enum zcmig_effect {
    ZCMIG_EFFECT_NOTE,    /* good to know */
    ZCMIG_EFFECT_LIMITS,  /* zero-copy works, but not for as many bytes as one would like */
    ZCMIG_EFFECT_UNKNOWN, /* could make the kernel copy; whether it does cannot be seen */
    ZCMIG_EFFECT_COPIES,  /* makes the kernel copy */
};

/* "note", "limits", "unknown", "copies" */
const char *zcmig_effect_name(enum zcmig_effect effect);

/* An AF_PACKET socket: a program that listens to packets. */
struct zcmig_tap {
    const char *process;   /* "" when the owner cannot be seen */
    int64_t pid;           /* 0 when the owner cannot be seen */
    unsigned int n_owners; /* processes that hold the socket */
    uint32_t uid;          /* of whoever opened the socket */
    const char *user;
    uint64_t inode;        /* of the socket */
    const char *interface; /* "any" when it listens on all */
    uint16_t protocol;     /* ETH_P_*; 3 is ETH_P_ALL */
    uint64_t netns;        /* inode of its network namespace */
    bool own_netns;        /* the one the doctor runs in */
    int ignores_outgoing;  /* PACKET_IGNORE_OUTGOING: 1 set, 0 not set, -1 cannot be seen */
};

struct zcmig_finding {
    enum zcmig_effect effect;
    const char *cause;           /* a stable word: "loopback", "packet-tap", "optmem", ... */
    const char *device;          /* "" when it is not about one */
    const char *summary;         /* one line */
    const char *evidence;        /* what was read, and where */
    const char *remedy;          /* what to do; "" when there is nothing to do */
    const char *missing_right;   /* "" when everything could be seen */
    const struct zcmig_tap *tap; /* NULL when it is not about one */
};

/* A short burst of zero-copy calls on a connection, and what the kernel's notes said of them. */
struct zcmig_probe {
    uint64_t bytes;       /* that the connection took */
    uint64_t calls;       /* by zero-copy */
    uint64_t plain_calls; /* by copy, since a limit or the socket forbade zero-copy */
    uint64_t completed;   /* calls that were noted */
    uint64_t copied_min;  /* of them, at least */
    uint64_t copied_max;  /* and at most: exact where both are equal */
    const char *trouble;  /* what ended it early; "" when nothing did */
};

/* A way through the kernel on which user pages were copied while the doctor looked. */
struct zcmig_stack {
    const char *event; /* "copy", "pull", "segment", ...: what happened */
    uint64_t hits;
    const char *cause;            /* as of findings; "" when the way is not known */
    const char *meaning;          /* in words; "" likewise */
    const char *const *functions; /* of the kernel, innermost first; ends with NULL */
};

struct zcmig_path {
    const char *destination; /* as asked for; "" for an interface that was not asked for */
    const char *address;     /* numeric; "" likewise */
    const char *device;      /* that packets leave by; "" for no device (vsock, unix) */
    bool loopback;           /* does not leave this host by nature */
    enum zcmig_verdict verdict;
    const struct zcmig_finding *findings;
    unsigned int n_findings;
    bool probed;
    struct zcmig_probe probe; /* when probed */
};

struct zcmig_doctor_options {
    const char *destination;  /* URI (tcp: unix: vsock:) or host name or address; NULL: every
                                 interface that is up */
    uint64_t bandwidth;       /* bytes/s wanted; 0: the device's speed, where it has one */
    int64_t rtt_ns;           /* round trip to the destination; 0: not known */
    bool probe;               /* connect to the destination, send 2 MiB and read the notes; there
                                 must be something that reads and throws away, and a destination
                                 without a port means a discard service, port 9 */
    bool trace;               /* trace the kernel's copying meanwhile; needs root, and implies probe
                                 when there is a destination */
    int64_t trace_ms;         /* without a destination: for so long */
    int64_t stall_timeout_ms; /* a probe gives up when nothing is acknowledged for so long */
    int wake_fd;              /* waits end with CANCELLED when it turns readable; -1: none */
};

void zcmig_doctor_options_init(struct zcmig_doctor_options *options);

typedef struct zcmig_diagnosis zcmig_diagnosis;

/**
 * zcmig_doctor_run() - examine one destination, or every interface that is up
 * @options: borrowed until it returns
 *
 * Returns: a diagnosis, or NULL with USAGE (no such form of destination), CONNECT (the name has no
 * address, or the address no route), UNSUPPORTED (built without libnl, or the kernel or this build
 * cannot trace) or CANCELLED.  A probe that failed is a finding, not an error.
 * Blocks: for name resolution, for a child process of a fraction of a second that tries zero-copy
 * in a network namespace of its own, and for the probe or the trace.
 * Threads: any.
 */
zcmig_diagnosis *zcmig_doctor_run(const struct zcmig_doctor_options *options, GError **error);
void zcmig_diagnosis_free(zcmig_diagnosis *diagnosis); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zcmig_diagnosis, zcmig_diagnosis_free)

/*
 * With a destination its verdict.  Without: works when it works by one interface that leaves this
 * host, else unknown when that of one is unknown, else copies.
 */
enum zcmig_verdict zcmig_diagnosis_get_verdict(const zcmig_diagnosis *diagnosis);

/* One path for a destination; one an interface otherwise.  They belong to the diagnosis. */
const struct zcmig_path *zcmig_diagnosis_get_paths(const zcmig_diagnosis *diagnosis,
                                                   unsigned int *n_out);

/*
 * How often packets of all zero-copy sockets of the machine let go of user pages during a trace,
 * copied or not; a clone for a tap counts as a packet.  False when there was no trace or it could
 * not be counted.
 */
bool zcmig_diagnosis_get_releases(const zcmig_diagnosis *diagnosis, uint64_t *copied_out,
                                  uint64_t *not_copied_out);

/* Those of a trace, the most frequent first; they belong to the diagnosis. */
const struct zcmig_stack *zcmig_diagnosis_get_stacks(const zcmig_diagnosis *diagnosis,
                                                     unsigned int *n_out);

G_END_DECLS

#endif

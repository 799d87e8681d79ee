/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the probes read and the rules judge: plain data, no behaviour.  A rule
 * sees nothing else, so each can be tested on facts that no machine at hand
 * has.  "Unknown" is a value of its own everywhere: a probe that may not look
 * says so, and never guesses.
 */
#ifndef ZC_DOCTOR_FACTS_H
#define ZC_DOCTOR_FACTS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

enum zc_answer {
    ZC_NO,
    ZC_YES,
    ZC_UNKNOWN,
};

#define ZC_LINK_KIND_BYTES 20

struct zc_link {
    int ifindex;
    char name[IF_NAMESIZE];
    char kind[ZC_LINK_KIND_BYTES]; /* IFLA_INFO_KIND; "" for hardware, virtio and the like */
    bool up;
    bool loopback;
    int lower_ifindex;    /* IFLA_LINK; 0: none.  Of veth: the peer */
    bool lower_elsewhere; /* that index is of another network namespace */
    int lower_nsid;       /* of which */
    bool passthru;        /* macvtap: takes everything that the device below receives */
    int master_ifindex;   /* IFLA_MASTER; 0: none */
    enum zc_answer sg;    /* tx scatter-gather */
    enum zc_answer tx_csum;
    enum zc_answer tso;
    uint64_t speed_bytes_s; /* 0: the device does not say */
};

/* A network namespace and its devices. */
struct zc_space {
    uint64_t netns; /* inode */
    int nsid;       /* how the links of our own namespace name it */
    GArray *links;  /* struct zc_link */
};

struct zc_owner {
    pid_t pid;
    char process[16]; /* /proc/PID/comm */
    char version[32]; /* of its Debian package, where that matters; "": not known */
};

struct zc_tap {
    uint64_t inode;
    uint16_t protocol;
    int ifindex;                 /* 0: any */
    char interface[IF_NAMESIZE]; /* "any" for 0; "#7" where the name cannot be found */
    bool running;                /* hooked into the packet path: bound, and its device is up */
    uid_t uid;
    char user[32]; /* its name, or its number */
    uint64_t netns;
    bool own_netns;
    enum zc_answer ignores_outgoing;
    GArray *owners; /* struct zc_owner; empty when none could be seen */
};

/* What became of one zero-copy datagram sent to a device that throws it away. */
struct zc_oracle {
    enum zc_answer copied;
    unsigned int note_bytes; /* of optmem that one outstanding call holds; 0: not measured */
    int saved_errno;         /* why there is no answer */
};

struct zc_limits {
    char release[65];           /* of the kernel */
    uint64_t optmem_max;        /* 0: cannot be read here */
    uint64_t memlock_bytes;     /* UINT64_MAX: no limit */
    bool ipc_lock;              /* CAP_IPC_LOCK, and it counts (initial user namespace) */
    unsigned int max_skb_frags; /* 0: cannot be read here */
    int io_uring_disabled;      /* 0, 1, 2; -1: this kernel has no such switch */
    uint64_t huge_page_bytes;   /* that a new mapping can get; 0: none */
    uid_t uid;
};

enum zc_family {
    ZC_FAMILY_TCP4,
    ZC_FAMILY_TCP6,
    ZC_FAMILY_UDP,
    ZC_FAMILY_VSOCK,
    ZC_FAMILY_UNIX,
    ZC_FAMILIES,
};

/* What io_uring has for sockets. */
struct zc_uring {
    int saved_errno;  /* of its set-up; 0: it can be used; ENOTSUP: not built with liburing */
    bool sendmsg_zc;  /* IORING_OP_SENDMSG_ZC */
    bool tells_usage; /* IORING_SEND_ZC_REPORT_USAGE: whether the kernel copied */
};

struct zc_route {
    bool local;  /* the destination is an address of this host */
    int ifindex; /* that packets leave by */
    char address[64];
};

/* What became of a burst of zero-copy calls on a connection to the destination. */
struct zc_burst {
    bool tried;
    bool supported; /* the socket takes SO_ZEROCOPY, and the channel can use it */
    uint64_t sent_bytes;
    int64_t rtt_ns; /* round trip as TCP has it; 0: not known */
    uint64_t calls; /* zero-copy ones */
    uint64_t completed;
    uint64_t copied_min; /* of the completed */
    uint64_t copied_max;
    uint64_t plain_calls; /* that a limit or the socket forbade zero-copy for */
    const char *reason;   /* for these; static */
    char *trouble;        /* what ended it early; NULL: nothing */
};

struct zc_facts {
    GArray *links;                 /* struct zc_link, of our own network namespace */
    GArray *spaces;                /* struct zc_space: others that our devices lead into */
    GArray *taps;                  /* struct zc_tap */
    unsigned int hidden_processes; /* whose network namespace could not be seen */
    bool own_pid_ns;               /* in a container: the host's processes are not listed at all */
    bool packet_table;             /* /proc/net/packet could be read */
    struct zc_oracle elsewhere;    /* in a fresh namespace: does a tap of another one matter? */
    struct zc_limits limits;
    int zerocopy_errno[ZC_FAMILIES]; /* of SO_ZEROCOPY on a real socket; 0: the kernel takes it */
    struct zc_uring uring;
    uint64_t bandwidth;    /* wanted, bytes/s; 0: not said */
    int64_t rtt_ns;        /* 0: not said */
    struct zc_burst burst; /* towards the destination */
};

void zc_facts_init(struct zc_facts *facts);
void zc_facts_clear(struct zc_facts *facts);

/* NULL when there is none. */
const struct zc_link *zc_links_find(const GArray *links, int ifindex);
const struct zc_space *zc_facts_find_space(const struct zc_facts *facts, int nsid);
const struct zc_link *zc_facts_find_link(const struct zc_facts *facts, int ifindex);

/* The element clear function of arrays of taps. */
void zc_tap_clear(struct zc_tap *tap);

#endif

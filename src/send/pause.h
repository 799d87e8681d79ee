/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether to ask for zero-copy: the state of one channel.  Pure: fed with
 * packets, notes and refusals, it never touches a socket or a clock.
 *
 *     ACTIVE --copied_limit copied calls in a row (AUTO)--> PAUSED_COPIED
 *     ACTIVE --several packets in a row forbidden by a limit--> PAUSED_LIMIT
 *     PAUSED_* --a probe works--> ACTIVE; it does not: twice as long until the next
 *
 * A probe of PAUSED_COPIED is a single call, made when nothing else is in
 * flight, so that its note cannot be merged with another's and is exact.
 * A probe of PAUSED_LIMIT is a packet for which room is asked again.
 */
#ifndef ZC_SEND_PAUSE_H
#define ZC_SEND_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

enum zc_zerocopy_mode {
    ZC_ZEROCOPY_OFF,
    ZC_ZEROCOPY_AUTO, /* use it while the kernel really does it */
    ZC_ZEROCOPY_ON,   /* keep asking even when the kernel copies (for measurements) */
};

enum zc_zerocopy_state {
    ZC_ZEROCOPY_ACTIVE,
    ZC_ZEROCOPY_NOT_ASKED,     /* mode OFF */
    ZC_ZEROCOPY_NOT_SUPPORTED, /* this kind of socket or this kernel has none */
    ZC_ZEROCOPY_PAUSED_COPIED, /* the kernel kept copying; a probe comes */
    ZC_ZEROCOPY_PAUSED_LIMIT,  /* a limit leaves no room for even small calls; a probe comes */
};

/* What to do with a packet. */
enum zc_pause_verdict {
    ZC_PAUSE_COPY,
    ZC_PAUSE_ASK,       /* zero-copy for the whole packet */
    ZC_PAUSE_ASK_PROBE, /* the first call decides; see zc_pause_is_single_call */
};

struct zc_pause {
    enum zc_zerocopy_mode mode;
    enum zc_zerocopy_state state;
    uint32_t copied_limit;
    uint32_t probe_packets;
    uint32_t copied_in_a_row;
    uint32_t limited_in_a_row;
    uint32_t distance;    /* packets from the last probe to the next */
    uint32_t until_probe; /* packets left of them */
    bool probing;         /* PAUSED_COPIED: the call is made, its note has not come */
    uint64_t pauses;
    uint64_t probes;
};

/* Zeros for @copied_limit and @probe_packets mean the defaults, 8 and 1024. */
void zc_pause_init(struct zc_pause *pause, enum zc_zerocopy_mode mode, uint32_t copied_limit,
                   uint32_t probe_packets);

/* This socket cannot: for good. */
void zc_pause_not_supported(struct zc_pause *pause);

/* Once per packet that has pages; @idle: no call is in flight. */
enum zc_pause_verdict zc_pause_packet(struct zc_pause *pause, bool idle);

/* After ZC_PAUSE_ASK_PROBE: whether only its first call may be zero-copy. */
bool zc_pause_is_single_call(const struct zc_pause *pause);

/* The kernel took a probe's first call. */
void zc_pause_probe_sent(struct zc_pause *pause);

/* A note came whose first call was copied or not.  True when it made the state PAUSED_COPIED. */
bool zc_pause_note(struct zc_pause *pause, bool copied);

/* Zero-copy was wanted for a packet; @limited: a limit forbade some or all of it. */
void zc_pause_packet_done(struct zc_pause *pause, bool limited);

#endif

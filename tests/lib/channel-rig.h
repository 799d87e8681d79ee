/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel on a fake kernel, some pages to send, and what the peer must get.
 */
#ifndef ZC_TESTS_CHANNEL_RIG_H
#define ZC_TESTS_CHANNEL_RIG_H

#include "lib/fake-kernel.h"
#include "send/channel.h"

#define RIG_PAGES 256
#define RIG_PAGE_BYTES 4096

struct rig {
    struct fake_kernel *fake;
    struct zc_net net;
    struct zc_budget budget;
    struct zc_channel *channel;
    uint8_t *memory; /* RIG_PAGES */
    GByteArray *expected;
    uint64_t packets;
};

/* The budget knows the fake's limits; set rig->budget anew before the first packet for a wrong one. */
void rig_init(struct rig *rig, const struct fake_options *options, enum zc_zerocopy_mode mode,
              uint32_t copied_limit, uint32_t probe_packets);
/* The same for any engine: mode, engine, memory_is_stable and the limits are of @channel_options. */
void rig_init_engine(struct rig *rig, const struct fake_options *options,
                     struct zc_channel_options channel_options);
void rig_clear(struct rig *rig);

/* New content for all pages. */
void rig_fill(struct rig *rig, uint8_t round);

/* Sends one packet, header content made up from its number; -errno of header or send. */
int rig_send_runs(struct rig *rig, size_t header_bytes, const struct iovec *runs,
                  unsigned int n_runs, zc_deadline deadline);

/* The same with one run of @pages from the first page. */
int rig_send(struct rig *rig, unsigned int pages, int64_t ms);
int rig_drain(struct rig *rig, int64_t ms);

/* Packets that must go out within ten seconds each. */
void rig_send_ok(struct rig *rig, unsigned int packets, unsigned int pages);

struct zc_channel_counters rig_counters(struct rig *rig);

/* After a drain: the peer has it all, the counters agree with the truth, nothing is held. */
void rig_check(struct rig *rig);

/* Drains, checks and clears. */
void rig_finish(struct rig *rig);

#endif

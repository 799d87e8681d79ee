/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "send/pause.h"

#define COPIED_LIMIT_DEFAULT 8u
#define PROBE_PACKETS_DEFAULT 1024u
/* Packets in a row that a limit turned into copies before it is believed to stay. */
#define LIMITED_LIMIT 8u
/* The distance between probes grows to this multiple of the first. */
#define DISTANCE_GROWTH_MAX 64u

static void set_state(struct zc_pause *pause, enum zc_zerocopy_state state)
{
    pause->state = state;
    pause->copied_in_a_row = 0;
    pause->limited_in_a_row = 0;
    pause->probing = false;
    pause->distance = pause->probe_packets;
    pause->until_probe = pause->distance;
    if (state == ZC_ZEROCOPY_PAUSED_COPIED || state == ZC_ZEROCOPY_PAUSED_LIMIT) {
        pause->pauses++;
    }
}

void zc_pause_init(struct zc_pause *pause, enum zc_zerocopy_mode mode, uint32_t copied_limit,
                   uint32_t probe_packets)
{
    *pause = (struct zc_pause){
        .mode = mode,
        .copied_limit = copied_limit ? copied_limit : COPIED_LIMIT_DEFAULT,
        .probe_packets = probe_packets ? probe_packets : PROBE_PACKETS_DEFAULT,
    };
    set_state(pause, mode == ZC_ZEROCOPY_OFF ? ZC_ZEROCOPY_NOT_ASKED : ZC_ZEROCOPY_ACTIVE);
}

void zc_pause_not_supported(struct zc_pause *pause)
{
    set_state(pause, ZC_ZEROCOPY_NOT_SUPPORTED);
}

static void probe_failed(struct zc_pause *pause)
{
    uint64_t most = (uint64_t)pause->probe_packets * DISTANCE_GROWTH_MAX;
    uint64_t next = (uint64_t)pause->distance * 2;

    if (next > most) {
        next = most;
    }
    pause->distance = next > UINT32_MAX ? UINT32_MAX : (uint32_t)next;
    pause->until_probe = pause->distance;
    pause->probing = false;
}

enum zc_pause_verdict zc_pause_packet(struct zc_pause *pause, bool idle)
{
    switch (pause->state) {
    case ZC_ZEROCOPY_ACTIVE:
        return ZC_PAUSE_ASK;
    case ZC_ZEROCOPY_NOT_ASKED:
    case ZC_ZEROCOPY_NOT_SUPPORTED:
        return ZC_PAUSE_COPY;
    case ZC_ZEROCOPY_PAUSED_COPIED:
    case ZC_ZEROCOPY_PAUSED_LIMIT:
        break;
    }
    if (pause->until_probe > 0) {
        pause->until_probe--;
    }
    if (pause->until_probe > 0 || pause->probing || !idle) {
        return ZC_PAUSE_COPY;
    }
    pause->probes++;
    return ZC_PAUSE_ASK_PROBE;
}

bool zc_pause_is_single_call(const struct zc_pause *pause)
{
    return pause->state == ZC_ZEROCOPY_PAUSED_COPIED;
}

void zc_pause_probe_sent(struct zc_pause *pause)
{
    pause->probing = pause->state == ZC_ZEROCOPY_PAUSED_COPIED;
}

bool zc_pause_note(struct zc_pause *pause, bool copied)
{
    if (pause->probing) {
        if (copied) {
            probe_failed(pause);
        } else {
            set_state(pause, ZC_ZEROCOPY_ACTIVE);
        }
        return false;
    }
    if (pause->state != ZC_ZEROCOPY_ACTIVE) {
        return false; /* of calls made before the pause */
    }
    pause->copied_in_a_row = copied ? pause->copied_in_a_row + 1 : 0;
    if (pause->mode != ZC_ZEROCOPY_AUTO || pause->copied_in_a_row < pause->copied_limit) {
        return false;
    }
    set_state(pause, ZC_ZEROCOPY_PAUSED_COPIED);
    return true;
}

void zc_pause_packet_done(struct zc_pause *pause, bool limited)
{
    switch (pause->state) {
    case ZC_ZEROCOPY_ACTIVE:
        pause->limited_in_a_row = limited ? pause->limited_in_a_row + 1 : 0;
        if (pause->limited_in_a_row >= LIMITED_LIMIT) {
            set_state(pause, ZC_ZEROCOPY_PAUSED_LIMIT);
        }
        break;
    case ZC_ZEROCOPY_PAUSED_LIMIT:
        if (limited) {
            probe_failed(pause);
        } else {
            set_state(pause, ZC_ZEROCOPY_ACTIVE);
        }
        break;
    case ZC_ZEROCOPY_PAUSED_COPIED:
        if (limited && !pause->probing) {
            pause->until_probe = pause->distance; /* no answer this time */
        }
        break;
    case ZC_ZEROCOPY_NOT_ASKED:
    case ZC_ZEROCOPY_NOT_SUPPORTED:
        break;
    }
}

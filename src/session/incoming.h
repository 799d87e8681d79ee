/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of the destination's end: what incoming.c (options, connections,
 * the end), incoming-stream.c (the main stream's events, verification),
 * incoming-words.c (what is said to the source), incoming-ram.c (RAM, channels,
 * barriers), incoming-route.c (routes that are no sockets'), incoming-devices.c (the state of
 * devices), incoming-proof.c (a QEMU's RAM compared) and incoming-guest.c (a live guest) share.  Private to session/.
 *
 * Functions return false once the session's cause is set; they report it.
 */
#ifndef ZC_SESSION_INCOMING_H
#define ZC_SESSION_INCOMING_H

#include "guest/guest.h"
#include "guest/shared.h"
#include "guest/snapshot.h"
#include "guest/synthetic.h"
#include "net/addr.h"
#include "recv/acceptor.h"
#include "recv/barrier.h"
#include "recv/input.h"
#include "recv/place.h"
#include "recv/pull.h"
#include "recv/reader.h"
#include "recv/stall.h"
#include "recv/verify.h"
#include "session/session.h"
#include "session/watch.h"
#include "wire/extension.h"
#include "wire/stream.h"

#define ZC_INCOMING_LAST_WORDS_MS 1000 /* how long a broken session says why, and listens */

/* Pages of the main stream itself are placed so many at a time. */
#define ZC_INCOMING_PAGES 128
G_STATIC_ASSERT(ZC_INCOMING_PAGES <= ZC_PLACE_WRITE_MAX);

/* How far the main stream is; says where it broke off. */
enum zc_incoming_phase {
    ZC_INCOMING_HEAD, /* before RAM's list of blocks was whole */
    ZC_INCOMING_RAM,
    ZC_INCOMING_TAIL, /* RAM is whole; the end of the stream is missing */
    ZC_INCOMING_MANIFEST,
    ZC_INCOMING_READY, /* a live guest could run: RUN is missing */
    ZC_INCOMING_HEARD, /* of a kept session: the source has not said that it knows all */
    ZC_INCOMING_DONE,  /* nothing more is needed */
};

struct zc_incoming {
    zcmig_session session;
    /* set before start */
    struct zcmig_recv_options options; /* its strings are not kept */
    struct zc_addr address;
    int listen_fd; /* -1: the address is a connected descriptor */
    bool has_wanted_uuid;
    uint8_t wanted_uuid[16];
    struct zc_store *store;
    struct zc_watch *watch; /* of the source QEMU, or NULL */
    /* the caller's thread only */
    struct zc_stall stall;
    struct zc_stall last_words; /* patience once the cause is set */
    struct zc_acceptor *acceptor;
    int main_fd;
    int fds[ZC_RECV_CHANNELS_MAX];
    struct zc_stream_decoder *decoder;
    GByteArray *out; /* what the return path says next */
    enum zc_incoming_phase phase;
    enum zc_section_type section;
    bool has_return_path;
    bool has_session;
    bool keeps;         /* the session outlives its connections */
    uint8_t secret[16]; /* by which the source is known again */
    bool awaits_resume; /* on a new connection, which has not said so yet */
    bool is_again;      /* connections were made anew: RAM is there already */
    uint32_t n_blocks_again;
    uint8_t token[16]; /* of the channels then */
    uint64_t n_barriers;
    int64_t cut_ns;           /* without connections since */
    struct zc_extension peer; /* its SESSION message */
    bool peer_failed;         /* it said so itself */
    bool has_uuid;            /* that the source told, other than by its channels */
    bool flush_in_start;
    bool barrier_per_section; /* every end of a RAM section is one: machine types up to 8.0 */
    bool said_shut;
    bool committed;
    struct zc_snapshot snapshot; /* what else the guest is */
    bool ram_started;
    GByteArray *early; /* sections of device state before RAM is whole */
    struct zc_ram ram;
    struct zc_place place;
    struct zc_pull pull;        /* of the route pull */
    struct zc_extension memory; /* of the route memfd: its MEMORY; type 0: it has not come */
    bool has_ram;               /* place, barrier and readers are there */
    struct zc_barrier barrier;
    struct zc_reader_shared shared;
    struct zc_reader *readers[ZC_RECV_CHANNELS_MAX];
    struct zc_verify verify;
    struct zc_place_page pages[ZC_INCOMING_PAGES]; /* in the input, of one block */
    unsigned int n_pages;
    uint32_t pages_block;
    int64_t readers_cpu_ns;
    struct zc_synthetic *guest; /* that came; its RAM is the store's */
    int64_t barrier_ns;         /* the last one took so long */
    int64_t load_ns;            /* to make the guest of its state */
    int64_t verify_ns;          /* to compare the manifest */
    int64_t resumed_ns;         /* it runs since; 0: it never did */
    /* under lock; writer: the caller's thread */
    GMutex lock;
    struct zcmig_live_stats live;
    char way[ZCMIG_WAY_BYTES]; /* by which the source's RAM was read */
    /* atomic; writer: the caller's thread */
    struct zc_input input; /* its wire_bytes */
    _Atomic unsigned int n_channels;
    _Atomic uint64_t main_normal;
    _Atomic uint64_t main_zero;
    /* atomic; writers: the readers */
    struct zc_reader_counters counters[ZC_RECV_CHANNELS_MAX];
};

/* Takes @error as the session's cause.  Returns false, always. */
bool zc_incoming_fail(struct zc_incoming *in, GError *error);

/* Reads more of the main stream.  False: reported, with the phase it ended in. */
bool zc_incoming_more(struct zc_incoming *in);

/* ---- incoming-route.c */

/* The route of @message, a SESSION: before any page moves it is known whether they can. */
bool zc_incoming_open_route(struct zc_incoming *in, const struct zc_extension *message);

/* MEMORY came: takes the descriptors that came with it. */
bool zc_incoming_take_memory(struct zc_incoming *in, const struct zc_extension *message);

static inline bool zc_incoming_shares_memory(const struct zc_incoming *in)
{
    return in->has_session && in->peer.session.route == ZC_SESSION_ROUTE_MEMFD;
}

/* Digests the memory that was handed over, while its guest stands still: what has arrived. */
bool zc_incoming_digest_memory(struct zc_incoming *in);

/* The memory that was handed over is mapped: is it the right one?  Tells the source which it is. */
bool zc_incoming_check_memory(struct zc_incoming *in);

/* The guest is ours: it may write to its memory. */
bool zc_incoming_unlock_memory(struct zc_incoming *in);

/* ---- incoming-ram.c */

/* The list of blocks is whole: memory, channels, readers. */
bool zc_incoming_open_ram(struct zc_incoming *in);

/* A page of the main stream; its content is the next bytes of the input. */
bool zc_incoming_page(struct zc_incoming *in, const struct zc_stream_event *event);
bool zc_incoming_zero(struct zc_incoming *in, const struct zc_stream_event *event);

/* Places the pages that wait for it.  Before the input's buffer moves, and before a barrier. */
bool zc_incoming_flush_pages(struct zc_incoming *in);

bool zc_incoming_barrier(struct zc_incoming *in);

/* The cause is set.  If it is a silence that has a reason here, it says so from now on. */
void zc_incoming_explain_silence(struct zc_incoming *in);

/* RAM END was read to its end. */
bool zc_incoming_end_ram(struct zc_incoming *in);

/* Joins the readers that run.  The cause is set, or RAM is whole. */
void zc_incoming_stop_readers(struct zc_incoming *in);

/* ---- incoming.c */

/* A main connection is there: what reads it.  Its first @n_first bytes were read before. */
void zc_incoming_take_main(struct zc_incoming *in, const uint8_t *first, size_t n_first);

/* ---- incoming-reconnect.c */

/* KEEP came: says for how long this end does. */
bool zc_incoming_keep(struct zc_incoming *in, const struct zc_extension *message);

/* RESUME came: is it our source? */
bool zc_incoming_resume(struct zc_incoming *in, const struct zc_extension *message);

/*
 * The cause is set.  True: it was a cut, and the source of this session is there again, on a new
 * main connection.  False: it ends, and the cause says why, if anything went wrong.
 */
bool zc_incoming_reconnect(struct zc_incoming *in);

/* A block of a list that comes again. */
bool zc_incoming_same_block(struct zc_incoming *in, const struct zc_stream_event *event);

/* Connections and threads are there again. */
void zc_incoming_reconnected(struct zc_incoming *in);

/* ---- incoming-devices.c */

/* The configuration of @event, whose bytes were just taken off the input. */
void zc_incoming_keep_configuration(struct zc_incoming *in, const struct zc_stream_event *event);

/* From the FULL section of @event to the description: checked and kept.  The sections are over. */
bool zc_incoming_take_devices(struct zc_incoming *in, const struct zc_stream_event *event);

/* The FULL section of @event, which comes before RAM is whole: to its footer, kept. */
bool zc_incoming_take_early(struct zc_incoming *in, const struct zc_stream_event *event);

/* Gives the store what the guest is besides its RAM, before it commits. */
bool zc_incoming_keep_state(struct zc_incoming *in);

/* ---- incoming-proof.c */

/* Whether the proof that was asked for is possible with this source; before RAM is taken. */
bool zc_incoming_check_proof(struct zc_incoming *in, GError **error);

/* Whether the source's own RAM is compared in the end. */
bool zc_incoming_is_proven(const struct zc_incoming *in);

/* RAM is whole, and the source's guest stands still: they are compared. */
bool zc_incoming_prove(struct zc_incoming *in);

/* ---- incoming-guest.c */

static inline bool zc_incoming_is_live(const struct zc_incoming *in)
{
    return in->has_session && in->peer.session.live;
}

/* The guest's section began: takes all of it, and makes the guest, paused. */
bool zc_incoming_guest_state(struct zc_incoming *in, const struct zc_stream_event *event);

/* Tells the source that it could run. */
bool zc_incoming_guest_ready(struct zc_incoming *in);

/* Whether the manifest comes when the guest runs here. */
bool zc_incoming_expects_manifest_after(const struct zc_incoming *in);

/* RUN came: the guest is ours. */
bool zc_incoming_guest_run(struct zc_incoming *in);

/* Forgets a guest that never ran here. */
void zc_incoming_guest_drop(struct zc_incoming *in);

/* Lets it run for a moment and tells the source what it noticed: the last thing that is said. */
bool zc_incoming_guest_observe(struct zc_incoming *in);

/* After the session: lets a guest that ran run on for its time, stops and checks it. */
void zc_incoming_guest_settle(struct zc_incoming *in);

/* ---- incoming-words.c */

/* How far the main stream is, for messages. */
const char *zc_incoming_where(const struct zc_incoming *in);

/* Sends what is in in->out.  0 or -errno. */
int zc_incoming_write(struct zc_incoming *in, zc_deadline deadline, int wake_fd);

/* The same.  False: reported. */
bool zc_incoming_answer(struct zc_incoming *in);

/* The same, when nothing depends on whether the source still hears it: 0 or -errno. */
int zc_incoming_tell(struct zc_incoming *in);

void zc_incoming_put_extension(struct zc_incoming *in, const struct zc_extension *message);
void zc_incoming_put_shut(struct zc_incoming *in, uint32_t value); /* once */

/* Reads on only for FAIL: the reason why connections broke is often one message behind. */
void zc_incoming_hear_peer(struct zc_incoming *in);

/* The source gives up: its FAIL as an error of ours. */
GError *zc_incoming_peer_error(const struct zc_extension *message);

/* After a failure: tells the source why, or hears its own reason.  Bounded. */
void zc_incoming_last_words(struct zc_incoming *in);

/* ---- incoming-stream.c */

/* The whole main stream. */
bool zc_incoming_receive(struct zc_incoming *in);

/* One item of it, or more bytes for one. */
bool zc_incoming_step(struct zc_incoming *in);

/* The manifest is compared from its beginning. */
void zc_incoming_start_verify(struct zc_incoming *in);

#endif

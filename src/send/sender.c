/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: work items come from a fixed pool and travel between two mailboxes,
 * "idle" (items nobody uses) and "queue" (items to do), so nothing is
 * allocated while pages move.  An item collects ranges of one block, up to
 * ITEM_PAGES_MAX pages: large enough that the two hand-overs cost nothing
 * beside the copy and that scattered pages fill their packets.  Towards the end
 * of what the caller said to expect items get smaller, so that the channels end
 * together: the last few hundred pages, for which a guest stands still, would else
 * be one item for one channel more than for the next.  A caller that ran out of
 * idle items sleeps until most of them are back, and the channels work on the
 * others meanwhile.
 *
 * Whoever is free takes the next item, and a channel is free when its socket has
 * room.  Where the pages do not pass through it the lists of them do, which are so
 * small that a socket would take thousands of pages for a peer that is busy; so
 * there it holds few (send/route.h).
 *
 * For a sync the caller queues one item a channel.  A thread that took one
 * does not come back for more until all have theirs, so each gets exactly one;
 * and because the queue is in order, all pages put before are then taken.  A
 * thread that still sends pages gets its own sync item after them.
 */
#include "config.h"

#include <errno.h>

#include "base/error.h"
#include "base/mailbox.h"
#include "send/batch.h"
#include "send/sender.h"

#define ITEM_PAGES_MAX 1024u /* 4 MiB */
#define ITEM_RANGES_MAX 128u /* of dirty pages here and there */
#define ITEM_PAGES_MIN 32u   /* 128 KiB, of which the packet's header is a hundredth */
#define PORTIONS 2u          /* of what is left for each channel, an item is one */
#define ITEMS_PER_CHANNEL 8u
#define QUEUE_POLL_MS 100 /* a set cause is noticed so late at most by who waits for the queue */

enum item_kind {
    ITEM_PAGES,
    ITEM_SYNC,
};

struct item {
    enum item_kind kind;
    uint32_t n_pages;
    uint32_t n_ranges;
    struct zc_range ranges[ITEM_RANGES_MAX]; /* all of one block */
};

struct worker {
    /* set before start */
    struct zc_sender *sender;
    unsigned int index;
    struct zc_channel *channel; /* NULL: null: */
    GThread *thread;
    /* this thread only */
    struct zc_batch batch;
    uint64_t packet_num;
    bool has_pages; /* sent since the last SYNC */
    /* atomic; one writer, this thread */
    _Atomic uint64_t normal_pages;
    _Atomic uint64_t zero_pages;
    _Atomic uint64_t drain_ns; /* whatever the route waits for */
    int64_t cpu_ns;            /* written at the thread's end, read after the join */
};

struct zc_sender {
    /* set before start */
    struct zc_sender_options options;
    struct worker *workers;
    struct item *items;
    unsigned int n_items;
    struct zc_mailbox *idle;
    struct zc_mailbox *queue;
    /* the caller's thread only */
    struct item *pending; /* collects ranges until it is full, or the iteration ends */
    uint32_t pending_max; /* pages that fill it */
    uint64_t n_left;      /* pages still to be put; from UINT64_MAX on: nobody said */
    /* under sync_lock */
    GMutex sync_lock;
    GCond sync_cond;
    unsigned int n_synced;
    uint64_t sync_epoch;
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* The one place where a channel thread's -errno becomes the session's error. */
static void report(struct worker *worker, int ret, const char *doing)
{
    struct zc_sender *sender = worker->sender;
    enum zcmig_error_code code = ZCMIG_ERROR_DISCONNECTED;
    GError *error = NULL;

    switch (ret) {
    case -ECANCELED:
        return; /* the cause is set already: that is what ended the wait */
    case -ETIMEDOUT:
        zc_error(&error, ZCMIG_ERROR_TIMEOUT,
                 "channel %u: the peer took nothing for %" G_GINT64_FORMAT " ms while %s",
                 worker->index, sender->options.stall_timeout_ms, doing);
        zc_cause_report(sender->options.cause, error);
        return;
    case -EFAULT:
        if (!sender->options.source->ops->check(sender->options.source, &error)) {
            zc_cause_report(sender->options.cause, error);
            return;
        }
        code = ZCMIG_ERROR_SOURCE;
        break;
    case -EBADMSG:
        code = ZCMIG_ERROR_PROTOCOL;
        break;
    case -EPROTO:
        code = ZCMIG_ERROR_FAILED; /* the kernel's notes made no sense */
        break;
    default:
        break;
    }
    zc_error_errno(&error, code, ret, "channel %u: failed while %s", worker->index, doing);
    zc_cause_report(sender->options.cause, error);
}

static bool send_packet(struct worker *worker, const char *doing)
{
    struct zc_sender *sender = worker->sender;
    struct zc_multifd_packet *packet = &worker->batch.packet;
    const struct zc_route *route = sender->options.route;
    uint8_t *header;

    if (!worker->channel) {
        return true;
    }
    packet->packet_num = worker->packet_num++;
    if (!zc_pace_wait(sender->options.pace,
                      ZC_MULTIFD_HEADER_BYTES + (uint64_t)packet->n_normal * ZC_PAGE_BYTES,
                      sender->options.cause->wake_fd)) {
        return false;
    }
    zc_deadline deadline = zc_deadline_in(sender->options.stall_timeout_ms);
    int ret = zc_channel_header(worker->channel, &header, deadline);
    if (ret == 0) {
        packet->flags |= packet->n_normal ? route->normal_flags : 0;
        worker->has_pages |= packet->n_normal > 0;
        zc_multifd_packet_encode(packet, header);
        ret = zc_channel_send(worker->channel, ZC_MULTIFD_HEADER_BYTES, worker->batch.pages,
                              route->has_payload ? worker->batch.n_iovs : 0, deadline);
    }
    if (ret < 0) {
        report(worker, ret, doing);
        return false;
    }
    return true;
}

/* Takes the zero pages out of the batch: for a peer that knows none in packets. */
static void put_zeros_aside(struct worker *worker, uint32_t block)
{
    struct zc_multifd_packet *packet = &worker->batch.packet;

    for (uint32_t i = 0; i < packet->n_zero; i++) {
        zc_bitmap_set_page_atomic(&worker->sender->options.zeros[block],
                                  packet->offsets[packet->n_normal + i] / ZC_PAGE_BYTES);
    }
    count(&worker->zero_pages, packet->n_zero);
    packet->n_zero = 0;
}

/* The batch is of pages of @block. */
static bool send_batch(struct worker *worker, uint32_t block)
{
    struct zc_sender *sender = worker->sender;
    struct zc_source *source = sender->options.source;
    GError *error = NULL;

    zc_batch_end(&worker->batch);
    if (!source->ops->check(source, &error)) {
        zc_cause_report(sender->options.cause, error);
        return false;
    }
    if (sender->options.zeros) {
        put_zeros_aside(worker, block);
    }
    if (zc_batch_pages(&worker->batch) && !send_packet(worker, "sending pages")) {
        return false;
    }
    count(&worker->normal_pages, worker->batch.packet.n_normal);
    count(&worker->zero_pages, worker->batch.packet.n_zero);
    return true;
}

/* Adds the pages of @range to the batch, and sends it each time it is full. */
static bool add_range(struct worker *worker, const struct zc_range *range)
{
    const struct zc_sender_options *options = &worker->sender->options;
    const struct zc_ram *ram = &options->source->ram;
    struct zc_range part = *range;
    uint64_t left = range->n_pages;

    while (left) {
        part.n_pages = (uint32_t)MIN(left, options->packet_pages - zc_batch_pages(&worker->batch));
        zc_batch_add(&worker->batch, ram, &part, options->merge, options->manifest);
        part.first_page += part.n_pages;
        left -= part.n_pages;
        if (zc_batch_pages(&worker->batch) == options->packet_pages) {
            if (!send_batch(worker, range->block)) {
                return false;
            }
            zc_batch_begin(&worker->batch, &ram->blocks[range->block]);
        }
    }
    return true;
}

static bool do_pages(struct worker *worker, const struct item *item)
{
    struct zc_source *source = worker->sender->options.source;

    zc_batch_begin(&worker->batch, &source->ram.blocks[item->ranges[0].block]);
    for (uint32_t i = 0; i < item->n_ranges; i++) {
        if (source->ops->will_need) {
            source->ops->will_need(source, &item->ranges[i]);
        }
        if (!add_range(worker, &item->ranges[i])) {
            return false;
        }
    }
    return zc_batch_pages(&worker->batch) == 0 || send_batch(worker, item->ranges[0].block);
}

/* Waits until all channels have drained.  Pairs with zc_sender_sync. */
static void wait_for_others(struct zc_sender *sender)
{
    g_mutex_lock(&sender->sync_lock);
    uint64_t epoch = sender->sync_epoch;
    sender->n_synced++;
    g_cond_broadcast(&sender->sync_cond);
    while (sender->sync_epoch == epoch && !zc_cause_is_set(sender->options.cause)) {
        g_cond_wait_until(&sender->sync_cond, &sender->sync_lock,
                          g_get_monotonic_time() + QUEUE_POLL_MS * 1000);
    }
    g_mutex_unlock(&sender->sync_lock);
}

static bool do_sync(struct worker *worker)
{
    const struct zc_sender_options *options = &worker->sender->options;

    zc_batch_fill_sync(&worker->batch);
    if (!send_packet(worker, "sending SYNC")) {
        return false;
    }
    if (worker->channel) {
        int64_t begin_ns = zc_clock_now_ns();
        int ret = options->route->drain(worker->channel, options->fds[worker->index],
                                        worker->has_pages, options->cause->wake_fd,
                                        zc_deadline_in(options->stall_timeout_ms));
        worker->has_pages = false;
        count(&worker->drain_ns, (uint64_t)(zc_clock_now_ns() - begin_ns));
        if (ret < 0) {
            report(worker, ret, options->route->drains);
            return false;
        }
    }
    wait_for_others(worker->sender);
    return true;
}

static bool take(struct zc_sender *sender, struct zc_mailbox *mailbox, struct item **item_out)
{
    int ret;

    do {
        ret = zc_mailbox_get(mailbox, (void **)item_out, zc_deadline_in(QUEUE_POLL_MS));
    } while (ret == -ETIMEDOUT && !zc_cause_is_set(sender->options.cause));
    return ret == 0 && !zc_cause_is_set(sender->options.cause);
}

static gpointer worker_run(gpointer data)
{
    struct worker *worker = data;
    struct zc_sender *sender = worker->sender;
    struct item *item;
    bool go_on = true;

    while (go_on && take(sender, sender->queue, &item)) {
        go_on = item->kind == ITEM_SYNC ? do_sync(worker) : do_pages(worker, item);
        zc_mailbox_put(sender->idle, item, ZC_DEADLINE_NEVER); /* there is always room */
    }
    worker->cpu_ns = zc_clock_thread_cpu_ns();
    return NULL;
}

static bool put_item(struct zc_sender *sender, struct item *item)
{
    return zc_mailbox_put(sender->queue, item, ZC_DEADLINE_NEVER) == 0;
}

/* Queues the item that ranges were collected in. */
static bool flush_pending(struct zc_sender *sender)
{
    struct item *item = g_steal_pointer(&sender->pending);

    return !item || put_item(sender, item);
}

void zc_sender_expect(struct zc_sender *sender, uint64_t n_pages)
{
    sender->n_left = n_pages;
}

/* What the next item takes: less and less of what is left, so that the channels end together. */
static uint32_t portion(const struct zc_sender *sender)
{
    return (uint32_t)CLAMP(sender->n_left / (PORTIONS * sender->options.n_channels),
                           (uint64_t)ITEM_PAGES_MIN, (uint64_t)ITEM_PAGES_MAX);
}

/* The item that takes the next pages of @block, with room in it.  NULL: see cause. */
static struct item *get_pending(struct zc_sender *sender, uint32_t block)
{
    struct item *item = sender->pending;

    if (item && (item->n_pages == sender->pending_max || item->n_ranges == ITEM_RANGES_MAX ||
                 item->ranges[0].block != block)) {
        if (!flush_pending(sender)) {
            return NULL;
        }
    }
    if (!sender->pending) {
        if (!take(sender, sender->idle, &item)) {
            return NULL;
        }
        item->kind = ITEM_PAGES;
        item->n_pages = 0;
        item->n_ranges = 0;
        sender->pending = item;
        sender->pending_max = portion(sender);
    }
    return sender->pending;
}

bool zc_sender_put(struct zc_sender *sender, const struct zc_range *range)
{
    struct zc_range part = *range;
    uint64_t left = range->n_pages;

    while (left) {
        struct item *item = get_pending(sender, range->block);
        if (!item) {
            return false;
        }
        part.n_pages = (uint32_t)MIN(left, sender->pending_max - item->n_pages);
        item->ranges[item->n_ranges++] = part;
        item->n_pages += part.n_pages;
        sender->n_left -= MIN(sender->n_left, part.n_pages);
        part.first_page += part.n_pages;
        left -= part.n_pages;
    }
    return true;
}

/* One for each channel, n_channels times in a row. */
static bool put_sync(struct zc_sender *sender)
{
    struct item *item;

    if (!take(sender, sender->idle, &item)) {
        return false;
    }
    item->kind = ITEM_SYNC;
    return put_item(sender, item);
}

bool zc_sender_sync(struct zc_sender *sender)
{
    bool done;

    if (!flush_pending(sender)) {
        return false;
    }
    for (unsigned int i = 0; i < sender->options.n_channels; i++) {
        if (!put_sync(sender)) {
            return false;
        }
    }
    g_mutex_lock(&sender->sync_lock);
    while (sender->n_synced < sender->options.n_channels &&
           !zc_cause_is_set(sender->options.cause)) {
        g_cond_wait_until(&sender->sync_cond, &sender->sync_lock,
                          g_get_monotonic_time() + QUEUE_POLL_MS * 1000);
    }
    done = sender->n_synced == sender->options.n_channels;
    sender->n_synced = 0;
    sender->sync_epoch++;
    g_cond_broadcast(&sender->sync_cond);
    g_mutex_unlock(&sender->sync_lock);
    return done && !zc_cause_is_set(sender->options.cause);
}

static bool make_channel(struct zc_sender *sender, struct worker *worker, GError **error)
{
    const struct zc_sender_options *options = &sender->options;
    const struct zc_ram *ram = &options->source->ram;
    g_autofree struct iovec *regions = g_new(struct iovec, MAX(ram->n_blocks, 1));
    const struct zc_channel_options channel_options = {
        .regions = regions,
        .n_regions = ram->n_blocks,
        .engine = options->engine,
        .memory_is_stable = options->source->live == NULL,
        .mode = options->route->may_zerocopy ? options->mode : ZC_ZEROCOPY_OFF,
        .budget = options->budget,
        .wake_fd = options->cause->wake_fd,
    };

    if (options->fds[worker->index] < 0) {
        return true;
    }
    int queue_bytes = options->route->queue_bytes;
    if (queue_bytes) {
        /* Best effort: a longer queue balances less well. */
        zc_net_kernel.ops->setsockopt(zc_net_kernel.ctx, options->fds[worker->index], SOL_SOCKET,
                                      SO_SNDBUF, &queue_bytes, sizeof(queue_bytes));
    }
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        regions[i] = (struct iovec){ ram->blocks[i].host, ram->blocks[i].used_bytes };
    }
    worker->channel = zc_channel_new(options->fds[worker->index], &zc_net_kernel, &channel_options);
    return worker->channel ||
           zc_error(error, ZCMIG_ERROR_FAILED, "cannot make channel %u", worker->index);
}

struct zc_sender *zc_sender_start(const struct zc_sender_options *options, GError **error)
{
    struct zc_sender *sender = g_new0(struct zc_sender, 1);
    bool ok = true;

    sender->options = *options;
    sender->n_left = UINT64_MAX;
    sender->n_items = options->n_channels * ITEMS_PER_CHANNEL;
    sender->workers = g_new0(struct worker, options->n_channels);
    sender->items = g_new0(struct item, sender->n_items);
    sender->idle = zc_mailbox_new(sender->n_items, sender->n_items / 4 * 3);
    sender->queue = zc_mailbox_new(sender->n_items, 1);
    g_mutex_init(&sender->sync_lock);
    g_cond_init(&sender->sync_cond);
    for (unsigned int i = 0; i < sender->n_items; i++) {
        zc_mailbox_put(sender->idle, &sender->items[i], ZC_DEADLINE_NEVER);
    }
    for (unsigned int i = 0; ok && i < options->n_channels; i++) {
        sender->workers[i].sender = sender;
        sender->workers[i].index = i;
        ok = make_channel(sender, &sender->workers[i], error);
    }
    for (unsigned int i = 0; ok && i < options->n_channels; i++) {
        g_autofree char *name = g_strdup_printf("zcmig-send-%u", i);
        sender->workers[i].thread = g_thread_try_new(name, worker_run, &sender->workers[i], error);
        ok = sender->workers[i].thread != NULL;
    }
    if (!ok) {
        zc_sender_stop(sender);
        zc_sender_free(sender);
        return NULL;
    }
    return sender;
}

int64_t zc_sender_stop(struct zc_sender *sender)
{
    int64_t cpu_ns = 0;

    zc_mailbox_close(sender->queue);
    for (unsigned int i = 0; i < sender->options.n_channels; i++) {
        struct worker *worker = &sender->workers[i];
        if (worker->thread) {
            g_thread_join(worker->thread);
            worker->thread = NULL;
            cpu_ns += worker->cpu_ns;
        }
    }
    return cpu_ns;
}

void zc_sender_free(struct zc_sender *sender)
{
    if (!sender) {
        return;
    }
    for (unsigned int i = 0; i < sender->options.n_channels; i++) {
        zc_channel_free(sender->workers[i].channel);
    }
    zc_mailbox_free(sender->queue);
    zc_mailbox_free(sender->idle);
    g_mutex_clear(&sender->sync_lock);
    g_cond_clear(&sender->sync_cond);
    g_free(sender->items);
    g_free(sender->workers);
    g_free(sender);
}

void zc_sender_get_counters(struct zc_sender *sender, unsigned int index,
                            struct zc_sender_counters *out)
{
    struct worker *worker = &sender->workers[index];

    *out = (struct zc_sender_counters){ .reason = "", .engine = "none", .engine_reason = "" };
    out->normal_pages = atomic_load_explicit(&worker->normal_pages, memory_order_relaxed);
    out->zero_pages = atomic_load_explicit(&worker->zero_pages, memory_order_relaxed);
    if (worker->channel) {
        zc_channel_counters(worker->channel, &out->channel);
        out->channel.drain_ns =
            (int64_t)atomic_load_explicit(&worker->drain_ns, memory_order_relaxed);
        out->reason = zc_channel_reason(worker->channel);
        out->engine = zc_channel_engine(worker->channel, &out->engine_reason);
    }
}

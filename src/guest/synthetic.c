/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the guest is a source with live ops, RAM, and one crew of writers
 * (synthetic-writer.c).  It is made paused and goes back to paused; the state
 * is only taken and the writers' own fields only touched while it is.
 *
 * A guest that comes in differs from a new one in three things: the RAM is not
 * its own, nothing is filled, and its writers begin at their saved counts.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "guest/synthetic-writer.h"
#include "mem/huge.h"

struct zc_synthetic {
    struct zc_source source; /* first: the source is the guest */
    /* set before start */
    struct zc_synthetic_options options;
    uint8_t boot_id[16];
    bool same_clock;   /* as where it came from */
    uint8_t *own_host; /* NULL: the RAM is the caller's */
    int memory_fd;
    struct zc_tracker *last_tracker; /* of a guest that went: on until the RAM is unmapped */
    struct zc_crew crew;
    struct zc_writer writers[ZC_SYNTHETIC_WRITERS_MAX];
};

/* --------------------------------------------------------------------- RAM */

/* Sealed, so that who gets it (by the route memfd) need not fear that it shrinks. */
static int make_memfd(uint64_t bytes)
{
    int fd = memfd_create("zcmig-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && (ftruncate(fd, (off_t)bytes) < 0 ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)) {
        int saved_errno = errno;
        close(fd);
        errno = saved_errno;
        fd = -1;
    }
    return fd;
}

static bool map_ram(struct zc_synthetic *guest, GError **error)
{
    uint64_t bytes = guest->options.size_bytes;
    int flags = MAP_FIXED | (guest->options.memfd ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);

    if (guest->options.memfd) {
        guest->memory_fd = make_memfd(bytes);
        if (guest->memory_fd < 0) {
            return zc_error_errno(error, ZCMIG_ERROR_LIMIT, errno, "guest: memfd");
        }
    }
    guest->own_host = zc_huge_reserve(bytes);
    if (!guest->own_host || mmap(guest->own_host, bytes, PROT_READ | PROT_WRITE, flags,
                                 guest->memory_fd, 0) == MAP_FAILED) {
        return zc_error_errno(error, ZCMIG_ERROR_LIMIT, errno,
                              "guest: %" G_GUINT64_FORMAT " bytes of RAM", bytes);
    }
    if (guest->options.hugepages) {
        madvise(guest->own_host, bytes, MADV_HUGEPAGE);
    }
    guest->crew.host = guest->own_host;
    return zc_ram_add(&guest->source.ram, ZC_SYNTHETIC_BLOCK, guest->own_host, bytes, error) == 0;
}

static void fill_ram(struct zc_synthetic *guest)
{
    uint64_t n_pages = guest->options.size_bytes / ZC_PAGE_BYTES;

    for (uint64_t page = 0; page < n_pages; page++) {
        struct zc_stamp stamp = {
            .page = (uint32_t)page,
            .writer = (uint16_t)(page % guest->options.writers),
        };
        if (!zc_synthetic_starts_zero(&guest->options, page)) {
            zc_stamp_write(guest->crew.host + page * ZC_PAGE_BYTES, &stamp, guest->options.seed);
        }
    }
}

/* --------------------------------------------------------------------- ops */

static struct zc_synthetic *from_source(struct zc_source *source)
{
    return (struct zc_synthetic *)source;
}

static void source_free(struct zc_source *source)
{
    zc_synthetic_free(from_source(source));
}

/* A live page may turn from zero to content, so nothing is known without reading. */
static uint64_t source_next_hole(struct zc_source *source, uint32_t block, uint64_t page,
                                 uint64_t *first_out)
{
    (void)source;
    (void)block;
    (void)page;
    (void)first_out;
    return 0;
}

static bool source_check(struct zc_source *source, GError **error)
{
    (void)source;
    (void)error;
    return true;
}

static const struct zc_source_ops source_ops = {
    .free = source_free,
    .next_hole = source_next_hole,
    .check = source_check,
};

static int live_pause(struct zc_source *source, zc_deadline deadline)
{
    return zc_synthetic_pause(from_source(source), deadline);
}

static void live_resume(struct zc_source *source)
{
    zc_synthetic_resume(from_source(source));
}

static struct zc_tracker *live_start_tracker(struct zc_source *source, enum zc_tracker_kind kind,
                                             GError **error)
{
    struct zc_tracker *tracker = zc_tracker_new(kind, NULL, error);

    if (tracker && !zc_tracker_start(tracker, &source->ram, error)) {
        g_clear_pointer(&tracker, zc_tracker_free);
    }
    atomic_store(&from_source(source)->crew.tracked, tracker != NULL);
    return tracker;
}

static void live_stop_tracker(struct zc_source *source, struct zc_tracker *tracker, bool gone)
{
    struct zc_synthetic *guest = from_source(source);

    if (gone && guest->own_host) {
        guest->last_tracker = tracker;
    } else {
        zc_tracker_free(tracker);
    }
    atomic_store(&guest->crew.tracked, false);
}

static GBytes *live_save_state(struct zc_source *source, GError **error)
{
    return zc_synthetic_save_state(from_source(source), error);
}

static bool live_rehearse(struct zc_source *source, int64_t *took_ns_out, GError **error)
{
    return zc_synthetic_rehearse(from_source(source), took_ns_out, error);
}

static int64_t live_cpu_ns(struct zc_source *source)
{
    struct zc_synthetic *guest = from_source(source);
    int64_t sum_ns = 0;

    for (uint32_t i = 0; i < guest->options.writers; i++) {
        sum_ns += zc_writer_cpu_ns(&guest->writers[i]);
    }
    return sum_ns;
}

static void live_set_throttle(struct zc_source *source, unsigned int percent)
{
    zc_synthetic_set_throttle(from_source(source), percent);
}

static int live_memory_fd(struct zc_source *source, uint32_t block)
{
    (void)block;
    return from_source(source)->memory_fd;
}

static const struct zc_live_ops live_ops = {
    .pause = live_pause,
    .resume = live_resume,
    .start_tracker = live_start_tracker,
    .stop_tracker = live_stop_tracker,
    .save_state = live_save_state,
    .rehearse = live_rehearse,
    .cpu_ns = live_cpu_ns,
    .set_throttle = live_set_throttle,
    .memory_fd = live_memory_fd,
};

/* -------------------------------------------------------------- life cycle */

static void read_boot_id(uint8_t *boot_id)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    int character;
    unsigned int digits = 0;

    memset(boot_id, 0, 16);
    while (file && digits < 32 && (character = getc(file)) != EOF) {
        int value = g_ascii_xdigit_value((char)character);
        if (value >= 0) {
            boot_id[digits / 2] = (uint8_t)(boot_id[digits / 2] << 4 | value);
            digits++;
        }
    }
    if (file) {
        fclose(file);
    }
}

static struct zc_synthetic *new_guest(const struct zc_synthetic_options *options)
{
    struct zc_synthetic *guest = g_new0(struct zc_synthetic, 1);

    guest->source.ops = &source_ops;
    guest->source.live = &live_ops;
    guest->source.uri = g_strdup("guest");
    zc_ram_init(&guest->source.ram);
    guest->options = *options;
    guest->memory_fd = -1;
    read_boot_id(guest->boot_id);
    guest->crew.seed = options->seed;
    guest->crew.want = ZC_WRITER_PARK;
    g_mutex_init(&guest->crew.lock);
    g_cond_init(&guest->crew.want_changed);
    g_cond_init(&guest->crew.parked);
    return guest;
}

static void start_writer(struct zc_synthetic *guest, uint32_t index,
                         const struct zc_synthetic_writer_state *state, bool same_clock)
{
    struct zc_writer *writer = &guest->writers[index];
    uint64_t rate = guest->options.dirty_bytes;
    int64_t now_ns = zc_clock_now_ns();

    writer->crew = &guest->crew;
    zc_walk_init(&writer->walk, &guest->options, index, state->key);
    /* What does not divide evenly is the first writer's. */
    uint64_t share =
        rate / guest->options.writers + (index == 0 ? rate % guest->options.writers : 0);
    zc_pacer_init(&writer->pacer, rate == ZC_SYNTHETIC_DIRTY_MAX ? rate : share, now_ns);
    writer->writes = state->writes;
    writer->last_write_ns = same_clock && state->last_write_ns <= now_ns ? state->last_write_ns : 0;
    writer->arrives = writer->last_write_ns != 0;
    writer->thread = g_thread_new("zc-writer", zc_writer_thread, writer);
}

struct zc_synthetic *zc_synthetic_new(const struct zc_synthetic_options *options, GError **error)
{
    if (!zc_synthetic_options_check(options, ZCMIG_ERROR_USAGE, error)) {
        return NULL;
    }
    struct zc_synthetic *guest = new_guest(options);
    if (!map_ram(guest, error)) {
        zc_synthetic_free(guest);
        return NULL;
    }
    madvise(guest->crew.host, options->size_bytes, MADV_DONTFORK);
    fill_ram(guest);
    for (uint32_t i = 0; i < options->writers; i++) {
        struct zc_synthetic_writer_state state = {
            .key = zc_stamp_mix(options->seed + UINT64_C(0xa0761d6478bd642f) * (i + 1))
        };
        start_writer(guest, i, &state, true);
    }
    zc_synthetic_pause(guest, ZC_DEADLINE_NEVER); /* they begin parked, but have to get there */
    return guest;
}

struct zc_synthetic *zc_synthetic_new_incoming(const struct zc_ram *ram,
                                               const struct zc_synthetic_state *state,
                                               GError **error)
{
    if (!zc_synthetic_options_check(&state->options, ZCMIG_ERROR_PROTOCOL, error)) {
        return NULL;
    }
    if (ram->n_blocks != 1 || !g_str_equal(ram->blocks[0].name, ZC_SYNTHETIC_BLOCK) ||
        ram->blocks[0].used_bytes != state->options.size_bytes) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "guest state: got RAM of %u blocks and %" G_GUINT64_FORMAT
                 " bytes, the state is of one block '%s' of %" G_GUINT64_FORMAT,
                 ram->n_blocks, zc_ram_bytes(ram), ZC_SYNTHETIC_BLOCK, state->options.size_bytes);
        return NULL;
    }
    struct zc_synthetic *guest = new_guest(&state->options);
    guest->crew.host = ram->blocks[0].host;
    zc_ram_add(&guest->source.ram, ZC_SYNTHETIC_BLOCK, ram->blocks[0].host,
               ram->blocks[0].used_bytes, NULL);
    madvise(guest->crew.host, state->options.size_bytes, MADV_DONTFORK);
    guest->same_clock = memcmp(guest->boot_id, state->boot_id, sizeof(guest->boot_id)) == 0;
    for (uint32_t i = 0; i < state->options.writers; i++) {
        start_writer(guest, i, &state->writers[i], guest->same_clock);
    }
    zc_synthetic_pause(guest, ZC_DEADLINE_NEVER);
    return guest;
}

static void set_want(struct zc_crew *crew, enum zc_writer_want want)
{
    g_mutex_lock(&crew->lock);
    /* release: pairs with the load in zc_writer_thread */
    atomic_store_explicit(&crew->want, want, memory_order_release);
    g_cond_broadcast(&crew->want_changed);
    g_mutex_unlock(&crew->lock);
}

void zc_synthetic_free(struct zc_synthetic *guest)
{
    if (!guest) {
        return;
    }
    set_want(&guest->crew, ZC_WRITER_QUIT);
    for (uint32_t i = 0; i < guest->options.writers; i++) {
        if (guest->writers[i].thread) {
            g_thread_join(guest->writers[i].thread);
        }
    }
    if (guest->own_host) {
        munmap(guest->own_host, guest->options.size_bytes);
    }
    zc_tracker_free_unmapped(guest->last_tracker);
    if (guest->memory_fd >= 0) {
        close(guest->memory_fd);
    }
    zc_ram_clear(&guest->source.ram);
    g_free(guest->source.uri);
    g_mutex_clear(&guest->crew.lock);
    g_cond_clear(&guest->crew.want_changed);
    g_cond_clear(&guest->crew.parked);
    g_free(guest);
}

struct zc_source *zc_synthetic_source(struct zc_synthetic *guest)
{
    return &guest->source;
}

struct zc_synthetic *zc_synthetic_from_source(struct zc_source *source)
{
    return source->ops == &source_ops ? from_source(source) : NULL;
}

struct zc_source *zc_synthetic_open(const char *uri, GError **error)
{
    struct zc_synthetic_options options;

    if (!zc_synthetic_options_parse(uri, &options, error)) {
        return NULL;
    }
    struct zc_synthetic *guest = zc_synthetic_new(&options, error);
    if (!guest) {
        return NULL;
    }
    g_free(guest->source.uri);
    guest->source.uri = g_strdup(uri);
    zc_synthetic_resume(guest);
    return &guest->source;
}

int zc_synthetic_memory_fd(const struct zc_synthetic *guest)
{
    return guest->memory_fd;
}

/* --------------------------------------------------------- pause and state */

int zc_synthetic_pause(struct zc_synthetic *guest, zc_deadline deadline)
{
    struct zc_crew *crew = &guest->crew;
    bool in_time = true;

    set_want(crew, ZC_WRITER_PARK);
    g_mutex_lock(&crew->lock);
    while (crew->n_parked < guest->options.writers && in_time) {
        if (deadline == ZC_DEADLINE_NEVER) {
            g_cond_wait(&crew->parked, &crew->lock);
        } else {
            in_time = g_cond_wait_until(&crew->parked, &crew->lock, deadline / 1000);
        }
    }
    bool paused = crew->n_parked == guest->options.writers;
    g_mutex_unlock(&crew->lock);
    if (!paused) {
        zc_synthetic_resume(guest);
        return -ETIMEDOUT;
    }
    return 0;
}

void zc_synthetic_resume(struct zc_synthetic *guest)
{
    set_want(&guest->crew, ZC_WRITER_RUN);
}

static bool is_paused(struct zc_synthetic *guest)
{
    g_mutex_lock(&guest->crew.lock);
    bool paused =
        guest->crew.want == ZC_WRITER_PARK && guest->crew.n_parked == guest->options.writers;
    g_mutex_unlock(&guest->crew.lock);
    return paused;
}

bool zc_synthetic_get_state(struct zc_synthetic *guest, struct zc_synthetic_state *state_out,
                            GError **error)
{
    if (!is_paused(guest)) {
        return zc_error(error, ZCMIG_ERROR_FAILED, "guest: its state is taken while it runs");
    }
    *state_out = (struct zc_synthetic_state){ .options = guest->options };
    memcpy(state_out->boot_id, guest->boot_id, sizeof(guest->boot_id));
    for (uint32_t i = 0; i < guest->options.writers; i++) {
        state_out->writers[i] = (struct zc_synthetic_writer_state){
            .key = guest->writers[i].walk.key,
            .writes = guest->writers[i].writes,
            .last_write_ns = guest->writers[i].last_write_ns,
        };
    }
    return true;
}

GBytes *zc_synthetic_save_state(struct zc_synthetic *guest, GError **error)
{
    struct zc_synthetic_state state;
    uint8_t bytes[ZC_SYNTHETIC_STATE_BYTES_MAX];

    if (!zc_synthetic_get_state(guest, &state, error)) {
        return NULL;
    }
    return g_bytes_new(bytes, zc_synthetic_state_encode(&state, bytes));
}

bool zc_synthetic_rehearse(struct zc_synthetic *guest, int64_t *took_ns_out, GError **error)
{
    int64_t begin_ns = zc_clock_now_ns();
    struct zc_synthetic_state state = { .options = guest->options };
    uint8_t bytes[ZC_SYNTHETIC_STATE_BYTES_MAX];

    state.options.dirty_bytes = 0;
    memcpy(state.boot_id, guest->boot_id, sizeof(state.boot_id));
    size_t length = zc_synthetic_state_encode(&state, bytes);
    struct zc_synthetic *twin = zc_synthetic_load_state(bytes, length, &state, error)
                                    ? zc_synthetic_new_incoming(&guest->source.ram, &state, error)
                                    : NULL;
    if (!twin) {
        return false;
    }
    zc_synthetic_resume(twin);
    g_mutex_lock(&twin->crew.lock);
    while (twin->crew.n_parked) {
        g_cond_wait(&twin->crew.parked, &twin->crew.lock);
    }
    g_mutex_unlock(&twin->crew.lock);
    zc_synthetic_pause(twin, ZC_DEADLINE_NEVER);
    *took_ns_out = zc_clock_now_ns() - begin_ns;
    zc_synthetic_free(twin);
    return true;
}

void zc_synthetic_set_throttle(struct zc_synthetic *guest, unsigned int percent)
{
    atomic_store_explicit(&guest->crew.throttle, MIN(percent, 99), memory_order_relaxed);
}

void zc_synthetic_step(struct zc_synthetic *guest, uint64_t writes)
{
    g_return_if_fail(is_paused(guest));
    for (uint64_t i = 0; i < writes; i++) {
        for (uint32_t writer = 0; writer < guest->options.writers; writer++) {
            int64_t took_ns;
            zc_writer_write(&guest->writers[writer], &took_ns);
        }
    }
}

void zc_synthetic_get_timeline(struct zc_synthetic *guest, struct zc_synthetic_timeline *out)
{
    *out = (struct zc_synthetic_timeline){ .writes = 0 };
    for (uint32_t i = 0; i < guest->options.writers; i++) {
        zc_writer_add_timeline(&guest->writers[i], out);
    }
}

bool zc_synthetic_has_clock_of_before(const struct zc_synthetic *guest)
{
    return guest->same_clock;
}

void zc_synthetic_reset_gap(struct zc_synthetic *guest)
{
    for (uint32_t i = 0; i < guest->options.writers; i++) {
        atomic_store_explicit(&guest->writers[i].gap_ns, 0, memory_order_relaxed);
    }
}

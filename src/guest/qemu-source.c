/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The RAM of a QEMU's guest that stands still, to be digested.
 *
 * Design: a block is read by the first way that can: its memory file, which
 * anybody may read who may look at the process; the memory of the process,
 * which takes the right to attach to it; pmemsave, which takes nothing but the
 * monitor, and reaches only what the guest can address at that moment.  Which
 * way it is, and what no way reaches, is told.  Nothing is mapped: chunks are
 * read into a buffer that stays in the cache, and digested there.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "guest/qemu-pmemsave.h"
#include "guest/qemu-process.h"
#include "guest/qemu.h"

#define CHUNK_PAGES 64u            /* read and digested while in the cache */
#define CHUNK_PAGES_PMEMSAVE 1024u /* each is a command */
#define PAGE_ALIGNMENT 64u         /* of zc_page_is_zero */

struct reader {
    enum zc_qemu_way way; /* AUTO: none */
    int fd;               /* FILE, and -1 */
    uint64_t at;          /* FILE: offset of the block in it; PROCESS: its address */
};

struct qemu_source {
    struct zc_source source;
    /* set before start */
    struct zc_qmp *qmp;
    struct zc_qmp *own_qmp; /* to be freed */
    struct zc_qemu_address address;
    struct zc_qemu_process *process; /* NULL: it may not be looked at */
    struct reader *readers;          /* one a block */
    GArray *pieces;                  /* struct zc_qemu_piece; PMEMSAVE */
    /* under lock */
    GMutex lock; /* of the monitor too */
    struct zc_pmemsave *pmemsave;
    GError *failure; /* the first of any thread */
};

static const char *const way_names[ZC_QEMU_N_WAYS] = {
    [ZC_QEMU_FILE] = "memory file",
    [ZC_QEMU_PROCESS] = "process memory",
    [ZC_QEMU_MONITOR] = "pmemsave",
};

static void qemu_source_free(struct zc_source *base)
{
    struct qemu_source *source = (struct qemu_source *)base;

    for (uint32_t i = 0; source->readers && i < base->ram.n_blocks; i++) {
        zc_fd_clear(&source->readers[i].fd);
    }
    g_free(source->readers);
    g_array_unref(source->pieces);
    zc_pmemsave_free(source->pmemsave);
    zc_qemu_process_free(source->process);
    zc_qmp_free(source->own_qmp);
    zc_qemu_address_clear(&source->address);
    g_clear_error(&source->failure);
    g_mutex_clear(&source->lock);
    zc_ram_clear(&base->ram);
    g_free(base->way);
    g_free(base->uri);
    g_free(source);
}

/* ------------------------------------------------------------------ reading */

/* Takes @error as the source's failure; only the first counts. */
static void fail(struct qemu_source *source, GError *error)
{
    if (source->failure) {
        g_error_free(error);
    } else {
        source->failure = error;
    }
}

static int read_file(const struct reader *reader, uint64_t offset, uint8_t *buffer, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n =
            pread(reader->fd, buffer + done, bytes - done, (off_t)(reader->at + offset + done));
        if (n <= 0 && errno != EINTR) {
            return n < 0 ? -errno : -ENODATA;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void digest_pages(const uint8_t *content, uint64_t n_pages, uint64_t *digests)
{
    for (uint64_t i = 0; i < n_pages; i++, content += ZC_PAGE_BYTES) {
        digests[i] = zc_page_is_zero(content) ? ZC_DIGEST_ZERO_PAGE : zc_digest_page(content);
    }
}

/* By file or process. */
static void digest_directly(struct qemu_source *source, const struct zc_range *range,
                            uint8_t *buffer, uint64_t *digests)
{
    const struct reader *reader = &source->readers[range->block];
    GError *error = NULL;

    for (uint32_t done = 0; done < range->n_pages;) {
        uint32_t n = MIN(range->n_pages - done, CHUNK_PAGES);
        uint64_t offset = (range->first_page + done) * ZC_PAGE_BYTES;
        size_t bytes = (size_t)n * ZC_PAGE_BYTES;
        int rc = reader->way == ZC_QEMU_FILE
                     ? read_file(reader, offset, buffer, bytes)
                     : zc_qemu_process_read(source->process, reader->at + offset, buffer, bytes);
        if (rc < 0) {
            zc_error_errno(&error, ZCMIG_ERROR_SOURCE, rc,
                           "%s: cannot read block '%s' at 0x%" G_GINT64_MODIFIER "x",
                           way_names[reader->way], source->source.ram.blocks[range->block].name,
                           offset);
            g_mutex_lock(&source->lock);
            fail(source, error);
            g_mutex_unlock(&source->lock);
            return;
        }
        digest_pages(buffer, n, digests + done);
        done += n;
    }
}

/* The part of @piece that lies in pages [first, end) of its block, in whole pages. */
static bool clip(const struct zc_qemu_piece *piece, uint64_t *first, uint64_t *end)
{
    uint64_t piece_first = (piece->offset + ZC_PAGE_BYTES - 1) / ZC_PAGE_BYTES;
    uint64_t piece_end = (piece->offset + piece->bytes) / ZC_PAGE_BYTES;

    *first = MAX(*first, piece_first);
    *end = MIN(*end, piece_end);
    return *first < *end;
}

static void digest_by_monitor(struct qemu_source *source, const struct zc_range *range,
                              uint8_t *buffer, uint64_t *digests)
{
    const char *name = source->source.ram.blocks[range->block].name;
    GError *error = NULL;

    g_mutex_lock(&source->lock);
    for (guint i = 0; i < source->pieces->len; i++) {
        const struct zc_qemu_piece *piece = &g_array_index(source->pieces, struct zc_qemu_piece, i);
        uint64_t first = range->first_page, end = range->first_page + range->n_pages;
        if (!zc_qemu_text_is_region(piece->region, name) || !clip(piece, &first, &end)) {
            continue;
        }
        for (uint64_t n; first < end && !source->failure; first += n) {
            n = MIN(end - first, CHUNK_PAGES_PMEMSAVE);
            uint64_t address = piece->guest_address + (first * ZC_PAGE_BYTES - piece->offset);
            if (zc_pmemsave_read(source->pmemsave, source->qmp, address, buffer, n * ZC_PAGE_BYTES,
                                 &error)) {
                digest_pages(buffer, n, digests + (first - range->first_page));
            } else {
                fail(source, error);
            }
        }
    }
    g_mutex_unlock(&source->lock);
}

static void qemu_source_digest(struct zc_source *base, const struct zc_range *range,
                               uint64_t *digests)
{
    struct qemu_source *source = (struct qemu_source *)base;
    enum zc_qemu_way way = source->readers[range->block].way;
    uint32_t n_pages = way == ZC_QEMU_MONITOR ? CHUNK_PAGES_PMEMSAVE : CHUNK_PAGES;

    if (way == ZC_QEMU_AUTO) {
        return;
    }
    uint8_t *buffer = g_aligned_alloc(n_pages, ZC_PAGE_BYTES, PAGE_ALIGNMENT);
    if (way == ZC_QEMU_MONITOR) {
        digest_by_monitor(source, range, buffer, digests);
    } else {
        digest_directly(source, range, buffer, digests);
    }
    g_aligned_free(buffer);
}

static uint64_t qemu_source_next_hole(struct zc_source *base, uint32_t block, uint64_t page,
                                      uint64_t *first_out)
{
    (void)base;
    (void)block;
    (void)page;
    (void)first_out;
    return 0;
}

/* Takes the events that came, and returns whether the guest was continued. */
static bool take_events(struct qemu_source *source)
{
    JsonObject *event;
    bool ran = false;

    while ((event = zc_qmp_take_event(source->qmp))) {
        ran = ran || g_strcmp0(json_object_get_string_member_with_default(event, "event", ""),
                               "RESUME") == 0;
        json_object_unref(event);
    }
    return ran;
}

/* A guest that was continued and stopped again stands still and has another RAM. */
static bool qemu_source_check(struct zc_source *base, GError **error)
{
    struct qemu_source *source = (struct qemu_source *)base;

    if (source->failure) {
        g_propagate_error(error, g_error_copy(source->failure));
        return false;
    }
    if (!zc_qemu_check_still(source->qmp, "after its RAM was read", error)) {
        return false;
    }
    return !take_events(source) ||
           zc_error(error, ZCMIG_ERROR_SOURCE, "QEMU: the guest ran while its RAM was read");
}

static const struct zc_source_ops qemu_source_ops = {
    .free = qemu_source_free,
    .next_hole = qemu_source_next_hole,
    .digest = qemu_source_digest,
    .check = qemu_source_check,
};

/* ------------------------------------------------------------ choosing a way */

/* What the monitor's command for people @line prints; the caller frees. */
static char *ask(struct qemu_source *source, const char *line, GError **error)
{
    JsonObject *arguments = json_object_new();

    json_object_set_string_member(arguments, "command-line", line);
    g_autoptr(JsonNode) returned = zc_qmp_execute(source->qmp, "human-monitor-command", arguments,
                                                  zc_deadline_in(ZC_QEMU_ANSWER_MS), error);
    if (!returned) {
        return NULL;
    }
    if (!JSON_NODE_HOLDS_VALUE(returned) || !json_node_get_string(returned)) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL, "QEMU: %s: got no text", line);
        return NULL;
    }
    return g_strdup(json_node_get_string(returned));
}

/* @property of the memory object behind @block; NULL: it has none, or there is no such object. */
static JsonNode *ask_property(struct qemu_source *source, const struct zc_qemu_block *block,
                              const char *property)
{
    JsonObject *arguments = json_object_new();
    g_autofree char *path = g_path_is_absolute(block->name)
                                ? g_strdup(block->name)
                                : g_strconcat("/objects/", block->name, NULL);

    json_object_set_string_member(arguments, "path", path);
    json_object_set_string_member(arguments, "property", property);
    JsonNode *returned =
        zc_qmp_execute(source->qmp, "qom-get", arguments, zc_deadline_in(ZC_QEMU_ANSWER_MS), NULL);
    if (returned && !JSON_NODE_HOLDS_VALUE(returned)) {
        g_clear_pointer(&returned, json_node_unref);
    }
    return returned;
}

/* Without sharing, a file is only what the memory once began as. */
static bool is_shared(struct qemu_source *source, const struct zc_qemu_block *block)
{
    g_autoptr(JsonNode) share = ask_property(source, block, "share");

    return share && json_node_get_boolean(share);
}

/* Memory of a backend at offset 0 of a file that can be opened by its name. */
static bool open_backend(struct qemu_source *source, const struct zc_qemu_block *block,
                         struct reader *reader)
{
    g_autoptr(JsonNode) path = ask_property(source, block, "mem-path");
    struct stat st;

    if (!path || !json_node_get_string(path)) {
        return false;
    }
    reader->fd = open(json_node_get_string(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    reader->at = 0;
    if (reader->fd >= 0 && (fstat(reader->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
                            (uint64_t)st.st_size != block->total_bytes)) {
        zc_fd_clear(&reader->fd);
    }
    return reader->fd >= 0;
}

static bool by_file(struct qemu_source *source, const struct zc_qemu_block *block,
                    struct reader *reader)
{
    if (block->host == 0 && !is_shared(source, block)) {
        return false;
    }
    if (!source->process) {
        return is_shared(source, block) && open_backend(source, block, reader);
    }
    reader->fd = zc_qemu_process_open_file(source->process, block->host,
                                           block->host ? block->used_bytes : block->total_bytes,
                                           &reader->at);
    return reader->fd >= 0;
}

static bool by_process(struct qemu_source *source, const struct zc_qemu_block *block,
                       struct reader *reader)
{
    uint64_t probe;

    reader->at = block->host;
    return source->process &&
           zc_qemu_process_has(source->process, block->host, block->used_bytes) &&
           zc_qemu_process_read(source->process, block->host, &probe, sizeof(probe)) == 0;
}

/* Some of it has an address, and no other block can be meant by that. */
static bool by_monitor(struct qemu_source *source, const struct zc_qemu_block *block)
{
    const struct zc_ram *ram = &source->source.ram;
    bool found = false;

    for (guint i = 0; i < source->pieces->len; i++) {
        const char *region = g_array_index(source->pieces, struct zc_qemu_piece, i).region;
        unsigned int n_meant = 0;
        for (uint32_t other = 0; other < ram->n_blocks; other++) {
            n_meant += zc_qemu_text_is_region(region, ram->blocks[other].name);
        }
        if (zc_qemu_text_is_region(region, block->name)) {
            found = true;
            if (n_meant > 1) {
                return false;
            }
        }
    }
    return found;
}

static void choose(struct qemu_source *source, const struct zc_qemu_block *block,
                   struct reader *reader)
{
    enum zc_qemu_way wanted = source->address.way;

    if ((wanted == ZC_QEMU_AUTO || wanted == ZC_QEMU_FILE) && by_file(source, block, reader)) {
        reader->way = ZC_QEMU_FILE;
    } else if ((wanted == ZC_QEMU_AUTO || wanted == ZC_QEMU_PROCESS) &&
               by_process(source, block, reader)) {
        reader->way = ZC_QEMU_PROCESS;
    } else if ((wanted == ZC_QEMU_AUTO || wanted == ZC_QEMU_MONITOR) && by_monitor(source, block)) {
        reader->way = ZC_QEMU_MONITOR;
    }
}

/* How many pages of block @index no piece has. */
static uint64_t count_beyond(const struct qemu_source *source, uint32_t index)
{
    const struct zc_block *block = &source->source.ram.blocks[index];
    uint64_t n = zc_block_pages(block);

    for (guint i = 0; i < source->pieces->len; i++) {
        const struct zc_qemu_piece *piece = &g_array_index(source->pieces, struct zc_qemu_piece, i);
        uint64_t first = 0, end = zc_block_pages(block);
        if (zc_qemu_text_is_region(piece->region, block->name) && clip(piece, &first, &end)) {
            n -= MIN(n, end - first);
        }
    }
    return n;
}

/* "process memory of 123 (8 blocks), memory file (1 block); not read: pc.rom": the source's way. */
static void describe(struct qemu_source *source)
{
    struct zc_source *base = &source->source;
    GString *text = g_string_new(NULL);
    GString *beyond = g_string_new(NULL);

    for (enum zc_qemu_way way = ZC_QEMU_FILE; way <= ZC_QEMU_MONITOR; way++) {
        unsigned int n = 0;
        for (uint32_t i = 0; i < base->ram.n_blocks; i++) {
            n += source->readers[i].way == way;
        }
        if (n) {
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", way_names[way]);
            if (way == ZC_QEMU_PROCESS) {
                g_string_append_printf(text, " of %d",
                                       (int)zc_qemu_process_get_pid(source->process));
            }
            g_string_append_printf(text, " (%u block%s)", n, n == 1 ? "" : "s");
        }
    }
    for (uint32_t i = 0; i < base->ram.n_blocks; i++) {
        const char *name = base->ram.blocks[i].name;
        enum zc_qemu_way way = source->readers[i].way;
        uint64_t n = way == ZC_QEMU_MONITOR ? count_beyond(source, i) : 0;
        if (way == ZC_QEMU_AUTO) {
            g_string_append_printf(beyond, "%s%s", beyond->len ? ", " : "", name);
        } else if (n) {
            g_string_append_printf(beyond, "%s%" G_GUINT64_FORMAT " page%s of %s",
                                   beyond->len ? ", " : "", n, n == 1 ? "" : "s", name);
        }
    }
    base->partial = beyond->len > 0;
    if (beyond->len) {
        g_string_append_printf(text, "; not read: %s", beyond->str);
    }
    g_string_free(beyond, TRUE);
    base->way = g_string_free(text, FALSE);
}

/* ------------------------------------------------------------------ opening */

/* The process may be out of reach: then @why says so, and other ways are left. */
static void open_process(struct qemu_source *source, GArray *blocks, GError **why)
{
    int pid = source->address.pid ? source->address.pid : zc_qmp_get_peer_pid(source->qmp);

    if (source->address.way == ZC_QEMU_MONITOR) {
        return;
    }
    if (pid <= 0) {
        zc_error(why, ZCMIG_ERROR_SOURCE,
                 "the process behind the monitor is not known: ,pid=N "
                 "names it");
        return;
    }
    source->process = zc_qemu_process_open(pid, why);
    int rc = source->process ? zc_qemu_process_find_blocks(source->process, blocks) : 0;
    if (rc < 0) {
        zc_error_errno(why, ZCMIG_ERROR_SOURCE, rc, "cannot read the memory of process %d", pid);
    }
}

static bool open_pieces(struct qemu_source *source, GError **error)
{
    g_autofree char *text = ask(source, "info mtree -f", error);

    if (!text || !zc_qemu_text_layout(text, source->pieces, error)) {
        return false;
    }
    source->pmemsave = zc_pmemsave_new(error);
    return source->pmemsave != NULL;
}

static unsigned int count_unread(const struct qemu_source *source)
{
    unsigned int n = 0;

    for (uint32_t i = 0; i < source->source.ram.n_blocks; i++) {
        n += source->readers[i].way == ZC_QEMU_AUTO;
    }
    return n;
}

/* Finds a way for each block that can be read at all. */
static bool open_readers(struct qemu_source *source, GArray *blocks, GError **error)
{
    bool monitor_may =
        source->address.way == ZC_QEMU_AUTO || source->address.way == ZC_QEMU_MONITOR;
    g_autoptr(GError) why = NULL;

    open_process(source, blocks, &why);
    for (unsigned int round = 0; round < 2; round++) {
        /* The monitor's way is opened only when it is needed. */
        if (round == 1 && (!monitor_may || count_unread(source) == 0)) {
            break;
        }
        if (round == 1 && !open_pieces(source, error)) {
            return false;
        }
        for (uint32_t i = 0; i < blocks->len; i++) {
            if (source->readers[i].way == ZC_QEMU_AUTO) {
                choose(source, &g_array_index(blocks, struct zc_qemu_block, i),
                       &source->readers[i]);
            }
        }
    }
    return count_unread(source) < blocks->len ||
           zc_error(error, ZCMIG_ERROR_SOURCE, "'%s': no block of its RAM can be read: %s",
                    source->source.uri,
                    why ? why->message : "none of them can be read in that way");
}

static bool open_source(struct qemu_source *source, GError **error)
{
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(struct zc_qemu_block));
    g_autofree char *text = NULL;

    if (!zc_qemu_check_still(source->qmp, "to read its RAM", error) ||
        !(text = ask(source, "info ramblock", error)) ||
        !zc_qemu_text_blocks(text, blocks, error)) {
        return false;
    }
    take_events(source); /* of before */
    for (guint i = 0; i < blocks->len; i++) {
        const struct zc_qemu_block *block = &g_array_index(blocks, struct zc_qemu_block, i);
        if (zc_ram_add(&source->source.ram, block->name, NULL, block->used_bytes, error) < 0) {
            return false;
        }
    }
    source->readers = g_new0(struct reader, blocks->len);
    for (guint i = 0; i < blocks->len; i++) {
        source->readers[i].fd = -1;
    }
    if (!open_readers(source, blocks, error)) {
        return false;
    }
    describe(source);
    return true;
}

static struct qemu_source *new_source(const char *uri)
{
    struct qemu_source *source = g_new0(struct qemu_source, 1);

    source->source.ops = &qemu_source_ops;
    source->source.uri = g_strdup(uri);
    source->pieces = g_array_new(FALSE, FALSE, sizeof(struct zc_qemu_piece));
    g_mutex_init(&source->lock);
    zc_ram_init(&source->source.ram);
    return source;
}

struct zc_source *zc_qemu_source_new(struct zc_qmp *qmp, const struct zc_qemu_address *address,
                                     GError **error)
{
    g_autofree char *uri = g_strconcat(ZC_QEMU_SCHEME, address->path, NULL);
    struct qemu_source *source = new_source(uri);

    source->qmp = qmp;
    source->address = *address;
    source->address.path = g_strdup(address->path);
    if (!open_source(source, error)) {
        qemu_source_free(&source->source);
        return NULL;
    }
    return &source->source;
}

struct zc_source *zc_qemu_source_open(const char *uri, const char *rest, GError **error)
{
    struct qemu_source *source = new_source(uri);
    bool good = zc_qemu_address_parse(rest, &source->address, error);

    if (good) {
        source->own_qmp =
            zc_qmp_connect(source->address.path, zc_deadline_in(ZC_QEMU_ANSWER_MS), -1, error);
    }
    source->qmp = source->own_qmp;
    if (!source->qmp || !open_source(source, error)) {
        qemu_source_free(&source->source);
        return NULL;
    }
    return &source->source;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a directory under a hidden name beside the one that it will be, and
 * in it an image store (image-store.c) for each block; those files have no
 * name until commit.  commit names them, writes the small files, and renames
 * the directory last.  A snapshot that is replaced is exchanged in one step
 * and removed after that.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "guest/snapshot.h"

struct snapshot_store {
    struct zc_store base;
    char *path;
    char *hidden; /* NULL once it has its name */
    bool overwrite;
    struct zc_ram *ram; /* the receiver's, from allocate on */
    struct zc_store **images;
    uint32_t n_images;
    char **files; /* of the images, below hidden */
    const struct zc_snapshot *snapshot;
    const struct zc_manifest *manifest;
};

static const char *const small_files[] = { "index.json", "configuration", "devices",
                                           "devices-early", "pages.manifest" };

/* Removes what a snapshot consists of, and nothing else. */
static void remove_snapshot(const char *directory)
{
    g_autofree char *ram = g_build_filename(directory, "ram", NULL);
    GDir *dir = g_dir_open(ram, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(ram, name, NULL);
        unlink(file);
    }
    if (dir) {
        g_dir_close(dir);
    }
    rmdir(ram);
    for (size_t i = 0; i < G_N_ELEMENTS(small_files); i++) {
        g_autofree char *file = g_build_filename(directory, small_files[i], NULL);
        unlink(file);
    }
    if (rmdir(directory) < 0) {
        zc_warning("'%s' is not empty: it is left there", directory);
    }
}

static void snapshot_store_free(struct zc_store *base)
{
    struct snapshot_store *store = (struct snapshot_store *)base;

    for (uint32_t i = 0; i < store->n_images; i++) {
        zc_store_free(store->images[i]);
        g_free(store->files[i]);
    }
    if (store->hidden) {
        remove_snapshot(store->hidden);
    }
    g_free(store->images);
    g_free(store->files);
    g_free(store->hidden);
    g_free(store->path);
    g_free(store);
}

static bool snapshot_store_allocate(struct zc_store *base, struct zc_ram *ram, GError **error)
{
    struct snapshot_store *store = (struct snapshot_store *)base;

    store->ram = ram;
    store->images = g_new0(struct zc_store *, ram->n_blocks);
    store->files = g_new0(char *, ram->n_blocks);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        struct zc_ram one = { &ram->blocks[i], 1 };
        g_autofree char *file = zc_snapshot_file_name(ram->blocks[i].name);
        store->files[i] = g_build_filename(store->hidden, "ram", file, NULL);
        store->images[i] = zc_image_store_new(store->files[i], false, error);
        store->n_images = i + 1;
        if (!store->images[i] || !store->images[i]->ops->allocate(store->images[i], &one, error)) {
            return false;
        }
    }
    return true;
}

/* The store of the block that @host is in. */
static struct zc_store *find_image(struct snapshot_store *store, const uint8_t *host)
{
    for (uint32_t i = 0; i < store->n_images; i++) {
        const struct zc_block *block = &store->ram->blocks[i];
        if (host >= block->host && host < block->host + block->used_bytes) {
            return store->images[i];
        }
    }
    g_assert_not_reached();
}

static int snapshot_store_populate(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    struct zc_store *image = find_image((struct snapshot_store *)base, host);

    return image->ops->populate(image, host, bytes);
}

static int snapshot_store_write(struct zc_store *base, uint8_t *host, struct iovec *content,
                                unsigned int n_content)
{
    struct zc_store *image = find_image((struct snapshot_store *)base, host);

    if (image->ops->write) {
        return image->ops->write(image, host, content, n_content);
    }
    for (unsigned int i = 0; i < n_content; i++) {
        int rc = image->ops->populate(image, host, content[i].iov_len);
        if (rc < 0) {
            return rc;
        }
        memcpy(host, content[i].iov_base, content[i].iov_len);
        host += content[i].iov_len;
    }
    return 0;
}

static int snapshot_store_zero(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    struct zc_store *image = find_image((struct snapshot_store *)base, host);

    return image->ops->zero(image, host, bytes);
}

static bool snapshot_store_keep_state(struct zc_store *base, const struct zc_snapshot *snapshot,
                                      const struct zc_manifest *manifest, GError **error)
{
    struct snapshot_store *store = (struct snapshot_store *)base;

    (void)error;
    store->snapshot = snapshot;
    store->manifest = manifest;
    return true;
}

/* ------------------------------------------------------------------ commit */

static bool write_file(const struct snapshot_store *store, const char *name, const void *bytes,
                       size_t length, GError **error)
{
    g_autofree char *path = g_build_filename(store->hidden, name, NULL);
    g_autoptr(GError) cause = NULL;

    return g_file_set_contents_full(path, bytes, (gssize)length, G_FILE_SET_CONTENTS_NONE, 0600,
                                    &cause) ||
           zc_error(error, ZCMIG_ERROR_OUTPUT, "snapshot: %s", cause->message);
}

static bool write_bytes(const struct snapshot_store *store, const char *name, GBytes *bytes,
                        GError **error)
{
    gsize length = 0;
    const void *data = bytes ? g_bytes_get_data(bytes, &length) : NULL;

    return !bytes || write_file(store, name, data, length, error);
}

static bool write_small_files(const struct snapshot_store *store, GError **error)
{
    g_autofree char *index =
        zc_snapshot_write_index(store->snapshot, store->ram, store->manifest);
    g_autofree char *manifest = g_build_filename(store->hidden, "pages.manifest", NULL);

    return write_bytes(store, "configuration", store->snapshot->configuration, error) &&
           write_bytes(store, "devices", store->snapshot->tail, error) &&
           write_bytes(store, "devices-early", store->snapshot->early, error) &&
           zc_manifest_save(store->manifest, manifest, error) &&
           write_file(store, "index.json", index, strlen(index), error);
}

/* The hidden name becomes the path: 0 or an errno.  What was replaced is removed. */
static int rename_hidden(struct snapshot_store *store)
{
    if (renameat2(AT_FDCWD, store->hidden, AT_FDCWD, store->path, RENAME_NOREPLACE) == 0 ||
        ((errno == EINVAL || errno == ENOSYS) && rename(store->hidden, store->path) == 0)) {
        g_clear_pointer(&store->hidden, g_free);
        return 0;
    }
    if (errno != EEXIST || !store->overwrite ||
        renameat2(AT_FDCWD, store->hidden, AT_FDCWD, store->path, RENAME_EXCHANGE) < 0) {
        return errno;
    }
    g_autofree char *old = g_steal_pointer(&store->hidden);
    remove_snapshot(old);
    return 0;
}

static bool snapshot_store_commit(struct zc_store *base, uint64_t exact_bytes, GError **error)
{
    struct snapshot_store *store = (struct snapshot_store *)base;

    g_return_val_if_fail(store->snapshot && store->manifest, false);
    (void)exact_bytes; /* a snapshot's blocks are whole pages */
    for (uint32_t i = 0; i < store->n_images; i++) {
        if (!store->images[i]->ops->commit(store->images[i], 0, error)) {
            return false;
        }
    }
    if (!write_small_files(store, error)) {
        return false;
    }
    int code = rename_hidden(store);
    return code == 0 || zc_error_errno(error, ZCMIG_ERROR_OUTPUT, code,
                                       "cannot name the snapshot '%s'", store->path);
}

static const struct zc_store_ops snapshot_store_ops = {
    .free = snapshot_store_free,
    .allocate = snapshot_store_allocate,
    .populate = snapshot_store_populate,
    .write = snapshot_store_write,
    .zero = snapshot_store_zero,
    .keep_state = snapshot_store_keep_state,
    .keeps_digests = true,
    .commit = snapshot_store_commit,
};

/* --------------------------------------------------------------------- new */

/* Refuses a path that must not be replaced: anything but a snapshot. */
static bool check_path(const struct snapshot_store *store, GError **error)
{
    g_autofree char *index = g_build_filename(store->path, "index.json", NULL);
    struct stat st;

    if (lstat(store->path, &st) < 0) {
        return errno == ENOENT ||
               zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno, "output '%s'", store->path);
    }
    if (!store->overwrite) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, EEXIST,
                              "output '%s' is only replaced when asked to", store->path);
    }
    return (S_ISDIR(st.st_mode) && access(index, R_OK) == 0) ||
           zc_error(error, ZCMIG_ERROR_OUTPUT, "output '%s' exists and is no snapshot",
                    store->path);
}

/* "name/" and "name" are the same directory. */
static char *without_slashes(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    return g_strndup(path, length);
}

struct zc_store *zc_snapshot_store_new(const char *path, bool overwrite, GError **error)
{
    struct snapshot_store *store = g_new0(struct snapshot_store, 1);

    store->base.ops = &snapshot_store_ops;
    store->path = without_slashes(path);
    store->overwrite = overwrite;
    if (!check_path(store, error)) {
        zc_store_free(&store->base);
        return NULL;
    }
    g_autofree char *parent = g_path_get_dirname(store->path);
    g_autofree char *name = g_path_get_basename(store->path);
    char *hidden = g_strdup_printf("%s/.%s.zcmig-XXXXXX", parent, name);
    g_autofree char *ram = NULL;
    if (g_mkdtemp_full(hidden, 0700)) {
        store->hidden = hidden;
        ram = g_build_filename(hidden, "ram", NULL);
    }
    if (!ram || mkdir(ram, 0700) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno, "cannot create output '%s'", path);
        if (!ram) {
            g_free(hidden);
        }
        zc_store_free(&store->base);
        return NULL;
    }
    return &store->base;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: until commit the image has no name (O_TMPFILE), so even a receiver
 * that is killed leaves nothing.  Where the file system has no nameless files
 * it gets a hidden name in the same directory, which free removes.
 *
 *     new ---- allocate ---- populate, zero ... ---- commit ---- free
 *     nameless file          pages of data            name        unmapped
 *
 * commit links a nameless file to its path, which fails when the path exists.
 * To replace a file it is linked to a hidden name first and renamed over it.
 *
 * A page of a mapping that the file system has no room for is a SIGBUS for
 * who writes to it, and EFAULT for MADV_POPULATE_WRITE.  The latter is turned
 * into what fallocate(2) of the same range says, mostly ENOSPC.  So nothing
 * writes to a page that was not populated.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/error.h"
#include "base/iov.h"
#include "base/log.h"
#include "guest/guest.h"

#define HIDDEN_NAME_TRIES 100

struct image_store {
    struct zc_store base;
    char *path;
    char *directory;
    char *hidden; /* name that the file has until commit; NULL: it has none */
    bool overwrite;
    bool is_hugetlbfs;
    int fd;
    uint8_t *host;
    uint64_t mapped_bytes;
    uint64_t used_bytes;
    uint64_t unit_bytes; /* the file's length is a multiple of this: 1, or a huge page */
};

static void image_store_free(struct zc_store *base)
{
    struct image_store *store = (struct image_store *)base;

    if (store->host) {
        munmap(store->host, store->mapped_bytes);
    }
    if (store->fd >= 0) {
        close(store->fd);
    }
    if (store->hidden) {
        unlink(store->hidden);
    }
    g_free(store->hidden);
    g_free(store->directory);
    g_free(store->path);
    g_free(store);
}

/* ---------------------------------------------------------------- allocate */

static bool image_store_allocate(struct zc_store *base, struct zc_ram *ram, GError **error)
{
    struct image_store *store = (struct image_store *)base;
    struct zc_block *block = ram->blocks;

    g_return_val_if_fail(store->host == NULL, false);
    if (ram->n_blocks != 1) {
        return zc_error(error, ZCMIG_ERROR_OUTPUT,
                        "'%s' is an image of one block, the source has %u: '%s' and more",
                        store->path, ram->n_blocks, ram->n_blocks ? block->name : "");
    }
    uint64_t unit = store->unit_bytes;
    if (block->used_bytes > (uint64_t)INT64_MAX - unit) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, EFBIG, "cannot make '%s'", store->path);
    }
    uint64_t bytes = (block->used_bytes + unit - 1) / unit * unit;
    if (ftruncate(store->fd, (off_t)bytes) < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno,
                              "cannot make '%s' %" G_GUINT64_FORMAT " bytes long", store->path,
                              bytes);
    }
    void *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, store->fd,
                      0);
    if (host == MAP_FAILED) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno,
                              "cannot map %" G_GUINT64_FORMAT " bytes of '%s'", bytes,
                              store->path);
    }
    madvise(host, bytes, MADV_DONTFORK);
    madvise(host, bytes, MADV_DONTDUMP);
    store->host = host;
    store->mapped_bytes = bytes;
    store->used_bytes = block->used_bytes;
    block->host = host;
    return true;
}

/* ---------------------------------------------------------- populate and zero */

static int image_store_populate(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    struct image_store *store = (struct image_store *)base;
    int rc = zc_store_populate_mapping(host, bytes, false);

    if (rc != -EFAULT && rc != -EINVAL) {
        return rc;
    }
    do {
        rc = fallocate(store->fd, 0, host - store->host, (off_t)bytes);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        return -errno;
    }
    return zc_store_populate_mapping(host, bytes, true);
}

/* Pages that are written whole are neither cleared nor mapped, which is most of what they cost. */
static int image_store_write(struct zc_store *base, uint8_t *host, struct iovec *content,
                             unsigned int n_content)
{
    struct image_store *store = (struct image_store *)base;
    off_t at = host - store->host;

    while (n_content) {
        ssize_t n = pwritev(store->fd, content, (int)n_content, at);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            at += n;
            zc_iov_advance(&content, &n_content, (size_t)n);
        }
    }
    return 0;
}

static int image_store_zero(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    struct image_store *store = (struct image_store *)base;

    if (!store->is_hugetlbfs &&
        fallocate(store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, host - store->host,
                  (off_t)bytes) == 0) {
        return 0;
    }
    /* No holes here.  The pages held data, so they are resident; make sure all the same. */
    int rc = image_store_populate(base, host, bytes);
    if (rc == 0) {
        memset(host, 0, bytes);
    }
    return rc;
}

/* ------------------------------------------------------------------ commit */

static char *hidden_name(const struct image_store *store)
{
    g_autofree char *name = g_path_get_basename(store->path);

    return g_strdup_printf("%s/.%s.zcmig-%08x", store->directory, name, g_random_int());
}

/* Gives the nameless file a name: 0 or an errno (EEXIST). */
static int link_to(const struct image_store *store, const char *path)
{
    char self[64];

    g_snprintf(self, sizeof(self), "/proc/self/fd/%d", store->fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) {
        return 0;
    }
    if (errno == ENOENT && linkat(store->fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0) {
        return 0; /* no /proc, but the right to do without it */
    }
    return errno;
}

static int link_to_hidden_name(struct image_store *store)
{
    int code = EEXIST;

    for (int i = 0; i < HIDDEN_NAME_TRIES && code == EEXIST; i++) {
        char *name = hidden_name(store);
        code = link_to(store, name);
        if (code == 0) {
            store->hidden = name;
        } else {
            g_free(name);
        }
    }
    return code;
}

/* The hidden name becomes the path: 0 or an errno. */
static int rename_hidden(struct image_store *store)
{
    int rc;

    if (store->overwrite) {
        rc = rename(store->hidden, store->path);
    } else {
        rc = renameat2(AT_FDCWD, store->hidden, AT_FDCWD, store->path, RENAME_NOREPLACE);
        if (rc < 0 && (errno == EINVAL || errno == ENOSYS)) {
            rc = link(store->hidden, store->path);
            if (rc == 0) {
                unlink(store->hidden);
            }
        }
    }
    if (rc < 0) {
        return errno;
    }
    g_clear_pointer(&store->hidden, g_free);
    return 0;
}

static bool image_store_commit(struct zc_store *base, uint64_t exact_bytes, GError **error)
{
    struct image_store *store = (struct image_store *)base;
    uint64_t bytes = exact_bytes ? exact_bytes : store->used_bytes;
    int code = 0;

    if (bytes > store->used_bytes || store->used_bytes - bytes >= ZC_PAGE_BYTES) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "the image is to have %" G_GUINT64_FORMAT
                        " bytes, its RAM has %" G_GUINT64_FORMAT,
                        bytes, store->used_bytes);
    }
    if (!store->is_hugetlbfs && bytes != store->mapped_bytes &&
        ftruncate(store->fd, (off_t)bytes) < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno, "cannot cut '%s' to its size",
                              store->path);
    }
    if (!store->hidden) {
        code = store->overwrite ? link_to_hidden_name(store) : link_to(store, store->path);
    }
    if (code == 0 && store->hidden) {
        code = rename_hidden(store);
    }
    if (code != 0) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, code, "cannot name the image '%s'",
                              store->path);
    }
    return true;
}

static const struct zc_store_ops image_store_ops = {
    .free = image_store_free,
    .allocate = image_store_allocate,
    .populate = image_store_populate,
    .write = image_store_write,
    .zero = image_store_zero,
    .commit = image_store_commit,
};

/* hugetlbfs has no write(2). */
static const struct zc_store_ops hugetlbfs_store_ops = {
    .free = image_store_free,
    .allocate = image_store_allocate,
    .populate = image_store_populate,
    .zero = image_store_zero,
    .commit = image_store_commit,
};

/* --------------------------------------------------------------------- new */

/* Refuses a path that must not be replaced.  *@mode: of the file that will be, else untouched. */
static bool check_path(struct image_store *store, mode_t *mode, GError **error)
{
    struct stat st;

    if (stat(store->path, &st) < 0) {
        return errno == ENOENT ||
               zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno, "output '%s'", store->path);
    }
    if (!S_ISREG(st.st_mode)) {
        return zc_error(error, ZCMIG_ERROR_OUTPUT, "output '%s' exists and is no regular file",
                        store->path);
    }
    if (!store->overwrite) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, EEXIST,
                              "output '%s' is only replaced when asked to", store->path);
    }
    char *real = access(store->path, W_OK) == 0 ? realpath(store->path, NULL) : NULL;
    if (!real) {
        return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno, "cannot replace output '%s'",
                              store->path);
    }
    g_free(store->path);
    store->path = g_strdup(real);
    free(real);
    *mode = st.st_mode & 0777;
    return true;
}

static int open_hidden(struct image_store *store)
{
    int fd = -1;

    for (int i = 0; i < HIDDEN_NAME_TRIES; i++) {
        char *name = hidden_name(store);
        fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            store->hidden = name;
            break;
        }
        g_free(name);
        if (errno != EEXIST) {
            break;
        }
    }
    return fd;
}

static int open_nameless(const struct image_store *store)
{
    int fd = open(store->directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EISDIR || errno == EINVAL)) {
        errno = EOPNOTSUPP; /* how kernels and file systems without O_TMPFILE say it */
    }
    return fd;
}

struct zc_store *zc_image_store_new_as(const char *path, bool overwrite, bool nameless,
                                       GError **error)
{
    struct image_store *store = g_new0(struct image_store, 1);
    struct statfs fs;
    mode_t mode = 0600;

    store->base.ops = &image_store_ops;
    store->path = g_strdup(path);
    store->overwrite = overwrite;
    store->unit_bytes = 1;
    store->fd = -1;
    if (!check_path(store, &mode, error)) {
        zc_store_free(&store->base);
        return NULL;
    }
    store->directory = g_path_get_dirname(store->path);
    errno = EOPNOTSUPP;
    store->fd = nameless ? open_nameless(store) : -1;
    if (store->fd < 0 && errno == EOPNOTSUPP) {
        store->fd = open_hidden(store);
    }
    if (store->fd < 0 || fstatfs(store->fd, &fs) < 0 || fchmod(store->fd, mode) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno, "cannot create output '%s'", path);
        zc_store_free(&store->base);
        return NULL;
    }
    store->is_hugetlbfs = fs.f_type == HUGETLBFS_MAGIC;
    if (store->is_hugetlbfs) {
        store->base.ops = &hugetlbfs_store_ops;
        store->unit_bytes = (uint64_t)fs.f_bsize;
        zc_debug("output '%s' is on hugetlbfs: its length is rounded up", path);
    }
    return &store->base;
}

struct zc_store *zc_image_store_new(const char *path, bool overwrite, GError **error)
{
    return zc_image_store_new_as(path, overwrite, true, error);
}
